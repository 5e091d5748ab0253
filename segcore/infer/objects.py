"""Objects out of a map of classes: connected regions, numbered. No torch: the window asks too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def connected_objects(classes: NDArray[np.uint16], things: Sequence[int]) -> NDArray[np.uint32]:
    """Number the connected regions (8 neighbours) of each class in `things`, from 1 on.

    Objects that touch are one: a model that only knows classes cannot tell them apart.
    """
    import cv2

    numbers = np.zeros(classes.shape, np.uint32)
    last = 0
    for class_id in things:
        count, found = cv2.connectedComponents((classes == class_id).astype(np.uint8), None, 8)
        inside = found > 0
        numbers[inside] = found[inside].astype(np.uint32) + last
        last += count - 1
    return numbers
