"""Levels that a picture lacks: what they show, and that they are made once, whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from segcore import images
from segcore.base import Cancelled, Rect
from segcore.images import pyramid
from segcore.images.pyramid import PyramidSource, halved, with_pyramid
from segcore.images.raster import RasterSource


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which a test picture counts as large."""
    monkeypatch.setattr(pyramid, "_LARGE_PIXELS", 1 << 14)
    monkeypatch.setattr(pyramid, "_COARSE_PIXELS", 1 << 12)
    monkeypatch.setattr(pyramid, "_BAND_BYTES", 1 << 16)


def slowly_halved(pixels: np.ndarray) -> np.ndarray:
    height, width, channels = pixels.shape
    out = np.empty((-(-height // 2), -(-width // 2), channels))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = pixels[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean(axis=(0, 1))
    return out


@settings(max_examples=60, deadline=None)
@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32]),
        st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 2, 3, 4, 5, 9])),
        elements={"min_value": 0, "max_value": 100},
    )
)
def test_a_coarse_pixel_is_the_mean_of_those_it_stands_for(pixels: np.ndarray) -> None:
    small = halved(pixels)
    assert small.dtype == pixels.dtype
    assert np.abs(small - slowly_halved(pixels)).max() <= (0.5 if small.dtype.kind != "f" else 1e-4)


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_level_is_the_halved_one_below(tmp_path: Path, dtype: type, channels: int) -> None:
    path = tmp_path / "large.tif"
    full = (np.random.default_rng(4).random((701, 1030, channels)) * 250).astype(dtype)
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(path, full, photometric=photometric, tile=(128, 128), compression="zlib")
    cache = tmp_path / "cache"
    with with_pyramid(images.open(path), cache) as source:
        assert isinstance(source, PyramidSource)
        assert [level.scale[0] for level in source.levels] == [1, 2, 4, 8, 16]
        assert source.levels[-1].shape == (1, 44, 65)
        assert np.array_equal(source.read(), full)
        low, high = images.default_window(source)
        assert low < high
        assert not cache.exists(), "nothing is made before it is asked for"
        below = full
        for level in range(1, 5):
            below = halved(below)
            assert np.array_equal(source.read(level=level), below)
            rect = Rect(3, 5, 30, 41)
            assert np.array_equal(source.read(0, rect, level), below[rect.slices])
        assert source.is_built()


@pytest.mark.usefixtures("small_is_large")
def test_levels_are_made_once_and_again_after_the_cache_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    tifffile.imwrite(path, np.zeros((300, 400), np.uint8), tile=(128, 128))
    made: list[int] = []
    real = PyramidSource._write
    monkeypatch.setattr(
        PyramidSource,
        "_write",
        lambda self, file, z, level, asked: made.append(level) or real(self, file, z, level, asked),
    )
    for _ in range(2):
        with with_pyramid(images.open(path), cache) as source:
            source.read(level=3)
    assert made == [3, 2, 1]
    for file in cache.iterdir():
        file.unlink()
    with with_pyramid(images.open(path), cache) as source:
        source.read(level=1)
    assert made == [3, 2, 1, 1]


@pytest.mark.usefixtures("small_is_large")
def test_a_cancelled_build_leaves_no_half_file(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    tifffile.imwrite(path, np.zeros((900, 400), np.uint8), tile=(128, 128))
    answers = iter([False, True])
    with with_pyramid(images.open(path), cache) as source:
        assert isinstance(source, PyramidSource)
        with pytest.raises(Cancelled):
            source.build(cancelled=lambda: next(answers))
        assert list(cache.iterdir()) == []
        source.build()
        assert source.is_built()
        assert len(list(cache.iterdir())) == len(source.levels) - 1


@pytest.mark.usefixtures("small_is_large")
def test_closing_does_not_wait_for_a_level_that_is_being_made(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    tifffile.imwrite(path, np.zeros((900, 400), np.uint8), tile=(128, 128))
    source = with_pyramid(images.open(path), cache)
    assert isinstance(source, PyramidSource)
    begun, may_go_on = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return not may_go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(source.build, 0, wait)
        assert begun.wait(20)
        source.close()
        may_go_on.set()
        with pytest.raises(ValueError, match="closed"):
            build.result(20)
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("small_is_large")
def test_a_picture_that_changed_gets_other_levels(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    for value in (10, 20):
        tifffile.imwrite(path, np.full((300, 400 + value), value, np.uint8), tile=(128, 128))
        with with_pyramid(images.open(path), cache) as source:
            assert source.read(level=1).max() == value


def test_small_pictures_and_those_with_levels_stay_as_they_are(
    shared_data: Path, tmp_path: Path
) -> None:
    for name in ("odd/plain.png", "odd/pyramid_tiled.tif", "ct_dicom"):
        with images.open(shared_data / name) as source:
            assert with_pyramid(source, tmp_path) is source


@pytest.mark.usefixtures("small_is_large")
def test_a_glance_makes_nothing_and_shows_single_pixels_of_the_picture(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    full = np.arange(300 * 400, dtype=np.uint16).reshape(300, 400, 1) % 4096
    tifffile.imwrite(path, full[..., 0], tile=(128, 128), compression="zlib")
    with with_pyramid(images.open(path), cache) as source:
        seen = source.glance(0, Rect(2, 3, 20, 30), 2)
        assert seen is not None
        assert np.array_equal(seen, full[2::4, 2::4][2:22, 3:33])
        assert not cache.exists()
        source.build()
        built = source.glance(0, Rect(2, 3, 20, 30), 2)
        assert np.array_equal(built, source.read(0, Rect(2, 3, 20, 30), 2))


@pytest.mark.usefixtures("small_is_large")
def test_a_glance_never_decodes_a_whole_large_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    full = np.random.default_rng(1).integers(0, 255, (300, 400)).astype(np.uint8)
    Image.fromarray(full).save(path)
    decoded: list[int] = []
    real = RasterSource._decode
    monkeypatch.setattr(
        RasterSource,
        "_decode",
        lambda self, z, level: decoded.append(level) or real(self, z, level),
    )
    with with_pyramid(images.open(path), tmp_path / "cache") as source:
        assert source.glance(0, Rect(0, 0, 75, 100), 2) is None
        assert not source.is_resident(0)
        assert decoded == []
        source.read(0, Rect(0, 0, 1, 1))
        assert source.is_resident(0)
        assert np.array_equal(source.glance(0, Rect(0, 0, 75, 100), 2)[..., 0], full[2::4, 2::4])
        source.build()
        assert decoded == [0]
        source.trim()
        assert not source.is_resident(0)
        assert source.glance(0, Rect(0, 0, 75, 100), 2) is not None


@pytest.mark.usefixtures("small_is_large")
def test_bands_of_a_packed_picture_are_seen_as_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyramid, "_GLANCE_PIXELS", 0)
    path = tmp_path / "large.tif"
    full = np.random.default_rng(3).integers(1, 255, (1900, 400)).astype(np.uint8)
    tifffile.imwrite(path, full, tile=(128, 128), compression="zlib")
    with with_pyramid(images.open(path), tmp_path / "cache") as source:
        assert isinstance(source, PyramidSource)
        last = len(source.levels) - 1
        grid = source.levels[last].shape
        whole = Rect(0, 0, grid.y, grid.x)
        seen: list[np.ndarray | None] = []
        source.build(progress=lambda _: seen.append(source.glance(0, whole, last)))
        assert seen[0] is None
        filled = [0 if one is None else int(one.any(axis=(1, 2)).sum()) for one in seen]
        # Row by row at first; as means once the first level is there.
        assert 0 < filled[1] < grid.y
        assert filled == sorted(filled)
        rows = (np.arange(grid.y) + 0.5) * 1900 / grid.y
        columns = (np.arange(grid.x) + 0.5) * 400 / grid.x
        expected = full[rows.astype(int)][:, columns.astype(int)]
        assert np.array_equal(seen[1][: filled[1], :, 0], expected[: filled[1]])


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_jpeg_is_glanced_at_upright_from_a_preview(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "large.jpg"
    ramp = np.add.outer(np.linspace(0, 120, 320), np.linspace(0, 120, 480)).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(ramp).save(path, quality=95, exif=exif)
    with with_pyramid(images.open(path), tmp_path / "cache") as source:
        grid = source.levels[3].shape
        seen = source.glance(0, Rect(0, 0, grid.y, grid.x), 3)
        assert seen is not None
        assert not source.is_resident(0)
        assert np.abs(seen.astype(int) - source.read(level=3)).max() <= 4


@pytest.mark.usefixtures("small_is_large")
def test_a_level_that_went_bad_on_the_disk_is_made_again(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    full = np.random.default_rng(2).integers(0, 255, (300, 400)).astype(np.uint8)
    tifffile.imwrite(path, full, tile=(128, 128))
    with with_pyramid(images.open(path), cache) as source:
        expected = source.read(level=1)
    (file,) = cache.glob("*-1.tif")
    whole = file.read_bytes()
    for damage in (b"", b"no picture", whole[: len(whole) // 2]):
        file.write_bytes(damage)
        with with_pyramid(images.open(path), cache) as source:
            assert np.array_equal(source.read(level=1), expected)
        with with_pyramid(images.open(path), cache) as source:
            assert source.is_ready(1)
            assert np.array_equal(source.read(level=1), expected)


@pytest.mark.usefixtures("small_is_large")
def test_the_cache_may_go_while_the_picture_is_open(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    tifffile.imwrite(path, np.full((300, 400), 7, np.uint8), tile=(128, 128))
    with (
        with_pyramid(images.open(path), cache) as source,
        with_pyramid(images.open(path), cache) as other,
    ):
        source.build()
        shutil.rmtree(cache)
        assert source.read(level=2).min() == 7
        assert not other.is_built()
        other.build()
        assert other.is_built()


@pytest.mark.usefixtures("small_is_large")
def test_progress_grows_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.zeros((1900, 400), np.uint8), tile=(128, 128))
    told: list[float] = []
    with with_pyramid(images.open(path), tmp_path / "cache") as source:
        assert isinstance(source, PyramidSource)
        source.build(progress=told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert 0.5 < told[-1] < 1


@pytest.mark.usefixtures("small_is_large")
def test_remains_of_a_killed_process_go_after_a_day(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    tifffile.imwrite(path, np.zeros((300, 400), np.uint8), tile=(128, 128))
    cache.mkdir()
    old, new = cache / "a.part", cache / "b.part"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    with with_pyramid(images.open(path), cache) as source:
        source.read(level=1)
    assert not old.exists()
    assert new.exists(), "another process may be writing it"


_BUILDER = """
import sys
from pathlib import Path
from segcore import images
from segcore.images import pyramid
pyramid._LARGE_PIXELS, pyramid._COARSE_PIXELS, pyramid._BAND_BYTES = 1 << 14, 1 << 12, 1 << 16
with pyramid.with_pyramid(images.open(sys.argv[1]), Path(sys.argv[2])) as source:
    print("ready", flush=True)
    sys.stdin.readline()
    source.build()
    print(source.is_built())
"""


@pytest.mark.usefixtures("small_is_large")
def test_two_processes_that_build_at_once_leave_whole_levels(tmp_path: Path) -> None:
    path, cache = tmp_path / "large.tif", tmp_path / "cache"
    full = np.random.default_rng(2).integers(0, 255, (1900, 1400)).astype(np.uint8)
    tifffile.imwrite(path, full, tile=(128, 128))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _BUILDER, str(path), str(cache)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in started] == ["True\n"] * 2
    assert list(cache.glob("*.part")) == []
    with with_pyramid(images.open(path), cache) as source:
        below = full[..., np.newaxis]
        for level in range(1, len(source.levels)):
            below = halved(below)
            assert np.array_equal(source.read(level=level), below)
