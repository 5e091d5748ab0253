"""The planes of a prediction while its tiles come in, nearest to the person first.

Of a model that finds objects their numbers come with each slice, and begin at 1 in each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.infer.objects import objects_of
from segcore.store import ObjectFacts


class IncomingPlanes:
    """Planes of a prediction while its tiles come in."""

    def __init__(self, shape: Any) -> None:
        self.classes = np.zeros(shape, np.uint16)
        self.confidence = np.zeros(shape, np.uint8)
        self.margin = np.zeros(shape, np.uint8)
        self.facts: dict[int, ObjectFacts] = {}
        self._numbers: NDArray[np.uint32] | None = None

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
        if self._numbers is None:
            self._numbers = np.zeros(self.classes.shape, np.uint32)
        last = max(self.facts, default=0)
        numbers = np.where(event.instances > 0, event.instances + np.uint32(last), np.uint32(0))
        self._numbers[event.z][Rect(*event.rect).slices] = numbers
        self.facts |= {
            last + number: ObjectFacts(round(score, 4))
            for number, score in enumerate(event.scores.tolist(), 1)
        }

    def objects(self, things: list[int]) -> NDArray[np.uint32] | None:
        """The objects of classes that are things: the model's own, or connected regions."""
        if self._numbers is None:
            return objects_of(self.classes, things)
        return np.where(np.isin(self.classes, things), self._numbers, np.uint32(0))
