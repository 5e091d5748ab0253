"""Rescaled values against exact arithmetic, whatever the type."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore.images.rescale import plan

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32]


@given(
    data=st.data(),
    dtype=st.sampled_from(INTEGERS),
    slope=st.integers(-50, 50).filter(bool),
    intercept=st.integers(-70_000, 70_000),
)
def test_whole_slopes_are_exact_in_integers_or_in_float64(
    data: st.DataObject, dtype: type, slope: int, intercept: int
) -> None:
    info = np.iinfo(dtype)
    stored = np.array(data.draw(st.lists(st.integers(info.min, info.max), min_size=1)), dtype)
    rescale = plan(stored.dtype, slope, intercept)
    values = rescale.apply(stored)
    expected = [int(v) * slope + intercept for v in stored]
    if values.dtype == np.float32:
        assert values.tolist() == pytest.approx(expected, rel=1e-6)
    else:
        assert values.tolist() == expected


@given(
    data=st.data(),
    bits=st.integers(1, 16),
    signed=st.booleans(),
    slope=st.floats(1e-3, 1e3),
    intercept=st.floats(-1e4, 1e4),
)
def test_other_slopes_are_within_float32(
    data: st.DataObject, bits: int, signed: bool, slope: float, intercept: float
) -> None:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    value = data.draw(st.integers(low, high))
    stored = np.array([value], np.int16 if signed else np.uint16)
    rescaled = plan(stored.dtype, slope, intercept, bits).apply(stored)
    exact = Fraction(value) * Fraction(slope) + Fraction(intercept)
    scale = abs(value) * slope + abs(intercept)
    assert abs(float(rescaled[0]) - float(exact)) <= 1e-6 * max(scale, 1e-3)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "bits", "expected"),
    [
        (np.uint16, 1, -1024, 12, np.int16),  # a CT as scanners store it
        (np.int16, 1, -1024, 16, np.int32),
        (np.uint16, 1, -1024, 16, np.int32),
        (np.uint8, 256, 0, None, np.uint16),
        (np.int16, 0.5, 0, 16, np.float32),
        (np.int32, 0.5, 0, None, np.float64),
        (np.float32, 2.5, 1, None, np.float32),
        (np.uint8, 1, 0, None, np.uint8),
        (np.uint8, np.nan, 0, None, np.uint8),
    ],
)
def test_the_type_is_the_smallest_that_keeps_every_value(
    stored: type, slope: float, intercept: float, bits: int | None, expected: type
) -> None:
    assert plan(np.dtype(stored), slope, intercept, bits).dtype == expected


def test_the_byte_order_of_the_machine_comes_out() -> None:
    stored = np.array([1, 258, -3], ">i2")
    for slope in (1, 2, 0.5):
        values = plan(stored.dtype, slope, 0).apply(stored)
        assert values.dtype.isnative
        assert values.tolist() == [slope * v for v in (1, 258, -3)]
