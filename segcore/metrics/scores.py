"""Scores out of a confusion matrix. Undefined is NaN, never 0 and never 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def iou(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class.

    Parameters
    ----------
    matrix : (n, n + 1) of `confusion_matrix`.

    Returns
    -------
    (n,) float64 from 0 to 1; NaN where a class is in neither truth nor prediction.

    Notes
    -----
    Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x. Pixels without a class in the
    prediction are in a class's truth and so in the union: erasing never raises a score.
    """
    hit = _hits(matrix)
    return _ratio(hit, truth_pixels(matrix) + predicted_pixels(matrix) - hit)


def dice(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Dice coefficient of each class: twice the intersection over the sum of both sizes.

    Parameters and result as for `iou`. Dice 1945, doi:10.2307/1932409.
    """
    return _ratio(2 * _hits(matrix), truth_pixels(matrix) + predicted_pixels(matrix))


def pixel_accuracy(matrix: NDArray[np.int64]) -> float:
    """Share of the counted pixels that have their true class; NaN if none was counted."""
    total = int(np.asarray(matrix).sum())
    return int(_hits(matrix).sum()) / total if total else float("nan")


def mean(values: NDArray[Any]) -> tuple[float, int]:
    """Mean of what is defined, and of how many: NaN and 0 if nothing is."""
    values = np.asarray(values, np.float64)
    defined = values[~np.isnan(values)]
    return (float(defined.mean()) if defined.size else float("nan")), int(defined.size)


def truth_pixels(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of each class in truth, (n,) int64."""
    return np.asarray(_checked(matrix).sum(axis=1), np.int64)


def predicted_pixels(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of each class in the prediction where truth counts, (n,) int64."""
    return np.asarray(_checked(matrix)[:, :-1].sum(axis=0), np.int64)


def _hits(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.diagonal(_checked(matrix)).astype(np.int64)


def _checked(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[1] != matrix.shape[0] + 1:
        raise ValueError(f"a confusion matrix is (n, n + 1), not {matrix.shape}")
    return matrix


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.full(part.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
