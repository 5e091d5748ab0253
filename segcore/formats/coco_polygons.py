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
        mask |= _filled(np.asarray(polygon, np.float64).reshape(-1, 2), height, width)
    return mask


def _filled(corners: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    x, y = np.trunc(_FINE * corners.T + 0.5).astype(np.int64)
    walked = [
        _edge(x[i], y[i], x[j], y[j])
        for i, j in zip(range(len(x)), [*range(1, len(x)), 0], strict=True)
    ]
    u, v = np.concatenate(walked, axis=1)
    step = np.flatnonzero(u[1:] != u[:-1])
    # Where the walk goes to another fine column: the border between both, in pixels.
    column = np.where(u[step + 1] < u[step], u[step + 1], u[step + 1] - 1)
    column = (column + 0.5) / _FINE - 0.5
    row = np.minimum(v[step + 1], v[step])
    row = np.ceil(np.clip((row + 0.5) / _FINE - 0.5, 0, height))
    middle = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    places = column[middle].astype(np.int64) * height + row[middle].astype(np.int64)
    # Pixels are counted down the columns; each crossing changes the side of all that follow.
    changes = np.bincount(places, minlength=height * width + 1)[: height * width]
    inside: NDArray[np.bool_] = np.cumsum(changes) % 2 == 1
    return inside.reshape(width, height).T


def _edge(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.int64]:
    """The fine points from one corner to the next, (2, n): one for each step of the longer side."""
    dx, dy = abs(int(x1) - int(x0)), abs(int(y1) - int(y0))
    wide = dx >= dy
    # Walked from the lower end always, so that an edge is the same in both directions.
    back = x0 > x1 if wide else y0 > y1
    if back:
        x0, y0, x1, y1 = x1, y1, x0, y0
    steps = np.arange(max(dx, dy) + 1)
    if wide:
        slope = (y1 - y0) / dx if dx else 0.0
        points = np.stack([x0 + steps, np.trunc(y0 + slope * steps + 0.5).astype(np.int64)])
    else:
        slope = (x1 - x0) / dy
        points = np.stack([np.trunc(x0 + slope * steps + 0.5).astype(np.int64), y0 + steps])
    return points[:, ::-1] if back else points
