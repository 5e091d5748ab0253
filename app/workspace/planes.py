"""The planes of a prediction while its tiles come in, nearest to the person first.

Of a model that finds objects their numbers come with each slice, and begin at 1 in each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from segcore.base import Rect
from segcore.infer.found import FoundObjects, ItemObjects
from segcore.infer.objects import objects_of


class IncomingPlanes:
    """Planes of a prediction while its tiles come in.

    Parameters
    ----------
    shape : (z, y, x) of the item.
    things : ids of the project's classes that are things.
    """

    def __init__(self, shape: tuple[int, int, int], things: list[int]) -> None:
        self.classes = np.zeros(shape, np.uint16)
        self.confidence = np.zeros(shape, np.uint8)
        self.margin = np.zeros(shape, np.uint8)
        self._things = things
        self._objects: ItemObjects | None = None

    def put(self, event: Any) -> None:
        rect = Rect(*event.rect)
        for plane, piece in (
            (self.classes, event.classes),
            (self.confidence, event.confidence),
            (self.margin, event.margin),
        ):
            if piece is not None:
                plane[event.z][rect.slices] = piece

    def put_objects(self, event: Any) -> None:
        """Take what a model that finds objects says of a slice in the end."""
        self.put(event)
        if self._objects is None:
            z, y, x = self.classes.shape
            self._objects = ItemObjects((z, y, x), self._things)
        found = FoundObjects(
            event.numbers, event.ground, event.scores, event.object_classes, event.kept
        )
        self._objects.add(event.z, Rect(*event.rect), event.classes, found)

    @property
    def objects(self) -> dict[str, Any]:
        """The objects, as `Project.store_prediction` takes them: the model's own, or the connected
        regions of classes that are things."""
        if self._objects is None:
            return {"instances": objects_of(self.classes, self._things)}
        return self._objects.stored
