"""What a folder holds, and in which order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore import images
from segcore.base import BadFile


def test_a_dicom_series_counts_as_one_image(shared_data: Path, tmp_path: Path) -> None:
    assert images.scan(shared_data / "ct_dicom") == [shared_data / "ct_dicom"]
    shutil.copytree(shared_data / "ct_dicom", tmp_path / "chest")
    (tmp_path / "empty").mkdir()
    shutil.copy(shared_data / "odd" / "plain.png", tmp_path / "photo.png")
    assert [path.name for path in images.scan(tmp_path)] == ["chest", "photo.png"]


def test_single_dicom_files_stand_for_themselves(shared_data: Path) -> None:
    folder = shared_data / "ct_dicom_odd"
    assert {path.name for path in images.scan(folder)} == {path.name for path in folder.iterdir()}


def test_dicom_without_an_ending_is_found_by_its_content(shared_data: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((shared_data / "ct_dicom").iterdir())):
        shutil.copy(path, tmp_path / f"IM{number}")
    (tmp_path / "DICOMDIR").write_bytes((tmp_path / "IM0").read_bytes())
    (tmp_path / "README").write_text("sixteen slices")
    assert images.scan(tmp_path) == [tmp_path]
    assert images.open(tmp_path).shape.z == 16


def test_names_are_sorted_as_people_count(tmp_path: Path, shared_data: Path) -> None:
    names = ["a 2.png", "a 10.png", "B 1.png", "b 2.png", "a 1.PNG"]
    for name in names:
        shutil.copy(shared_data / "odd" / "one_pixel.png", tmp_path / name)
    for other in (".hidden.png", "notes.txt"):
        (tmp_path / other).write_text("no picture")
    found = [path.name for path in images.scan(tmp_path)]
    assert found == ["a 1.PNG", "a 2.png", "a 10.png", "B 1.png", "b 2.png"]


def test_a_damaged_picture_is_listed_and_not_lost(shared_data: Path) -> None:
    found = {path.name for path in images.scan(shared_data / "odd")}
    assert {"truncated.png", "zero_bytes.png", "text_named.png"} <= found
    assert "make_odd.py" not in found


@given(st.lists(st.integers(0, 10**12)), st.text())
def test_numbers_in_names_count_as_numbers_behind_any_text(numbers: list[int], text: str) -> None:
    names = [f"{text}-{number}.png" for number in numbers]
    by_number = [f"{text}-{number}.png" for number in sorted(numbers)]
    assert sorted(names, key=images.natural_key) == by_number


@given(st.lists(st.text(), max_size=6))
def test_any_names_can_be_compared(names: list[str]) -> None:
    assert sorted(sorted(names, key=images.natural_key)) == sorted(names)


def test_the_fingerprint_changes_with_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"12345")
    os.utime(path, ns=(10**18, 10**18))
    assert images.fingerprint(path) == (5, 10**18)
    os.utime(path, ns=(10**18, 10**18 + 100))
    assert images.fingerprint(path).mtime_ns == 10**18 + 100
    assert images.fingerprint(tmp_path) == (5, 10**18 + 100)
    with pytest.raises(BadFile, match="does not exist"):
        images.fingerprint(tmp_path / "gone.png")


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with pytest.raises(BadFile, match="is a file, not a folder"):
        images.scan(path)
    with pytest.raises(BadFile, match="could not be read"):
        images.scan(tmp_path / "gone")
