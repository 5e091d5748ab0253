"""How many pixels each object or region of the truth shares with each of the prediction.

Panoptic quality, average precision and the aggregated Jaccard index are all made of this one table,
so an image is looked at once, slice by slice, whatever is asked for.

A segment is an object, or all of a class that is not divided into objects. Its key is
class * 2^32 + object; 0 is what is in no segment: in the truth void, which counts for nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import SizeMismatch
from segcore.base.dataclass import dataclass

OBJECT_BITS = 32


def segment_keys(classes: NDArray[Any], instances: NDArray[Any] | None = None) -> NDArray[np.int64]:
    """The key of each pixel's segment.

    Parameters
    ----------
    classes : whole numbers, 0 = in no class.
    instances : numbers of objects of the same shape, 0 to 2^32 - 1; None if there are none.

    Returns
    -------
    int64 of the same shape; 0 where the class is 0.
    """
    keys = classes.astype(np.int64) << OBJECT_BITS
    if instances is not None:
        keys |= np.where(classes > 0, instances, 0).astype(np.int64)
    return keys


def class_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each segment."""
    return keys >> OBJECT_BITS


def object_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each segment's object, 0 for a region that is not divided."""
    return keys & ((1 << OBJECT_BITS) - 1)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Which segments of an image meet, and in how many pixels.

    Parameters
    ----------
    truth, prediction : (n,) and (m,) int64 keys, growing.
    truth_area, prediction_area : (n,) and (m,) int64, pixels of each.
    void : (m,) int64, pixels of each predicted segment where the truth has no segment.
    rows, columns : (k,) int64, places in `truth` and `prediction` of the pairs that meet.
    pixels : (k,) int64, what each pair shares, above 0.
    """

    truth: NDArray[np.int64]
    prediction: NDArray[np.int64]
    truth_area: NDArray[np.int64]
    prediction_area: NDArray[np.int64]
    void: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    pixels: NDArray[np.int64]

    def only(self, truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> Overlaps:
        """The table without the segments that are False in (n,) `truth` and (m,) `prediction`;
        what they had does not become void."""
        pairs = truth[self.rows] & prediction[self.columns]
        return Overlaps(
            self.truth[truth],
            self.prediction[prediction],
            self.truth_area[truth],
            self.prediction_area[prediction],
            self.void[prediction],
            (np.cumsum(truth) - 1)[self.rows[pairs]],
            (np.cumsum(prediction) - 1)[self.columns[pairs]],
            self.pixels[pairs],
        )


class OverlapCounter:
    """Makes the table of an image out of its slices or parts; memory grows with segments only."""

    def __init__(self) -> None:
        self._truth: dict[int, int] = defaultdict(int)
        self._prediction: dict[int, int] = defaultdict(int)
        self._void: dict[int, int] = defaultdict(int)
        self._both: dict[tuple[int, int], int] = defaultdict(int)

    def add(
        self,
        truth: NDArray[np.int64] | Sequence[NDArray[np.int64]],
        prediction: NDArray[np.int64] | Sequence[NDArray[np.int64]],
    ) -> None:
        """Count a part.

        Parameters
        ----------
        truth, prediction : keys, of one shape with any number of axes; or several layers of keys,
            where segments overlap, each segment being whole in one layer.

        Raises
        ------
        SizeMismatch : shapes differ.
        """
        truths = [truth] if isinstance(truth, np.ndarray) else list(truth)
        predictions = [prediction] if isinstance(prediction, np.ndarray) else list(prediction)
        if len({array.shape for array in (*truths, *predictions)}) != 1:
            raise SizeMismatch(
                f"Truth is {truths[0].shape}, the prediction {predictions[0].shape}.",
                "Compare masks of one and the same image.",
            )
        # Where one layer says everything, what it has no segment for is void.
        alone = len(truths) == 1
        anything = None if alone else np.logical_or.reduce([layer != 0 for layer in truths])
        for b, predicted in enumerate(predictions):
            for a, true in enumerate(truths):
                self._count(true, predicted, a == 0, b == 0, alone)
            if anything is not None:
                for p, _, pixels in _pairs(np.where(anything, 0, predicted), truths[0]):
                    self._void[p] += pixels

    def _count(
        self,
        true: NDArray[np.int64],
        predicted: NDArray[np.int64],
        first_truth: bool,
        first_prediction: bool,
        void_is_known: bool,
    ) -> None:
        for t, p, pixels in _pairs(true, predicted):
            if t and p:
                self._both[t, p] += pixels
            if t and first_prediction:
                self._truth[t] += pixels
            if p and first_truth:
                self._prediction[p] += pixels
            if p and not t and void_is_known:
                self._void[p] += pixels

    def overlaps(self) -> Overlaps:
        """The table of what was counted so far."""
        truth, prediction = sorted(self._truth), sorted(self._prediction)
        row_of = {key: place for place, key in enumerate(truth)}
        column_of = {key: place for place, key in enumerate(prediction)}
        pairs = sorted(self._both.items())
        return Overlaps(
            _whole(truth),
            _whole([*prediction]),
            _whole([self._truth[key] for key in truth]),
            _whole([self._prediction[key] for key in prediction]),
            _whole([self._void.get(key, 0) for key in prediction]),
            _whole([row_of[t] for (t, _), _ in pairs]),
            _whole([column_of[p] for (_, p), _ in pairs]),
            _whole([pixels for _, pixels in pairs]),
        )


def count_overlaps(
    truth: NDArray[np.int64] | Sequence[NDArray[np.int64]],
    prediction: NDArray[np.int64] | Sequence[NDArray[np.int64]],
) -> Overlaps:
    """The table of a whole image; parameters as for `OverlapCounter.add`."""
    counter = OverlapCounter()
    counter.add(truth, prediction)
    return counter.overlaps()


def layers_of_masks(
    masks: Iterable[NDArray[np.bool_]], keys: Iterable[int], shape: tuple[int, ...]
) -> list[NDArray[np.int64]]:
    """Objects that may overlap, as layers of keys for `count_overlaps`.

    Parameters
    ----------
    masks : each (y, x), taken one by one.
    keys : of each mask, above 0.
    shape : of the picture.

    Returns
    -------
    At least one layer; each mask is whole in the first one where it covers no other.
    """
    layers = [np.zeros(shape, np.int64)]
    for mask, key in zip(masks, keys, strict=True):
        free = next((layer for layer in layers if not layer[mask].any()), None)
        if free is None:
            free = np.zeros(shape, np.int64)
            layers.append(free)
        free[mask] = key
    return layers


def _pairs(true: NDArray[np.int64], predicted: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Each pair of keys that occurs, and in how many pixels."""
    t, p = true.reshape(-1), predicted.reshape(-1)
    if not t.size:
        return []
    # Masks are made of runs: sorting their beginnings is many times as fast as sorting pixels.
    change = np.flatnonzero((t[1:] != t[:-1]) | (p[1:] != p[:-1])) + 1
    starts = np.concatenate([[0], change])
    lengths = np.diff(starts, append=t.size)
    t_keys, t_place = np.unique(t[starts], return_inverse=True)
    p_keys, p_place = np.unique(p[starts], return_inverse=True)
    codes, place = np.unique(t_place * len(p_keys) + p_place, return_inverse=True)
    pixels = np.bincount(place, weights=lengths).astype(np.int64)
    return list(
        zip(
            t_keys[codes // len(p_keys)].tolist(),
            p_keys[codes % len(p_keys)].tolist(),
            pixels.tolist(),
            strict=True,
        )
    )


def _whole(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
