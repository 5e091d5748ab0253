"""An export is there as a whole or not at all, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from segcore.base import CLASS_PRESETS, BadFile, Cancelled, MaskwrightError
from segcore.formats import ExportItem, ExportOptions, write
from segcore.formats.names import FileNames
from segcore.labels import Labels

BINARY = CLASS_PRESETS["binary"]


def items(count=3, value=1):
    return [
        ExportItem(f"item {n}", (), Labels.from_array(np.full((5, 6), value))) for n in range(count)
    ]


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


class FailsAtCall:
    """Lets the first calls of several functions through and fails the next with an error."""

    def __init__(self, at, number):
        self.left, self.number, self.failed = at, number, False

    def wrap(self, function):
        def wrapped(*args, **kwargs):
            self.left -= 1
            if self.left == 0:
                self.failed = True
                raise OSError(self.number, "injected", "somewhere")
            return function(*args, **kwargs)

        return wrapped


@pytest.mark.parametrize(
    ("key", "number"),
    [("png", errno.ENOSPC), ("coco", errno.ENOSPC), ("nifti", errno.EIO), ("png", errno.EACCES)],
)
@pytest.mark.parametrize("before", ["nothing", "an older export"])
def test_a_failing_write_at_any_point_leaves_what_was_there(
    tmp_path, monkeypatch, key, number, before
):
    out = tmp_path / "out"
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"pixels")
    if before != "nothing":
        write(key, items(1, value=2), out, BINARY)
    was = contents(tmp_path)
    with_image = [ExportItem(i.name, (picture,), i.labels) for i in items()]
    options = ExportOptions(images="copy")
    failures = 0
    for at in range(1, 100):
        fault = FailsAtCall(at, number)
        with monkeypatch.context() as patched:
            for owner, name in (
                (Path, "write_bytes"), (Path, "mkdir"), (Path, "rename"), (Path, "open"),
                (shutil, "copyfile"),
            ):  # fmt: skip
                patched.setattr(owner, name, fault.wrap(getattr(owner, name)))
            try:
                write(key, with_image, out, BINARY, options)
            except MaskwrightError as error:
                outcome = error
            else:
                outcome = None
        if not fault.failed:
            break
        if outcome is None:
            # Only reading an image may fail without ending the export; it is noted.
            assert "could not be read" in (out / "manifest.json").read_text(encoding="utf-8")
            shutil.rmtree(out)
            for name, data in was.items():
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(data)
            continue
        failures += 1
        assert contents(tmp_path) == was, f"after failure {at}"
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
        if number == errno.ENOSPC:
            assert "disk is full" in outcome.message
        assert str(out) in outcome.message
        assert outcome.hint
    assert failures > 8
    assert contents(out).keys() > was.keys() - {"picture.png"} or before != "nothing"


def test_a_cancel_leaves_what_was_there(tmp_path):
    write("png", items(1, value=2), tmp_path / "out", BINARY)
    was = contents(tmp_path)

    def cancel_at_the_third(done):
        if done == 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        write("png", items(), tmp_path / "out", BINARY, on_item=cancel_at_the_third)
    assert contents(tmp_path) == was
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_older_export_is_replaced_as_a_whole(tmp_path):
    write("png", items(3), tmp_path / "out", BINARY)
    write("nifti", items(1), tmp_path / "out", BINARY)
    assert sorted(contents(tmp_path)) == ["out/labels/item 0.nii.gz", "out/manifest.json"]


@pytest.mark.parametrize("older_export", [True, False])
def test_a_folder_with_a_file_of_somebody_is_never_touched(tmp_path, older_export):
    out = tmp_path / "out"
    out.mkdir()
    if older_export:
        write("png", items(1), out, BINARY)
    (out / "thesis.docx").write_text("years of work")
    was = contents(tmp_path)
    with pytest.raises(BadFile, match=r"thesis\.docx, which no export put there"):
        write("png", items(), out, BINARY)
    assert contents(tmp_path) == was


def test_a_manifest_of_another_program_does_not_make_a_folder_ours(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text('{"files": ["a.txt"], "name": "web app"}')
    with pytest.raises(BadFile, match=r"holds manifest\.json"):
        write("png", items(), out, BINARY)


def test_a_file_in_the_place_of_the_folder_is_not_replaced(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(BadFile, match="is a file"):
        write("png", items(), tmp_path / "out", BINARY)
    assert (tmp_path / "out").read_text() == "a file"


def test_an_empty_folder_and_missing_parents_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    assert write("png", items(), tmp_path / "empty", BINARY).items == 3
    assert write("png", items(), tmp_path / "a/b/c", BINARY).items == 3
    assert (tmp_path / "a/b/c/masks/item 2.png").is_file()


def test_items_are_taken_one_by_one(tmp_path):
    done = []

    def one_by_one():
        for number, item in enumerate(items(4)):
            assert done == list(range(number))
            yield item

    write("png", one_by_one(), tmp_path / "out", BINARY, on_item=done.append)
    assert done == [0, 1, 2, 3]


def test_an_unknown_format_is_refused_and_a_reading_one_too(tmp_path):
    with pytest.raises(BadFile, match='no format "docx"'):
        write("docx", items(), tmp_path / "out", BINARY)
    with pytest.raises(BadFile, match="read only"):
        write("tiff", items(), tmp_path / "out", BINARY)


def test_no_two_items_share_a_file_name():
    names = FileNames()
    given = [
        "street.jpg", "street", "Street", "a/b", "a\\b", "con", "nul.png", "..", "x" * 400, "y.",
        "", "volume.nii.gz", "v1.2", ".hidden", 'q"<>|?*', "é" * 150,
    ]  # fmt: skip
    made = [names.stem_of(name) for name in given]
    assert made[:4] == ["street", "street_2", "Street_3", "a_b"]
    assert made[11:13] == ["volume", "v1.2"]
    assert len({stem.casefold() for stem in made}) == len(given)
    for stem in made:
        assert not set(stem) & set('<>:"/\\|?*')
        assert 0 < len(stem.encode()) < 240
        assert stem.split(".")[0].lower() not in {"con", "nul"}
        assert not stem.startswith(".")
        assert not stem.endswith((".", " "))


def test_importing_formats_loads_no_slow_library():
    import subprocess
    import sys

    code = (
        "import sys, segcore.formats;"
        "slow = {'torch', 'scipy', 'skimage', 'nibabel', 'tifffile', 'PIL', 'pydicom'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert io.StringIO(done.stdout).readline().strip() == "[]"
