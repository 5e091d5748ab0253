"""Scores of a model on frozen items: one confusion matrix summed over all of them, and objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore import metrics
from segcore.base import ClassSet
from segcore.infer.mapping import map_classes
from segcore.infer.predictor import Prediction, Predictor
from segcore.metrics.overlaps import OBJECT_BITS, class_of, object_of
from segcore.models.agreement import TORCH
from segcore.models.segmodel import SegModel
from segcore.train.data import read_values
from segcore.train.frozen import FrozenItem


def score(
    model: SegModel,
    items: Sequence[FrozenItem],
    classes: ClassSet,
    *,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """The scores of a model as JSON: those of `summary`, and of objects where it finds them."""
    objects = Objects(classes) if model.finds_objects else None
    matrix = confusion(model, items, classes, cancel=cancel, objects=objects)
    found = summary(matrix, classes, len(items))
    return found if objects is None else found | objects.summary()


class Objects:
    """Average precision and panoptic quality of what a model finds, item by item.

    The precision is that of the objects that are painted: their scores are above the family's
    limit, so that it is a little below that of all that the model found.
    """

    def __init__(self, classes: ClassSet) -> None:
        self.things = [int(c.id) for c in classes.scored if c.thing]
        self._classes = [int(c.id) for c in classes.scored]
        self._precision = metrics.PrecisionAccumulator(None)
        self._quality = metrics.PanopticAccumulator()

    def add(self, item: FrozenItem, found: Prediction, table: NDArray[np.uint16]) -> None:
        """Count an item.

        Parameters
        ----------
        table : from the model's ids of classes to those of the data.
        """
        numbers = item.read_instances()
        if numbers is None or found.instances is None:
            return
        truth, classes = item.read_target(), table[found.classes]
        told = np.where(np.isin(truth, self.things), numbers, 0)
        given = np.where(np.isin(classes, self.things), found.instances, 0)
        true_keys, given_keys = (
            metrics.segment_keys(truth, told),
            metrics.segment_keys(classes, given),
        )
        overlaps = metrics.count_overlaps(true_keys, given_keys)
        crowd = [thing << OBJECT_BITS for thing in self.things]
        self._quality.add(overlaps, crowd)
        if further := item.read_further():
            # Average precision knows objects that overlap, panoptic quality does not.
            layers = [true_keys, *(metrics.segment_keys(ids, n) for ids, n in further)]
            overlaps = metrics.count_overlaps(layers, [given_keys])
        objects = overlaps.only(
            np.isin(class_of(overlaps.truth), self.things),
            object_of(overlaps.prediction) > 0,
        )
        numbers_found = object_of(objects.prediction).tolist()
        scores = {
            int(key): found.scores[number]
            for key, number in zip(objects.prediction, numbers_found, strict=True)
        }
        self._precision.add(objects, scores, crowd, void=True)

    def summary(self) -> dict[str, float | None]:
        """Means over the things, of panoptic quality over all classes that have any segment."""
        precision = self._precision.precision(self.things)
        quality = self._quality.quality(self._classes)
        return {
            "ap": _plain(metrics.mean(precision.ap)[0]),
            "ap50": _plain(metrics.mean(precision.ap50)[0]),
            "pq": _plain(metrics.mean(quality.pq)[0]),
        }


def confusion(
    model: SegModel,
    items: Sequence[FrozenItem],
    classes: ClassSet,
    *,
    cancel: Callable[[], bool] | None = None,
    objects: Objects | None = None,
) -> NDArray[np.int64]:
    """Truth by prediction over all items, (n, n + 1) int64 of the scored classes of `classes`.

    The model may have other classes; what it predicts is mapped as for a project. Where there is
    an `objects` to add to, the model's objects are.
    """
    table = map_classes(model.spec.classes, classes).table
    ids = [int(c.id) for c in classes.scored]
    sums = metrics.ConfusionAccumulator(ids)
    training = model.training
    # Scores of two models, and of one on two machines, are compared: nothing else may differ.
    predictor = Predictor(model, engine=TORCH)
    try:
        for item in items:
            values = read_values(item)
            found = predictor.predict(values, cancel=cancel, instances=objects is not None)
            sums.add(item.read_target(), table[found.classes])
            if objects is not None:
                objects.add(item, found, table)
    finally:
        model.train(training)
    return sums.matrix


def summary(matrix: NDArray[np.int64], classes: ClassSet, items: int) -> dict[str, Any]:
    """The scores of a confusion matrix as JSON: per class and mean; null where undefined."""
    overlap, twice = metrics.iou(matrix), metrics.dice(matrix)

    return {
        "classes": [
            {"id": int(c.id), "name": c.name, "iou": _plain(overlap[k]), "dice": _plain(twice[k])}
            for k, c in enumerate(classes.scored)
        ],
        "mean_iou": _plain(metrics.mean(overlap)[0]),
        "mean_dice": _plain(metrics.mean(twice)[0]),
        "pixel_accuracy": _plain(metrics.pixel_accuracy(matrix)),
        "items": items,
    }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
