"""Witnesses: who says how probable each class is where a dense CRF is to work.

A model is asked again for all its probabilities, region by region; without one the labels are
taken, with the confidence of the prediction that they came from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from segcore.base import ClassSet, Rect
from segcore.labels import Labels
from segcore.projects.crf_params import LABELS
from segcore.refine.evidence import Shares, from_labels, joined

if TYPE_CHECKING:
    from segcore.images import ImageSource
    from segcore.infer import Predictor
    from segcore.store import Item


class Witness(Protocol):
    """Probabilities of one slice."""

    @property
    def count(self) -> int:
        """How many classes there are at most; memory follows them."""
        ...

    def shares(self, rect: Rect) -> Shares:
        """Those inside a rectangle of the slice."""
        ...


class LabelWitness:
    """Labels, and how sure the prediction was that they came from.

    Parameters
    ----------
    classes : of the project; those that are scored can be said.
    labels, prediction : layers on one grid; None for no confidence.
    """

    def __init__(
        self, classes: ClassSet, labels: Labels, prediction: Labels | None, z: int
    ) -> None:
        self._scored = [int(c.id) for c in classes.scored]
        self._labels, self._prediction, self._z = labels, prediction, z

    @property
    def count(self) -> int:
        return max(1, len(self._scored))

    def shares(self, rect: Rect) -> Shares:
        classes = self._labels.read(rect, self._z)
        present = set(np.flatnonzero(np.bincount(classes.reshape(-1))).tolist())
        ids = tuple(c for c in self._scored if c in present)
        if not ids:
            return (0,), np.ones((1, *classes.shape), np.float32)
        confidence = None
        told = self._prediction
        if told is not None and told.has_plane("confidence"):
            confidence = told.read(rect, self._z, "confidence")
            # What was said of another class is no confidence in this one.
            confidence[told.read(rect, self._z) != classes] = 0
        return ids, from_labels(classes, ids, confidence)


class ModelWitness:
    """A model, asked again.

    Parameters
    ----------
    predictor : of the model.
    ids : the project's class of each of its channels, 0 where the project has none.
    """

    def __init__(
        self,
        predictor: Predictor,
        ids: tuple[int, ...],
        image: ImageSource,
        z: int,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        self._predictor, self._ids, self._image, self._z = predictor, ids, image, z
        self._cancel = cancel

    @property
    def count(self) -> int:
        return len(set(self._ids))

    def shares(self, rect: Rect) -> Shares:
        told = self._predictor.probabilities(self._image, rect, z=self._z, cancel=self._cancel)
        return joined(self._ids, told)


class Models:
    """The model of a call, loaded when the first item needs it. Loads torch then."""

    def __init__(self, folder: Path, device: str | None) -> None:
        from segcore.models.weights import model_digest

        self.folder = folder
        self.digest = model_digest(folder)
        self._device = device
        self._predictor: Any = None

    def witness(
        self, classes: ClassSet, image: ImageSource, z: int, cancel: Callable[[], bool] | None
    ) -> ModelWitness:
        """What the model says about a slice, in the project's classes."""
        from segcore.infer import Predictor, map_classes
        from segcore.models.weights import load_model

        if self._predictor is None:
            self._predictor = Predictor(load_model(self.folder), self._device)
        told = self._predictor.model.spec.classes
        table = map_classes(told, classes).table
        ids = tuple(int(table[c.id]) for c in told.scored)
        return ModelWitness(self._predictor, ids, image, z, cancel)


def confidence_layer(item: Item) -> Labels | None:
    """The prediction that has a confidence to give: the newest of the item."""
    layers = list(item.predictions.values())
    return layers[-1].labels if layers else None


def key_of(model: Models | None) -> str:
    """What parameters are kept by."""
    return LABELS if model is None else model.digest
