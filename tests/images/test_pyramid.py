"""Levels that a picture lacks: what they show, and that they are made once, whole or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from segcore import images
from segcore.base import Cancelled, Rect
from segcore.images import pyramid
from segcore.images.pyramid import PyramidSource, halved, with_pyramid


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
