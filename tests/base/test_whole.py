"""A file that is written whole: the old one or the new one, never half of either."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from segcore.base.whole import clear_remains, write_whole, written_whole


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "row.json"
    write_whole(file, "old")
    with written_whole(file) as draft:
        draft.write_text("ne", encoding="utf-8")
        assert file.read_text(encoding="utf-8") == "old"
        draft.write_text("new", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_half_way_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "row.json"
    write_whole(file, "old")

    def fail() -> None:
        with written_whole(file) as draft:
            draft.write_text("ne", encoding="utf-8")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_two_writers_of_one_file_do_not_write_into_each_other(tmp_path: Path) -> None:
    file = tmp_path / "row.json"
    with written_whole(file) as one, written_whole(file) as other:
        one.write_text("one", encoding="utf-8")
        other.write_text("the other", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "one"  # whose block ended last


def test_only_drafts_that_are_a_day_old_are_cleared(tmp_path: Path) -> None:
    old, new, other = tmp_path / "a.1.part", tmp_path / "a.2.part", tmp_path / "a.png"
    for file in (old, new, other):
        file.write_bytes(b"")
    long_ago = time.time() - 25 * 3600
    for file in (old, other):
        os.utime(file, (long_ago, long_ago))
    clear_remains(tmp_path)
    assert sorted(tmp_path.iterdir()) == [new, other]
