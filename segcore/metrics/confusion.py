"""The confusion matrix: how many pixels of each true class were given to which class.

All scores are made of this one matrix of whole numbers. Matrices of parts add up to the matrix of
the whole, so the score of a data set is exact, and a score follows a stroke by the difference of
the tiles that changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import SizeMismatch

# Pixels counted at once: the index of a piece stays in the processor's cache.
_PIECE = 1 << 15
# Values up to here are looked up in a table; beyond them the table would cost more than it saves.
_TABLE_LIMIT = 1 << 20


def confusion_matrix(
    truth: NDArray[Any],
    prediction: NDArray[Any],
    classes: int | Sequence[int],
    ignore_index: int | None = None,
) -> NDArray[np.int64]:
    """Count the pixels of each true class by the class that they were given.

    Parameters
    ----------
    truth, prediction : whole numbers of any integer dtype (or bool), of one shape with any
        number of axes.
    classes : the number n of classes, whose values are 0 to n - 1, or the n values in the order
        of the rows.
    ignore_index : pixels with this value in `truth` are left out, also where it is a class.

    Returns
    -------
    (n, n + 1) int64. Row: the true class. Column: the class in `prediction`; the last column
    counts what has a class in truth and none in the prediction (a miss). Pixels whose truth is in
    no class are left out.

    Raises
    ------
    SizeMismatch : the two have different shapes.
    TypeError : they do not hold whole numbers.
    ValueError : a class is named twice.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise SizeMismatch(
            f"Truth is {_size_text(truth)}, the prediction {_size_text(prediction)}.",
            "Compare masks of one and the same image.",
        )
    values = list(range(classes)) if isinstance(classes, int) else [int(c) for c in classes]
    if len(set(values)) != len(values):
        raise ValueError(f"a class is named twice in {values}")
    n = len(values)
    rows = _Lookup(values, none=n, leave_out=ignore_index)
    columns = _Lookup(values, none=n, leave_out=None)
    truth, prediction = truth.reshape(-1), prediction.reshape(-1)
    # One row more than asked for takes the pixels that are left out, so nothing is filtered.
    totals = np.zeros((n + 1) * (n + 1), np.int64)
    row_table = rows.table(truth, stride=n + 1)
    column_table = columns.table(prediction, stride=1)
    for start in range(0, truth.size, _PIECE):
        index = rows.find(truth[start : start + _PIECE], row_table, n + 1)
        index += columns.find(prediction[start : start + _PIECE], column_table, 1)
        totals += np.bincount(index, minlength=totals.size)
    return totals.reshape(n + 1, n + 1)[:n]


class _Lookup:
    """From a pixel's value to the place of its class, `none` for every other value."""

    def __init__(self, values: list[int], none: int, leave_out: int | None) -> None:
        self._places = {value: place for place, value in enumerate(values) if value != leave_out}
        self._none = none

    def table(self, pixels: NDArray[Any], stride: int) -> NDArray[np.intp] | None:
        """Table of place * stride for each value that `pixels` can have, or None."""
        if pixels.dtype == np.bool_:
            top = 1
        elif not np.issubdtype(pixels.dtype, np.integer):
            raise TypeError(f"whole numbers are needed, not {pixels.dtype}")
        elif pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
            top = int(np.iinfo(pixels.dtype).max)
        else:
            if pixels.size and int(pixels.min()) < 0:
                return None
            top = int(pixels.max()) if pixels.size else 0
            if top > _TABLE_LIMIT:
                return None
        table = np.full(top + 1, self._none * stride, np.intp)
        for value, place in self._places.items():
            if 0 <= value <= top:
                table[value] = place * stride
        return table

    def find(
        self, piece: NDArray[Any], table: NDArray[np.intp] | None, stride: int
    ) -> NDArray[np.intp]:
        """place * stride of each pixel, a new array."""
        if table is not None:
            if piece.dtype == np.bool_:
                piece = piece.view(np.uint8)
            return np.take(table, piece)
        found = np.full(piece.shape, self._none * stride, np.intp)
        for value, place in self._places.items():
            found[piece == value] = place * stride
        return found


class ConfusionAccumulator:
    """A confusion matrix that grows image by image and follows changes of their parts.

    Parameters
    ----------
    classes, ignore_index : as for `confusion_matrix`.
    matrix : counts to start from, (n, n + 1); they are copied.
    """

    def __init__(
        self,
        classes: int | Sequence[int],
        ignore_index: int | None = None,
        matrix: NDArray[np.int64] | None = None,
    ) -> None:
        self._classes = classes if isinstance(classes, int) else tuple(classes)
        self._ignore_index = ignore_index
        n = self._classes if isinstance(self._classes, int) else len(self._classes)
        self._matrix = np.zeros((n, n + 1), np.int64)
        if matrix is not None:
            if matrix.shape != self._matrix.shape:
                raise ValueError(f"counts {matrix.shape} for {n} classes")
            self._matrix += matrix

    @property
    def matrix(self) -> NDArray[np.int64]:
        """The counts so far, (n, n + 1) int64; a copy."""
        return self._matrix.copy()

    def add(self, truth: NDArray[Any], prediction: NDArray[Any]) -> None:
        """Count an image or a part of one."""
        self._matrix += self._count(truth, prediction)

    def replace(self, truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any]) -> None:
        """A part that was counted as `before` has become `after`; all three of one shape."""
        self._matrix += self._count(truth, after) - self._count(truth, before)

    def _count(self, truth: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.int64]:
        return confusion_matrix(truth, prediction, self._classes, self._ignore_index)


def _size_text(array: NDArray[Any]) -> str:
    return " x ".join(str(length) for length in reversed(array.shape)) + " pixels"
