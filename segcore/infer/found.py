"""All objects that a model found, with those of low scores: of a slice, and of an item.

No torch: the window puts them together too.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.store import ObjectFacts


@dataclass(frozen=True, eq=False)
class FoundObjects:
    """The objects of a slice, whatever their scores; n of them, best first.

    Parameters
    ----------
    numbers : (h, w) uint32, the best object at each pixel; 0 = none, k + 1 is the k-th.
    ground : (h, w) uint16 class where that object is left out.
    scores : (n,) float32, 0 to 1.
    classes : (n,) uint16.
    kept : how many of them, the first ones, are in the prediction.
    """

    numbers: NDArray[np.uint32]
    ground: NDArray[np.uint16]
    scores: NDArray[np.float32]
    classes: NDArray[np.uint16]
    kept: int

    def mapped(self, table: NDArray[np.uint16]) -> FoundObjects:
        """With the ids of a project; `table` is that of a `ClassMapping`."""
        return replace(self, ground=table[self.ground], classes=table[self.classes])


class ItemObjects:
    """The objects of an item's slices, which count on from slice to slice.

    Parameters
    ----------
    shape : (z, y, x) of the item.
    things : ids of the project's classes that are things. An object of any other class is no
        object of the project: its pixels have the class, and nobody can leave it out.
    """

    def __init__(self, shape: tuple[int, int, int], things: list[int]) -> None:
        self._things = things
        self._planes: dict[str, NDArray[Any]] = {
            "instances": np.zeros(shape, np.uint32),
            "found": np.zeros(shape, np.uint32),
            "ground": np.zeros(shape, np.uint16),
        }
        self._facts: dict[int, ObjectFacts] = {}

    def add(self, z: int, rect: Rect, classes: NDArray[np.uint16], found: FoundObjects) -> None:
        """What was found in a part of a slice.

        Parameters
        ----------
        classes : (rect.height, rect.width), those of the prediction.
        """
        last = max(self._facts, default=0)
        number_of = np.zeros(len(found.scores) + 1, np.uint32)
        is_thing = np.isin(found.classes, self._things)
        number_of[1:][is_thing] = np.flatnonzero(is_thing) + last + 1
        numbers = number_of[found.numbers]
        kept = (numbers > 0) & (found.numbers <= found.kept)
        self._planes["found"][z][rect.slices] = numbers
        self._planes["instances"][z][rect.slices] = np.where(kept, numbers, np.uint32(0))
        self._planes["ground"][z][rect.slices] = np.where(numbers > 0, found.ground, classes)
        for number, score, class_id in zip(
            number_of[1:].tolist(), found.scores.tolist(), found.classes.tolist(), strict=True
        ):
            if number:
                # Rounded down, so that no object comes to a score that it does not have.
                rounded = math.floor(score * 1e4) / 1e4
                self._facts[number] = ObjectFacts(rounded, class_id=class_id)

    @property
    def stored(self) -> dict[str, Any]:
        """The arguments of `Project.store_prediction` that these objects are."""
        return {**self._planes, "facts": self._facts}
