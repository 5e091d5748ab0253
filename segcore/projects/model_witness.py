"""A model as witness: asked again for all its probabilities, region by region. Loads torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from segcore.base import ClassSet, Rect
from segcore.infer import Predictor, map_classes
from segcore.models.weights import load_model, model_digest
from segcore.projects.crf_params import LABELS
from segcore.refine.evidence import Shares, joined

if TYPE_CHECKING:
    from segcore.images import ImageSource


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
    """The model of a call, loaded when the first item needs it."""

    def __init__(self, folder: Path, device: str | None) -> None:
        self.folder = folder
        self.digest = model_digest(folder)
        self._device = device
        self._predictor: Predictor | None = None

    def witness(
        self, classes: ClassSet, image: ImageSource, z: int, cancel: Callable[[], bool] | None
    ) -> ModelWitness:
        """What the model says about a slice, in the project's classes."""
        if self._predictor is None:
            self._predictor = Predictor(load_model(self.folder), self._device, folder=self.folder)
        told = self._predictor.model.spec.classes
        table = map_classes(told, classes).table
        ids = tuple(int(table[c.id]) for c in told.scored)
        return ModelWitness(self._predictor, ids, image, z, cancel)


def key_of(model: Models | None) -> str:
    """What parameters are kept by."""
    return LABELS if model is None else model.digest
