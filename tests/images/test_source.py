"""What holds for every source: rectangles, copies, threads, closing, and what start-up imports."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from segcore import images
from segcore.base import BadFile, Rect

ONE_OF_EACH = (
    "odd/plain.png",
    "odd/pyramid_tiled.tif",
    "odd/grey16.tif",
    "ct_dicom",
    "ct_dicom_odd/emri_small_RLE.dcm",
    "hippocampus/images/hippocampus_001.nii.gz",
)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_rectangle_is_the_cut_of_the_slice(shared_data: Path, name: str) -> None:
    with images.open(shared_data / name) as source:
        z = source.shape.z // 2
        whole = source.read(z)
        height, width = source.shape[1:]
        assert whole.shape == (height, width, source.channels)
        for rect in (
            Rect(0, 0, height, width),
            Rect(height - 1, width - 1, 1, 1),
            Rect(height // 3, width // 4, height // 2, width // 3),
            Rect(5, 5, 0, 4),
        ):
            part = source.read(z, rect)
            assert np.array_equal(part, whole[rect.slices])
            assert part.flags.c_contiguous
            assert part.flags.writeable
            part[:] = 0
        assert np.array_equal(source.read(z), whole), "what is in the cache is nobody's to change"


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_what_lies_outside_is_an_error_of_the_caller(shared_data: Path, name: str) -> None:
    with images.open(shared_data / name) as source:
        height, width = source.shape[1:]
        for rect in (Rect(-1, 0, 2, 2), Rect(0, 0, height + 1, 1), Rect(0, width, 1, 1)):
            with pytest.raises(ValueError, match="outside"):
                source.read(rect=rect)
        for bad in ({"z": source.shape.z}, {"z": -1}, {"level": 9}, {"channels": (7,)}):
            with pytest.raises(ValueError, match="of an image with"):
                source.read(**bad)
    with pytest.raises(ValueError, match="closed"):
        source.read()


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_reading_from_many_threads_gives_what_one_gives(shared_data: Path, name: str) -> None:
    with images.open(shared_data / name) as alone:
        expected = [alone.read(z) for z in range(alone.shape.z)]
    barrier = threading.Barrier(6)
    with images.open(shared_data / name) as source:

        def work(seed: int) -> bool:
            rng = np.random.default_rng(seed)
            barrier.wait()
            good = True
            for _ in range(12):
                z = int(rng.integers(source.shape.z))
                y = int(rng.integers(source.shape.y // 2))
                rect = Rect(y, y // 2, source.shape.y // 3, source.shape.x // 3)
                good &= np.array_equal(source.read(z, rect), expected[z][rect.slices])
            return bool(good)

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(work, range(6)))


def test_a_slice_is_decoded_once_and_the_cache_is_bounded(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with images.open(shared_data / "ct_dicom") as source:
        decoded: list[int] = []
        real = source._decode
        monkeypatch.setattr(source, "_decode", lambda z, level: decoded.append(z) or real(z, level))
        for _ in range(3):
            source.read(4, Rect(0, 0, 9, 9))
        assert decoded == [4]
        source._cache = images.source.BoundedCache(3 * 512 * 512 * 2)
        for z in (0, 1, 2, 3, 0, 3):
            source.read(z)
        # 0 was the oldest when 3 came, and went; then 1 had to.
        assert decoded == [4, 0, 1, 2, 3, 0]


def test_the_same_thing_put_twice_counts_once() -> None:
    cache = images.source.BoundedCache(1000)
    for _ in range(20):
        cache.put((1,), np.zeros(400, np.uint8))
    cache.put((2,), np.zeros(400, np.uint8))
    assert cache.get((1,)) is not None
    cache.put((3,), np.zeros(5000, np.uint8))
    assert [cache.get((key,)) is None for key in (1, 2, 3)] == [True, True, False]


def test_a_missing_file_and_a_wrong_one_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"gone\.png does not exist"):
        images.open(tmp_path / "gone.png")
    with pytest.raises(BadFile, match="is a folder without a DICOM image"):
        images.open(tmp_path)
    other = tmp_path / "letter.txt"
    other.write_text("Dear reader")
    with pytest.raises(BadFile, match=r"letter\.txt is not an image of a known kind"):
        images.open(str(other))


def test_a_picture_that_vanishes_after_opening_is_told_when_it_is_read(
    tmp_path: Path, shared_data: Path
) -> None:
    path = tmp_path / "copy.png"
    path.write_bytes((shared_data / "odd" / "plain.png").read_bytes())
    source = images.open(path)
    path.unlink()
    with pytest.raises(BadFile, match=r"copy\.png could not be read"):
        source.read()


def test_every_family_has_a_row_and_endings_of_its_own() -> None:
    suffixes = [suffix for family in images.FAMILIES for suffix in family.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert {family.name for family in images.FAMILIES} == {"raster", "tiff", "dicom", "nifti"}
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in suffixes)


def test_a_picture_is_shown_without_importing_any_other_library(shared_data: Path) -> None:
    heavy = ("PIL", "pydicom", "nibabel", "tifffile", "imagecodecs", "scipy", "skimage", "torch",
             "psutil")  # fmt: skip
    script = (
        "import sys; from segcore import images\n"
        "for name in sys.argv[2:]:\n"
        "    source = images.open(sys.argv[1] + '/' + name)\n"
        "    images.to_display(source.read(), *images.default_window(source))\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    names = ["plain.png", "exif_orientation_6.jpg", "grey16.png", "palette.png"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(shared_data / "odd"), *names],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert done.stdout.strip() == "[]"
