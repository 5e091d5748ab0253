"""Average precision of objects by their masks, as COCO measures it.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, section 6, and the
evaluation of the COCO data set: ten IoU thresholds from 0.5 to 0.95, precision at 101 recalls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base.dataclass import dataclass
from segcore.metrics.overlaps import Overlaps, class_of

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
SIZES: dict[str, tuple[float, float]] = {
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
"""Ranges of an object's area in pixels, both ends included."""

# Stands for void among the rows of true objects.
_VOID = -1

_Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Average precision of each class, 0 to 1; NaN where the truth has no object of it.

    Parameters
    ----------
    ap : (n,) float64, mean over IoU thresholds 0.5, 0.55 ... 0.95.
    ap50, ap75 : (n,) at one threshold.
    small, medium, large : (n,), as `ap`, of objects up to 32^2, up to 96^2, and above.
    objects : (n,) int64, true objects that count (no crowds).
    """

    ap: NDArray[np.float64]
    ap50: NDArray[np.float64]
    ap75: NDArray[np.float64]
    small: NDArray[np.float64]
    medium: NDArray[np.float64]
    large: NDArray[np.float64]
    objects: NDArray[np.int64]


@dataclass
class _Range:
    """What was seen of one class in one range of sizes."""

    objects: int = 0
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    matched: list[_Flags] = field(default_factory=list)
    ignored: list[_Flags] = field(default_factory=list)


class PrecisionAccumulator:
    """Average precision of a data set, image by image; keeps some bytes for each detection.

    Parameters
    ----------
    max_detections : of a class in an image, those with the best scores; None for all.
    """

    def __init__(self, max_detections: int | None = 100) -> None:
        self._max = max_detections
        self._ranges: dict[tuple[int, str], _Range] = defaultdict(_Range)

    def add(
        self,
        overlaps: Overlaps,
        scores: Mapping[int, float] | None = None,
        crowd: Collection[int] = (),
        truth_area: Mapping[int, float] | None = None,
        *,
        void: bool = False,
    ) -> None:
        """Count an image.

        Parameters
        ----------
        overlaps : of objects only; they may overlap.
        scores : of predicted objects by their keys; 1 for what is not named. Among equal scores
            the lower key goes first.
        crowd : keys of true segments that are several objects: a detection that lies in one by
            its own area is neither right nor wrong, however many do.
        truth_area : areas by which true objects are put into a range of sizes; their pixels where
            not named (areas of an annotation can be those of its polygon).
        void : what the truth says nothing about is a crowd of every class. COCO knows no void:
            there, a detection beside all objects is wrong.
        """
        o = overlaps
        given = scores or {}
        score = np.array([given.get(int(key), 1.0) for key in o.prediction], np.float64)
        named = truth_area or {}
        sizes = np.array(
            [
                named.get(key, pixels)
                for key, pixels in zip(o.truth.tolist(), o.truth_area.tolist(), strict=True)
            ],
            np.float64,
        )
        is_crowd = np.isin(o.truth, np.array(sorted(crowd), np.int64))
        true_class, given_class = class_of(o.truth), class_of(o.prediction)

        # The IoU with a crowd is the share of the detection that lies in it.
        whole = o.prediction_area[o.columns].astype(np.float64)
        whole += np.where(is_crowd[o.rows], 0, o.truth_area[o.rows] - o.pixels)
        iou = o.pixels / np.maximum(whole, 1)
        close = (true_class[o.rows] == given_class[o.columns]) & (iou >= THRESHOLDS[0] - 1e-9)
        near: dict[int, dict[int, float]] = defaultdict(dict)
        for row, column, value in zip(
            o.rows[close].tolist(), o.columns[close].tolist(), iou[close].tolist(), strict=True
        ):
            near[column][row] = value
        if void:
            shares = o.void / np.maximum(o.prediction_area, 1)
            for column in np.flatnonzero(shares >= THRESHOLDS[0] - 1e-9).tolist():
                near[column][_VOID] = float(shares[column])

        for c in np.union1d(true_class, given_class).tolist():
            objects = np.flatnonzero(true_class == c)
            found = np.flatnonzero(given_class == c)
            found = found[np.argsort(-score[found], kind="stable")][: self._max]
            candidates = [near.get(column, {}) for column in found.tolist()]
            for name, (low, high) in SIZES.items():
                outside = (sizes[objects] < low) | (sizes[objects] > high)
                aside = outside | is_crowd[objects]
                # Objects that count are preferred to those that are set aside.
                order = np.argsort(aside, kind="stable")
                matched, ignored = _match(
                    objects[order].tolist(),
                    aside[order].tolist(),
                    is_crowd[objects[order]].tolist(),
                    candidates,
                )
                area = o.prediction_area[found]
                ignored |= ~matched & ((area < low) | (area > high))
                seen = self._ranges[c, name]
                seen.objects += int((~aside).sum())
                seen.scores.append(score[found])
                seen.matched.append(matched)
                seen.ignored.append(ignored)

    def precision(self, classes: Sequence[int]) -> AveragePrecision:
        """The precision of what was added, in the order of `classes`."""
        table = {
            name: np.array([self._of(int(c), name) for c in classes]).reshape(-1, len(THRESHOLDS))
            for name in SIZES
        }
        objects = [self._ranges[int(c), "all"].objects for c in classes]
        return AveragePrecision(
            table["all"].mean(axis=1),
            table["all"][:, 0],
            table["all"][:, 5],
            table["small"].mean(axis=1),
            table["medium"].mean(axis=1),
            table["large"].mean(axis=1),
            np.array(objects, np.int64),
        )

    def _of(self, c: int, name: str) -> NDArray[np.float64]:
        """Average precision at each threshold; NaN without objects."""
        seen = self._ranges[c, name]
        if not seen.objects:
            return np.full(len(THRESHOLDS), np.nan)
        order = np.argsort(-np.concatenate(seen.scores), kind="stable")
        matched = np.concatenate(seen.matched, axis=1)[:, order]
        ignored = np.concatenate(seen.ignored, axis=1)[:, order]
        right = np.cumsum(matched & ~ignored, axis=1, dtype=np.float64)
        wrong = np.cumsum(~matched & ~ignored, axis=1, dtype=np.float64)
        recall = right / seen.objects
        precision = right / (right + wrong + np.spacing(1))
        # Precision at a recall is the best at this recall or a higher one.
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        precision = np.pad(precision, ((0, 0), (0, 1)))
        return np.array(
            [
                best[np.searchsorted(reached, RECALLS, side="left")].mean()
                for best, reached in zip(precision, recall, strict=True)
            ]
        )


def _match(
    objects: list[int], aside: list[bool], crowd: list[bool], candidates: list[dict[int, float]]
) -> tuple[_Flags, _Flags]:
    """Give each detection, best score first, the free object that it fits best.

    Parameters
    ----------
    objects : rows of the true objects; those set aside come last.
    aside, crowd : of each object: does not count; takes any number of detections.
    candidates : of each detection, IoU by row of the objects it is near to.

    Returns
    -------
    matched, ignored : (thresholds, detections).
    """
    matched = np.zeros((len(THRESHOLDS), len(candidates)), bool)
    ignored = np.zeros_like(matched)
    place_of = {row: place for place, row in enumerate([*objects, _VOID])}
    aside, crowd = [*aside, True], [*crowd, True]
    near = [sorted((place_of[row], iou) for row, iou in c.items()) for c in candidates]
    for t, threshold in enumerate(THRESHOLDS.tolist()):
        taken: set[int] = set()
        for d, offered in enumerate(near):
            best, at = min(threshold, 1 - 1e-10), -1
            for place, iou in offered:
                if place in taken and not crowd[place]:
                    continue
                if at >= 0 and not aside[at] and aside[place]:
                    break
                if iou >= best:
                    best, at = iou, place
            if at >= 0:
                taken.add(at)
                matched[t, d] = True
                ignored[t, d] = aside[at]
    return matched, ignored
