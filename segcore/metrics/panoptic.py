"""Panoptic quality: how many segments are found, and how well they fit.

Source: Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4, doi:10.1109/CVPR.2019.00963;
crowd and void as in the protocol of the COCO panoptic challenge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from segcore.base.dataclass import dataclass
from segcore.metrics.overlaps import Overlaps, class_of


@dataclass(frozen=True, eq=False)
class PanopticQuality:
    """Panoptic quality of each class; NaN where a class is in neither truth nor prediction.

    Parameters
    ----------
    pq : (n,) float64, recognition times segmentation quality: 0 to 1.
    sq : (n,) float64, mean IoU of the matched segments; 0 where nothing matched, as the protocol
        has it for its means.
    rq : (n,) float64, share of matched segments (F1).
    matched, missed, invented : (n,) int64, true positives, false negatives, false positives.
    """

    pq: NDArray[np.float64]
    sq: NDArray[np.float64]
    rq: NDArray[np.float64]
    matched: NDArray[np.int64]
    missed: NDArray[np.int64]
    invented: NDArray[np.int64]


class PanopticAccumulator:
    """Panoptic quality of a data set, image by image; it keeps four numbers a class."""

    def __init__(self) -> None:
        self._totals: dict[int, list[float]] = {}

    def add(self, overlaps: Overlaps, crowd: Collection[int] = ()) -> None:
        """Count an image.

        Parameters
        ----------
        overlaps : of segments that do not overlap each other.
        crowd : keys of true segments that are several objects nobody told apart. They match
            nothing and are not missed.

        Notes
        -----
        A pair matches if it has one class and its IoU is above 0.5, where what the predicted
        segment has in void is no part of the union. A predicted segment that matches nothing is
        no false positive if more than half of it is in void and in crowds of its class.
        """
        o = overlaps
        is_crowd = np.isin(o.truth, np.array(sorted(crowd), np.int64))
        true_class, given_class = class_of(o.truth), class_of(o.prediction)
        same = true_class[o.rows] == given_class[o.columns]

        rows, columns = o.rows[same], o.columns[same]
        shared = o.pixels[same]
        of_crowd = is_crowd[rows]
        union = o.truth_area[rows] + o.prediction_area[columns] - shared - o.void[columns]
        iou = shared / np.maximum(union, 1)
        hit = (iou > 0.5) & ~of_crowd

        # Above one half, a segment has one partner at most.
        found, used = np.zeros(o.truth.size, bool), np.zeros(o.prediction.size, bool)
        found[rows[hit]] = True
        used[columns[hit]] = True
        excused = o.void.copy()
        np.add.at(excused, columns[of_crowd], shared[of_crowd])
        invented = ~used & ~(excused / np.maximum(o.prediction_area, 1) > 0.5)

        for c, value in zip(true_class[rows[hit]].tolist(), iou[hit].tolist(), strict=True):
            total = self._total(c)
            total[0] += value
            total[1] += 1
        for c in true_class[~found & ~is_crowd].tolist():
            self._total(c)[2] += 1
        for c in given_class[invented].tolist():
            self._total(c)[3] += 1

    def _total(self, c: int) -> list[float]:
        return self._totals.setdefault(c, [0.0, 0, 0, 0])

    def quality(self, classes: Sequence[int]) -> PanopticQuality:
        """The quality of what was added, in the order of `classes`."""
        nothing = [0.0, 0, 0, 0]
        table = np.array([self._totals.get(int(c), nothing) for c in classes], np.float64)
        iou, matched, missed, invented = table.reshape(-1, 4).T
        weight = matched + 0.5 * missed + 0.5 * invented
        pq, sq, rq = (np.full(iou.shape, np.nan) for _ in range(3))
        seen = weight > 0
        np.divide(iou, weight, out=pq, where=seen)
        np.divide(iou, np.maximum(matched, 1), out=sq, where=seen)
        np.divide(matched, weight, out=rq, where=seen)
        counts = (matched, missed, invented)
        return PanopticQuality(pq, sq, rq, *(n.astype(np.int64) for n in counts))
