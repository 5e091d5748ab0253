"""Several files as the channels of one picture: what is read, and what is passed on."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segcore import images
from segcore.base import BadFile, SizeMismatch
from segcore.images import ImageInfo, JoinedSource
from segcore.images.joined import _joined_info


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """A grey, a coloured and a 16-bit picture of one size."""
    random = np.random.default_rng(3)
    paths = [tmp_path / name for name in ("grey.png", "colour.png", "deep.png")]
    for path, shape, dtype in zip(
        paths, [(37, 53), (37, 53, 3), (37, 53)], [np.uint8, np.uint8, np.uint16], strict=True
    ):
        Image.fromarray(random.integers(0, np.iinfo(dtype).max, shape).astype(dtype)).save(path)
    return paths


@settings(max_examples=40, deadline=None)
@given(channels=st.lists(st.integers(0, 4), min_size=1, max_size=7))
def test_any_choice_of_channels_is_that_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, channels: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "joined"
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(5)
    paths = [folder / "a.png", folder / "b.png", folder / "c.png"]
    for path, size in zip(paths, [(9, 8), (9, 8, 3), (9, 8)], strict=True):
        if not path.exists():
            Image.fromarray(random.integers(0, 255, size).astype(np.uint8)).save(path)
    parts = [images.open(path).read() for path in paths]
    whole = np.concatenate(parts, axis=-1)
    with images.open_all(paths) as source:
        assert source.channels == 5
        assert np.array_equal(source.read(), whole)
        assert np.array_equal(source.read(channels=channels), whole[..., channels])


def test_depth_is_that_which_holds_all_values(three: list[Path]) -> None:
    with images.open_all(three) as source:
        assert source.dtype == np.uint16
        assert source.channel_names == ("grey", "colour red", "colour green", "colour blue", "deep")
        deep = np.asarray(Image.open(three[2]))
        assert np.array_equal(source.read(channels=[4])[..., 0], deep)
        assert source.paths == tuple(three)


def test_white_is_zero_and_the_presets_come_through(shared_data: Path) -> None:
    path = shared_data / "ct_dicom_odd" / "RG3_J2KI.dcm"
    with images.open(path) as alone, images.open_all([path, path]) as joined:
        assert alone.invert
        assert joined.invert
        assert joined.presets == alone.presets
        assert joined.view_flip == alone.view_flip
        assert images.default_window(joined) == images.default_window(alone)


def test_parts_that_disagree_on_what_is_bright_say_so(shared_data: Path) -> None:
    path = shared_data / "ct_dicom_odd" / "RG3_J2KI.dcm"
    with images.open(path) as inverted, images.open(path) as usual:
        usual.invert = False
        usual.info = replace(usual.info, invert=False)
        assert _joined_info([inverted, usual]).invert
        info = _joined_info([usual, inverted])
        assert not info.invert
        assert "Small values are bright in only one of" in info.hints[-1]


def test_no_fact_of_a_single_part_is_lost(shared_data: Path) -> None:
    # A fact that is added to `ImageInfo` must be passed on without anybody thinking of it.
    told: dict[str, Any] = {
        "hints": ("said",), "has_alpha": True, "invert": True, "frame_of_reference": "1.2",
        "metadata": {"a": "b"}, "view_flip": (True, True),
    }  # fmt: skip
    with images.open(shared_data / "ct_dicom") as source:
        source.info = replace(source.info, **told)
        for name, value in told.items():
            setattr(source, name, value)
        made = _joined_info([source])
        for fact in fields(ImageInfo):
            if fact.name not in ("levels", "channel_names"):  # filled in where nothing was given
                assert np.array_equal(getattr(made, fact.name), getattr(source.info, fact.name))


def test_images_of_other_sizes_or_places_are_refused(three: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(np.zeros((37, 52), np.uint8)).save(other)
    with pytest.raises(SizeMismatch, match=r"other\.png has \(1, 37, 52\) voxels"):
        images.open_all([three[0], other])
    moved = np.diag([1.0, 1.0, 1.0, 1.0])
    for name in ("here", "there"):
        volume = nibabel.Nifti1Image(np.zeros((5, 6, 7), np.int16), moved)
        nibabel.save(volume, tmp_path / f"{name}.nii")
        moved = moved.copy()
        moved[0, 3] += 4
    with pytest.raises(SizeMismatch, match="lie at different places"):
        images.open_all([tmp_path / "here.nii", tmp_path / "there.nii"])


def test_what_was_opened_is_closed_when_a_later_file_is_missing(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(images.ImageSource, "close", lambda self: closed.append(self.path.name))
    with pytest.raises(BadFile, match=r"gone\.png does not exist"):
        images.open_all([*three[:2], tmp_path / "gone.png"])
    assert sorted(closed) == ["colour.png", "grey.png"]
    with pytest.raises(BadFile, match="no image to open"):
        images.open_all([])


def test_one_file_is_itself_and_several_close_together(three: list[Path]) -> None:
    with images.open_all(three[:1]) as source:
        assert not isinstance(source, JoinedSource)
    joined = images.open_all(three)
    joined.close()
    with pytest.raises(ValueError, match="closed"):
        joined.read()
