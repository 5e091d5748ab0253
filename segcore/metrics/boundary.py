"""Boundary IoU: how well the edges of classes fit, where plain IoU sees the inside only.

Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
CVPR 2021, equation 1, doi:10.1109/CVPR46437.2021.01508.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import SizeMismatch

DISTANCE = 0.02
"""Width of the boundary as a share of the picture's diagonal, the paper's for COCO."""


class BoundaryAccumulator:
    """Boundary IoU of each class over a data set, image by image.

    Parameters
    ----------
    classes : their values; other values in the truth are left out.
    distance : width of the boundary, a share of the diagonal; at least one pixel.
    """

    def __init__(self, classes: Sequence[int], distance: float = DISTANCE) -> None:
        self._classes = np.array([int(c) for c in classes], np.int64)
        self._distance = distance
        self._shared = np.zeros(len(self._classes), np.int64)
        self._either = np.zeros(len(self._classes), np.int64)

    def add(self, truth: NDArray[Any], prediction: NDArray[Any]) -> None:
        """Count a picture or a slice; both (y, x) of whole numbers.

        Pixels whose truth is in no class are taken out of both, which therefore have an edge there.

        Raises
        ------
        SizeMismatch : the two have different sizes.
        """
        if truth.shape != prediction.shape or truth.ndim != 2:
            raise SizeMismatch(
                f"Truth is {truth.shape}, the prediction {prediction.shape}.",
                "Compare masks of one and the same picture.",
            )
        counts = np.isin(truth, self._classes)
        # One below every class is what is left out; classes become their places.
        true = self._places(truth, counts)
        given = self._places(prediction, counts)
        width = max(1, round(self._distance * float(np.hypot(*truth.shape))))
        n = len(self._classes)
        edge_true, edge_given = _boundary(true, width), _boundary(given, width)
        both = edge_true & edge_given & (true == given)
        shared = np.bincount(true[both] + 1, minlength=n + 1)[1:]
        self._shared += shared
        self._either += np.bincount(true[edge_true] + 1, minlength=n + 1)[1:]
        self._either += np.bincount(given[edge_given] + 1, minlength=n + 1)[1:]
        self._either -= shared

    def _places(self, values: NDArray[Any], counts: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Place of each pixel's class, -1 for none."""
        order = np.argsort(self._classes, kind="stable")
        at = np.searchsorted(self._classes[order], values)
        place = order[np.minimum(at, len(order) - 1)] if len(order) else np.zeros_like(at)
        known = counts & np.isin(values, self._classes)
        return np.where(known, place, -1).astype(np.int32)

    def iou(self) -> NDArray[np.float64]:
        """(n,) float64 from 0 to 1; NaN where a class is in neither."""
        result = np.full(self._shared.shape, np.nan)
        np.divide(self._shared, self._either, out=result, where=self._either > 0)
        return result


def _boundary(places: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Pixels within `width` (chessboard distance) of another class or of the picture's end.

    That is what erosion of each class's mask takes away, for all classes at once.
    """
    from scipy import ndimage

    size = 2 * width + 1
    # Beyond the picture there is no class: a value that no place has.
    low = ndimage.minimum_filter(places, size, mode="constant", cval=-2)
    high = ndimage.maximum_filter(places, size, mode="constant", cval=-2)
    edge: NDArray[np.bool_] = low != high
    return edge
