"""What is shown, against the formula written out slowly."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from segcore import images
from segcore.images.display import (
    percentile_of_bytes,
    robust_range,
    to_display,
    window_bounds,
)


def slowly(value: float, low: float, high: float, invert: bool) -> float:
    if not math.isfinite(value):
        return 0.0
    shown = min(255.0, max(0.0, (value - low) * 255.0 / (high - low)))
    return 255.0 - shown if invert else shown


DTYPES = [np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.float32,
          np.float64]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(),
    dtype=st.sampled_from(DTYPES),
    channels=st.integers(1, 4),
    low=st.floats(-70_000, 70_000, width=32),
    width=st.floats(0.125, 140_000, width=32),
    invert=st.booleans(),
)
def test_to_display_is_the_slow_formula(
    data: st.DataObject, dtype: type, channels: int, low: float, width: float, invert: bool
) -> None:
    elements = (
        st.floats(-1e5, 1e5, width=32) | st.sampled_from([math.nan, math.inf, -math.inf])
        if np.issubdtype(dtype, np.floating)
        else None
    )
    pixels = data.draw(npst.arrays(dtype, (2, 3, channels), elements=elements))
    shown = to_display(pixels, low, low + width, invert)
    assert shown.dtype == np.uint8
    assert shown.flags.c_contiguous
    used = (0, 1, 2) if channels >= 3 else (0, 0, 0)
    # float32 carries seven digits: with values of 1e5 in a narrow window a part of a grey value.
    slack = 0.5001 if dtype != np.float32 else 0.51 + 255 * 0.02 / width
    for y in range(2):
        for x in range(3):
            for c in range(3):
                exact = slowly(float(pixels[y, x, used[c]]), low, low + width, invert)
                assert abs(float(shown[y, x, c]) - exact) <= slack


@given(pixels=npst.arrays(np.uint8, (3, 4, 3)))
def test_eight_bit_pictures_in_their_own_window_are_unchanged(pixels: np.ndarray) -> None:
    assert np.array_equal(to_display(pixels, 0.0, 255.0), pixels)
    assert np.array_equal(to_display(pixels, 0.0, 255.0, invert=True), 255 - pixels)


def test_what_is_shown_is_the_callers_own(shared_data: Path) -> None:
    with images.open(shared_data / "odd" / "plain.png") as source:
        first = source.read()
        to_display(first, 0.0, 255.0)[:] = 7
        first[:] = 9
        assert source.read().max() == 229


def test_an_empty_rectangle_is_shown_empty() -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        assert to_display(np.empty((0, 5, 1), dtype), 0, 9).shape == (0, 5, 3)


@settings(max_examples=100, deadline=None)
@given(
    npst.arrays(np.float32, st.integers(0, 30), elements=st.floats(width=32, allow_infinity=True))
)
def test_the_robust_range_is_never_empty_and_never_odd(values: np.ndarray) -> None:
    low, high = robust_range(values)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high


def test_not_finite_values_do_not_move_the_window(shared_data: Path) -> None:
    with images.open(shared_data / "odd" / "float32_nan.tif") as source:
        values = source.read()
        low, high = images.default_window(source)
    finite = np.sort(values[np.isfinite(values)])
    assert finite[0] <= low < high <= finite[-1]
    assert high - low > 0.9 * (finite[-1] - finite[0])


def test_a_narrow_range_in_sixteen_bits_is_shown_with_contrast(shared_data: Path) -> None:
    with images.open(shared_data / "odd" / "grey16.png") as source:
        shown = to_display(source.read(), *images.default_window(source))
    assert shown.min() == 0
    assert shown.max() == 255
    assert 60 < shown.mean() < 200


@settings(max_examples=200, deadline=None)
@given(
    values=npst.arrays(np.uint8, st.integers(1, 400)),
    share=st.sampled_from([0.0, 0.5, 37.0, 50.0, 99.5, 99.9, 100.0]),
)
def test_percentiles_of_bytes_are_numpys(values: np.ndarray, share: float) -> None:
    assert percentile_of_bytes(values, share) == pytest.approx(np.percentile(values, share))


def test_a_dark_picture_is_stretched_only_on_request(tmp_path: Path) -> None:
    dark = np.random.default_rng(3).integers(0, 30, (50, 60)).astype(np.uint8)
    path = tmp_path / "dark.png"
    Image.fromarray(dark).save(path)
    source = images.open(path)
    assert images.default_window(source) == (0, 255)
    low, high = images.default_window(source, automatic_contrast=True)
    assert 0 <= low < high < 31
    assert source.read().max() < 30, "models see the file's values"
    bright = tmp_path / "bright.png"
    Image.fromarray(dark * 8).save(bright)
    assert images.default_window(images.open(bright), automatic_contrast=True) == (0, 255)


def test_a_few_bright_things_on_black_are_not_cut_and_noise_is_not_blown_up(tmp_path: Path) -> None:
    few = np.full((200, 200), 10, np.uint8)
    few[50:62, 50:62] = 80  # 0.36 % of the picture
    flat = np.random.default_rng(1).integers(3, 6, (200, 200)).astype(np.uint8)
    for pixels, expected in ((few, (10, 80)), (flat, (3, 19))):
        path = tmp_path / "one.png"
        Image.fromarray(pixels).save(path)
        assert images.default_window(images.open(path), automatic_contrast=True) == expected


def test_only_fluorescence_on_black_is_brightened(shared_data: Path) -> None:
    with (shared_data / "nuclei" / "index.csv").open(newline="") as file:
        kinds = {row["file"].split(".")[0]: row["kind"] for row in csv.DictReader(file)}
    changed: dict[str, int] = dict.fromkeys(kinds.values(), 0)
    for path in sorted((shared_data / "nuclei" / "images").iterdir()):
        with images.open(path) as source:
            window = images.default_window(source, automatic_contrast=True)
            changed[kinds[path.stem]] += window != (0, 255)
    assert changed == {"grey_dark": 146, "colour_bright": 0, "grey_bright": 0}
    for folder in ("camvid/val/images", "chase_retina/images"):
        for path in sorted((shared_data / folder).iterdir())[::5]:
            with images.open(path) as source:
                assert images.default_window(source, automatic_contrast=True) == (0, 255)


def test_the_files_own_window_goes_before_percentiles(shared_data: Path) -> None:
    with images.open(shared_data / "ct_dicom") as source:
        assert images.default_window(source, 3) == (40 - 175, 40 + 175)
        assert [preset[1:] for preset in source.presets] == [(40, 350), (-600, 1200)]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_window_has_two_ends_in_order(centre: float, width: float) -> None:
    low, high = window_bounds(centre, width)
    assert low < high
    assert (low + high) / 2 == pytest.approx(centre, abs=1e-6)
