"""How a stored picture is turned to stand upright, and how slices are turned for radiologists."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect

# EXIF 2.32 and TIFF 6.0, tag 274: (transpose first, then flip rows, then flip columns).
_STEPS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def upright_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    """(height, width) of a stored picture once it stands upright."""
    return (width, height) if _STEPS[orientation][0] else (height, width)


def upright(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """(h, w, c) as stored to upright; a view."""
    transpose, flip_y, flip_x = _STEPS[orientation]
    if transpose:
        stored = stored.transpose(1, 0, 2)
    if flip_y:
        stored = stored[::-1]
    if flip_x:
        stored = stored[:, ::-1]
    return stored


def stored_rect(rect: Rect, height: int, width: int, orientation: int) -> Rect:
    """Which part of the stored picture shows as `rect` of the upright one.

    Parameters
    ----------
    rect : in the upright picture.
    height, width : of the upright picture.
    """
    transpose, flip_y, flip_x = _STEPS[orientation]
    y = height - rect.bottom if flip_y else rect.y
    x = width - rect.right if flip_x else rect.x
    if transpose:
        return Rect(x, y, rect.width, rect.height)
    return Rect(y, x, rect.height, rect.width)


def radiological_flip(affine: NDArray[np.float64]) -> tuple[bool, bool]:
    """(flip_y, flip_x) that shows a slice as radiologists expect it.

    On the screen the patient's right is on the left, front and head are up; seen from the side
    the face looks to the left. In all three planes that means: along the screen an axis runs
    towards left, back or feet, the negative directions of RAS+. An axis that runs the other way
    is turned over.

    Parameters
    ----------
    affine : (4, 4), index (x, y, z, 1) to RAS+ millimetres; x runs along a row of the slice.
    """

    def runs_positive(column: NDArray[np.float64]) -> bool:
        return bool(column[np.argmax(np.abs(column))] > 0)

    return runs_positive(affine[:3, 1]), runs_positive(affine[:3, 0])
