"""From values to what a screen shows: the window that fits, and the mapping to 8 bits.

Window and level are a view setting; nothing here changes what a model or a score sees.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.images.source import ImageSource

# Percentiles between which contrast is stretched. A hundredth at either end is given up to
# noise, hot pixels and the padding of scanners; less keeps single outliers that darken the rest.
_PERCENTILES = (0.5, 99.5)
_SAMPLES = 1 << 18
# An 8-bit picture whose brightest half percent is below this is shown stretched, if the caller
# wishes. Of 728 pictures at hand (street scenes, retinas, stained tissue, photographs) only
# fluorescence on black stays below 206; three of four of those are below 128.
_VERY_DARK = 128
# Where bright things are few (one nucleus on black) half a percent is most of them.
_DARK_TOP_PERCENTILE = 99.9
# A ground of noise that is stretched further looks like something.
_LEAST_DARK_WIDTH = 16.0


def default_window(
    source: ImageSource, z: int = 0, *, automatic_contrast: bool = False
) -> tuple[float, float]:
    """The window (low, high) that shows a slice well before anybody has chosen one.

    The file's own first preset where there is one; (0, 255) for 8-bit pictures; else robust
    percentiles over the finite values, of a sample of the slice where it is large.

    Parameters
    ----------
    source : the open image.
    z : slice to look at.
    automatic_contrast : stretch also 8-bit pictures that are very dark (their percentile 99.5 is
        below half of the range), for looking at; off where the values are worked with.

    Returns
    -------
    low, high : values shown black and white; low < high always.
    """
    if source.presets:
        _, centre, width = source.presets[0]
        return window_bounds(centre, width)
    if source.dtype == np.uint8:
        if not automatic_contrast:
            return 0.0, 255.0
        return _dark_window(sample(source, z))
    return robust_range(sample(source, z))


def _dark_window(values: NDArray[Any]) -> tuple[float, float]:
    """The window of 8-bit values: stretched where they are very dark, else all of it."""
    if values.size == 0:
        return 0.0, 255.0
    low, bright, top = (
        percentile_of_bytes(values, share) for share in (*_PERCENTILES, _DARK_TOP_PERCENTILE)
    )
    if bright >= _VERY_DARK:
        return 0.0, 255.0
    return low, min(255.0, max(top, low + _LEAST_DARK_WIDTH))


def percentile_of_bytes(values: NDArray[np.uint8], share: float) -> float:
    """As `numpy.percentile` of 8-bit values, from their counts: without a sort, and without
    `numpy.ma`, which that imports (37 ms before the first picture)."""
    counted = np.cumsum(np.bincount(values, minlength=256))
    place = (values.size - 1) * share / 100
    low, high = np.searchsorted(counted, (np.floor(place), np.ceil(place)), side="right")
    return float(low + (high - low) * (place % 1))


def full_window(source: ImageSource) -> tuple[float, float]:
    """The window (low, high) that can be said without a pixel: a preset, or all that fits."""
    if source.presets:
        _, centre, width = source.presets[0]
        return window_bounds(centre, width)
    if source.dtype.kind in "iu":
        bounds = np.iinfo(source.dtype)
        return float(bounds.min), float(bounds.max)
    return 0.0, 1.0


def window_bounds(centre: float, width: float) -> tuple[float, float]:
    """(low, high) of a window given by centre and width."""
    half = max(abs(width), 1e-6) / 2
    return float(centre - half), float(centre + half)


def robust_range(values: NDArray[Any]) -> tuple[float, float]:
    """Percentiles 0.5 and 99.5 of the finite values; the full range where they coincide.

    Parameters
    ----------
    values : any shape, any real dtype.

    Returns
    -------
    low, high : low < high also for a constant array (value, value + 1) and an empty one (0, 1).
    """
    flat = values.reshape(-1)
    if np.issubdtype(flat.dtype, np.floating):
        flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(flat.astype(np.float64), _PERCENTILES))
    if high <= low:
        # A small bright thing on an even ground (a mask, a marker) is below half a percent.
        low, high = float(flat.min()), float(flat.max())
    if high <= low:
        high = low + max(1.0, abs(low) * 1e-6)
    return low, high


def to_display(
    pixels: NDArray[Any], low: float, high: float, invert: bool = False
) -> NDArray[np.uint8]:
    """Values through a window to what Qt can show.

    ``round((value - low) / (high - low) * 255)`` cut to 0 .. 255. What is not finite is 0, also
    when inverted.

    Parameters
    ----------
    pixels : (h, w) or (h, w, c), any real dtype. One channel is shown grey; of two the first;
        of more the first three as red, green, blue.
    low, high : window; where high <= low, values above `low` are white, the others black.
    invert : small values bright, as DICOM's MONOCHROME1 (``source.invert``) wants.

    Returns
    -------
    (h, w, 3) uint8, contiguous, red, green, blue.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
    if shown.dtype == np.bool_:
        shown = shown.astype(np.uint8)
    if shown.dtype == np.uint8 and (low, high) == (0.0, 255.0):
        mapped = 255 - shown if invert else shown
    elif shown.dtype.kind in "iu" and shown.dtype.itemsize <= 2:
        mapped = _through_table(shown, low, high, invert)
    else:
        mapped = _through_formula(shown, low, high, invert)
    if mapped.shape[2] == 1:
        if mapped.size == 0:
            return np.empty((*mapped.shape[:2], 3), np.uint8)
        grey = np.ascontiguousarray(mapped[..., 0])
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.ascontiguousarray(mapped, np.uint8)


def _through_table(
    values: NDArray[Any], low: float, high: float, invert: bool
) -> NDArray[np.uint8]:
    """Integers of up to 16 bits: one look-up a pixel instead of a division."""
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    table = _table(values.dtype, low, high, invert)
    index = np.ascontiguousarray(values).view(unsigned)
    if unsigned == np.uint8 and index.size:
        return np.asarray(cv2.LUT(index, table), np.uint8).reshape(index.shape)
    shown: NDArray[np.uint8] = table[index]
    return shown


@functools.lru_cache(maxsize=16)
def _table(dtype: np.dtype[Any], low: float, high: float, invert: bool) -> NDArray[np.uint8]:
    """The shown value of every value; kept, because a view asks for many tiles in one window."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    # Indexed by the bit pattern, so that signed values need no shift by their minimum.
    every = np.arange(1 << 8 * dtype.itemsize).astype(unsigned).view(dtype)
    table = _through_formula(every, low, high, invert)
    table.setflags(write=False)
    return table


def _through_formula(
    values: NDArray[Any], low: float, high: float, invert: bool
) -> NDArray[np.uint8]:
    # float32 cannot tell integers above 2**24 apart, nor the ends of a float64 range.
    wide = np.dtype(np.float32 if values.dtype in (np.float16, np.float32) else np.float64)
    exact: NDArray[Any] = values.astype(wide)
    scaled: NDArray[Any]
    if high > low:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (exact - wide.type(low)) * wide.type(255.0 / (high - low))
            np.clip(scaled, 0, 255, out=scaled)
            np.rint(scaled, out=scaled)
    else:
        scaled = np.where(exact > low, wide.type(255), wide.type(0))
    if invert:
        np.subtract(255, scaled, out=scaled)
    if values.dtype.kind == "f":
        scaled[~np.isfinite(exact)] = 0
    return scaled.astype(np.uint8)


def sample(source: ImageSource, z: int) -> NDArray[Any]:
    """Values of a slice, thinned to about a quarter million, from the smallest fitting level.

    Returns
    -------
    (n,) of the image's dtype, of all channels, in no order that means anything.
    """
    level = len(source.levels) - 1
    while level > 0 and (_area(source, level) < _SAMPLES // 4 or not source.is_ready(level, z)):
        level -= 1
    grid = source.levels[level].shape
    rect = Rect(0, 0, grid.y, grid.x)
    is_huge = grid.y * grid.x > 64 * _SAMPLES
    small = source.preview(z) if is_huge and not source.is_resident(level, z) else None
    if small is not None:
        values = small.reshape(-1)
    elif is_huge:
        # A huge plane without coarse levels: nine windows spread over it, not all its tiles.
        side = 512
        parts = [
            source.read(z, Rect(y, x, min(side, grid.y), min(side, grid.x)), level)
            for y in np.linspace(0, max(0, grid.y - side), 3).astype(int).tolist()
            for x in np.linspace(0, max(0, grid.x - side), 3).astype(int).tolist()
        ]
        values = np.concatenate([part.reshape(-1) for part in parts])
    else:
        values = source.read(z, rect, level).reshape(-1)
    step = max(1, values.size // _SAMPLES)
    if step > 1 and step % source.channels == 0:
        step += 1  # else only one channel would be looked at
    return values[::step]


def _area(source: ImageSource, level: int) -> int:
    grid = source.levels[level].shape
    return grid.y * grid.x
