"""Scores of a model on frozen items: one confusion matrix summed over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore import metrics
from segcore.base import ClassSet
from segcore.infer.mapping import map_classes
from segcore.infer.predictor import Predictor
from segcore.models.segmodel import SegModel
from segcore.train.data import read_values
from segcore.train.frozen import FrozenItem


def confusion(
    model: SegModel,
    items: Sequence[FrozenItem],
    classes: ClassSet,
    *,
    cancel: Callable[[], bool] | None = None,
) -> NDArray[np.int64]:
    """Truth by prediction over all items, (n, n + 1) int64 of the scored classes of `classes`.

    The model may have other classes; what it predicts is mapped as for a project.
    """
    table = map_classes(model.spec.classes, classes).table
    ids = [int(c.id) for c in classes.scored]
    sums = metrics.ConfusionAccumulator(ids)
    training = model.training
    predictor = Predictor(model)
    try:
        for item in items:
            found = predictor.predict(read_values(item), cancel=cancel).classes
            sums.add(item.read_target(), table[found])
    finally:
        model.train(training)
    return sums.matrix


def summary(matrix: NDArray[np.int64], classes: ClassSet, items: int) -> dict[str, Any]:
    """The scores of a confusion matrix as JSON: per class and mean; null where undefined."""
    overlap, twice = metrics.iou(matrix), metrics.dice(matrix)

    def plain(value: float) -> float | None:
        return None if np.isnan(value) else round(float(value), 6)

    return {
        "classes": [
            {"id": int(c.id), "name": c.name, "iou": plain(overlap[k]), "dice": plain(twice[k])}
            for k, c in enumerate(classes.scored)
        ],
        "mean_iou": plain(metrics.mean(overlap)[0]),
        "mean_dice": plain(metrics.mean(twice)[0]),
        "pixel_accuracy": plain(metrics.pixel_accuracy(matrix)),
        "items": items,
    }
