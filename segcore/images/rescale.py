"""Stored numbers to values by slope and intercept, in the smallest type that keeps them all.

DICOM (Rescale Slope, Rescale Intercept) and NIfTI (scl_slope, scl_inter) say the same thing. Their
libraries answer with float64; a CT would be shown and kept in four times the bytes that it needs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rescale(NamedTuple):
    """value = stored * slope + intercept, as `dtype`."""

    slope: float
    intercept: float
    dtype: np.dtype[Any]

    @property
    def is_identity(self) -> bool:
        return self.slope == 1 and self.intercept == 0

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Values of an array of stored numbers, any shape, in native byte order."""
        if self.is_identity:
            return stored.astype(self.dtype, copy=False)
        if self.dtype.kind in "iu":
            # Exact in integers; int64 holds every intermediate of `plan`.
            values: NDArray[Any] = stored.astype(np.int64)
            values *= int(self.slope)
            values += int(self.intercept)
            return values.astype(self.dtype)
        exact: NDArray[Any] = stored.astype(np.float64)
        exact *= self.slope
        exact += self.intercept
        return exact.astype(self.dtype, copy=False)


def plan(stored: np.dtype[Any], slope: float, intercept: float, bits: int | None = None) -> Rescale:
    """How to rescale numbers of a type, and into which type.

    Whole slope and intercept keep integers integer (int16 where it suffices, then uint16, int32);
    others give float32 for numbers of up to 16 bits, which it holds exactly enough, else float64.
    Floats stay what they are.

    Parameters
    ----------
    stored : type of the stored numbers.
    slope, intercept : a slope of 0, or one that is not finite, means "none" (NIfTI-1 standard).
    bits : how many bits of `stored` are used; None is all.
    """
    native = stored.newbyteorder("=")
    if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
        slope, intercept = 1.0, 0.0
    if slope == 1 and intercept == 0:
        return Rescale(1.0, 0.0, native)
    if native.kind == "f":
        return Rescale(slope, intercept, native)
    low, high = _range(native, bits)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    if float(slope).is_integer() and float(intercept).is_integer():
        for kind in (np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= ends[0] and ends[1] <= np.iinfo(kind).max:
                return Rescale(slope, intercept, np.dtype(kind))
    used = native.itemsize * 8 if bits is None else bits
    return Rescale(slope, intercept, np.dtype(np.float32 if used <= 16 else np.float64))


def _range(dtype: np.dtype[Any], bits: int | None) -> tuple[int, int]:
    used = dtype.itemsize * 8 if bits is None else min(bits, dtype.itemsize * 8)
    if dtype.kind == "i":
        return -(1 << used - 1), (1 << used - 1) - 1
    return 0, (1 << used) - 1
