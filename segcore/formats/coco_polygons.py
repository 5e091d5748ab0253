"""Polygons as COCO fills them, pixel for pixel.

Which pixels a polygon of COCO covers is decided by the COCO API (maskApi.c, `rleFrPoly`): an area
or a score computed from another filling would differ along every edge. Corners are put on a grid
five times as fine; the edges are walked there, and where an edge crosses the middle of a column of
pixels, everything below it in that column changes sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FINE = 5.0


def polygons_mask(
    polygons: Sequence[Sequence[float]], height: int, width: int
) -> NDArray[np.bool_]:
    """The pixels (height, width) that lie in one of the polygons.

    Parameters
    ----------
    polygons : each x, y, x, y ... in pixels, closed by itself; at least three corners.
    """
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        _fill(mask, np.asarray(polygon, np.float64).reshape(-1, 2))
    return mask


def _fill(mask: NDArray[np.bool_], corners: NDArray[np.float64]) -> None:
    """Add the pixels of one polygon."""
    height, width = mask.shape
    x, y = np.trunc(_FINE * corners.T + 0.5).astype(np.int64)
    u, v = _walk(x, y)
    step = np.flatnonzero(u[1:] != u[:-1])
    # Where the walk goes to another fine column: the border between both, in pixels.
    column = np.where(u[step + 1] < u[step], u[step + 1], u[step + 1] - 1)
    column = (column + 0.5) / _FINE - 0.5
    row = np.minimum(v[step + 1], v[step])
    row = np.ceil(np.clip((row + 0.5) / _FINE - 0.5, 0, height))
    middle = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    if not middle.any():
        return
    # Pixels are counted down the columns; each crossing changes the side of all that follow.
    places = column[middle].astype(np.int64) * height + row[middle].astype(np.int64)
    first = int(places.min()) // height
    # Behind the last crossing everything is outside, unless their number is odd.
    end = width if places.size % 2 else min(width, int(places.max()) // height + 1)
    changes = np.bincount(places - first * height, minlength=(end - first) * height + 1)
    inside = np.cumsum(changes[: (end - first) * height]) % 2 == 1
    mask[:, first:end] |= inside.reshape(end - first, height).T


def _walk(x: NDArray[np.int64], y: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """The fine points along all edges, column and row: one for each step of an edge's longer
    side, both ends included."""
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    dx, dy = np.abs(x1 - x), np.abs(y1 - y)
    wide = dx >= dy
    # Computed from the lower end always, so that an edge is the same in both directions.
    back = np.where(wide, x > x1, y > y1)
    x, x1 = np.where(back, x1, x), np.where(back, x, x1)
    y, y1 = np.where(back, y1, y), np.where(back, y, y1)
    longer = np.maximum(dx, dy)
    slope = np.where(wide, y1 - y, x1 - x) / np.maximum(longer, 1)
    edge = np.repeat(np.arange(longer.size), longer + 1)
    step = np.arange(edge.size) - np.repeat(np.cumsum(longer + 1) - longer - 1, longer + 1)
    step = np.where(back[edge], longer[edge] - step, step)
    aside = slope[edge] * step
    straight = wide[edge]
    u = np.where(straight, x[edge] + step, np.trunc(x[edge] + aside + 0.5))
    v = np.where(straight, np.trunc(y[edge] + aside + 0.5), y[edge] + step)
    return u.astype(np.int64), v.astype(np.int64)
