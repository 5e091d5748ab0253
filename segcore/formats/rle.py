"""Run lengths as the COCO data set has them, made for all objects of a picture in one pass.

Pixels are counted down the columns; counts alternate between outside and inside and begin with
outside. The string form is that of the COCO API (maskApi.c): from the fourth count on the
difference to the one before last, in groups of five bits, with the sign carried by the last group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base.dataclass import dataclass


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


def joined(parts: Sequence[Runs]) -> Runs:
    """The pixels of several keys of one picture as one."""
    starts = np.concatenate([runs.starts for runs in parts])
    ends = np.concatenate([runs.ends for runs in parts])
    order = np.argsort(starts)
    starts, ends = starts[order], ends[order]
    apart = starts[1:] != ends[:-1]
    return Runs(
        starts[np.concatenate([[True], apart])],
        ends[np.concatenate([apart, [True]])],
        parts[0].height,
        parts[0].width,
    )


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


def decompress(text: str) -> NDArray[np.int64]:
    """Counts out of the COCO API's string.

    Raises
    ------
    ValueError : the string is no such thing, or ends too early.
    """
    data = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not data.size:
        return data
    if data.min() < 0 or data.max() > 63 or data[-1] & 32:
        raise ValueError("no compressed run lengths")
    ends = np.flatnonzero(~(data & 32).astype(bool))
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 12:
        raise ValueError("a count of more than 60 bits")
    place = np.arange(data.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((data & 31) << (5 * place), starts)
    # The last group of a negative number has its highest bit set.
    values -= np.where(data[ends] & 16, np.int64(1) << (5 * lengths), 0)
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return values


def mask_of(counts: NDArray[np.int64], height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) that run lengths stand for.

    Raises
    ------
    ValueError : they are not as many pixels as the picture has.
    """
    counts = np.asarray(counts, np.int64).reshape(-1)
    if (counts < 0).any() or int(counts.sum()) != height * width:
        raise ValueError(f"{int(counts.sum()):,} pixels for a picture of {width} x {height}")
    inside = np.arange(counts.size) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T
