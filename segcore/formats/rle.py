"""Run lengths as the COCO data set has them, made for all objects of a picture in one pass.

Pixels are counted down the columns; counts alternate between outside and inside and begin with
outside. The string form is that of the COCO API (maskApi.c): from the fourth count on the
difference to the one before last, in groups of five bits, with the sign carried by the last group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Runs:
    """The pixels of one key.

    Parameters
    ----------
    starts, ends : (n,) int64, half-open runs of pixel numbers (column * height + row), growing.
    height, width : of the picture.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int((self.ends - self.starts).sum())

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """x, y, width and height of the smallest box."""
        first_column, last_column = self.starts // self.height, (self.ends - 1) // self.height
        top, bottom = self.starts % self.height, (self.ends - 1) % self.height
        # A run over the foot of a column holds the last row, and goes on with the first.
        wraps = first_column != last_column
        y0 = 0 if wraps.any() else int(top.min())
        y1 = self.height - 1 if wraps.any() else int(bottom.max())
        x0, x1 = int(first_column[0]), int(last_column[-1])
        return x0, y0, x1 - x0 + 1, y1 - y0 + 1

    def counts(self) -> NDArray[np.int64]:
        """Lengths of the runs outside and inside in turn, beginning outside."""
        borders = np.stack([self.starts, self.ends], axis=1).reshape(-1)
        lengths = np.diff(borders, prepend=0)
        rest = self.height * self.width - int(self.ends[-1])
        return np.append(lengths, rest) if rest else lengths


def runs_by_key(bands: Iterable[NDArray[Any]], height: int, width: int) -> dict[int, Runs]:
    """The runs of every number in a picture.

    Parameters
    ----------
    bands : the picture from left to right, each (height, some columns) of whole numbers.

    Returns
    -------
    number -> its runs, by growing number.
    """
    keys: list[NDArray[np.int64]] = []
    starts: list[NDArray[np.int64]] = []
    offset = 0
    for band in bands:
        flat = band.T.reshape(-1).astype(np.int64)
        change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        first = np.concatenate([[0], change])
        keys.append(flat[first])
        starts.append(first + offset)
        offset += flat.size
    if offset != height * width:
        raise ValueError(f"{offset} pixels for a picture of {width} x {height}")
    if not offset:
        return {}
    key, start = np.concatenate(keys), np.concatenate(starts)
    # Where two bands meet, a run may go on.
    fresh = np.concatenate([[True], key[1:] != key[:-1]])
    key, start = key[fresh], start[fresh]
    end = np.append(start[1:], offset)
    order = np.argsort(key, kind="stable")
    key, start, end = key[order], start[order], end[order]
    found, places = np.unique(key, return_index=True)
    borders = [*places.tolist(), len(key)]
    return {
        number: Runs(start[a:b], end[a:b], height, width)
        for number, a, b in zip(found.tolist(), borders[:-1], borders[1:], strict=True)
    }


def compress(counts: NDArray[np.int64]) -> str:
    """Counts as the COCO API's string."""
    values = counts.astype(np.int64)
    values[3:] -= counts[1:-2]
    groups: list[NDArray[np.uint8]] = []
    going: list[NDArray[np.bool_]] = []
    needed = np.ones(values.shape, bool)
    while needed.any():
        five = values & 31
        values = values >> 5
        more = np.where(five & 16, values != -1, values != 0)
        groups.append(((five | np.where(more, 32, 0)) + 48).astype(np.uint8))
        going.append(needed)
        needed = needed & more
    # (number of counts, groups of each), read row by row without the places that are not needed.
    written = np.stack(groups, axis=1)[np.stack(going, axis=1)] if groups else np.zeros(0, np.uint8)
    return written.tobytes().decode("ascii")
