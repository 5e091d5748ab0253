"""Witnesses: who says how probable each class is where a dense CRF is to work.

Here the labels, with the confidence of the prediction that they came from; a model is one in
`segcore.projects.model_witness`. No torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from segcore.base import ClassSet, Rect
from segcore.labels import Labels
from segcore.refine.evidence import Shares, from_labels

if TYPE_CHECKING:
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


def confidence_layer(item: Item) -> Labels | None:
    """The prediction that has a confidence to give: the newest of the item."""
    layers = list(item.predictions.values())
    return layers[-1].labels if layers else None
