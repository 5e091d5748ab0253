"""Windowing: which pictures are looked at through a window, what the right button does, and how
the window's values are written. The panel, the canvas and the status bar ask here."""

from __future__ import annotations

import math
from enum import Enum

import numpy as np

from app.workspace.gesture import ToolKind
from segcore.images import ImageSource, full_window

# Digits of a width that are worth writing where values are no whole numbers.
_DIGITS = 3
# Tools whose left button paints with the disk that the right button erases with.
_BRUSHES = ("brush", "eraser")


def is_windowed(image: ImageSource, window: tuple[float, float]) -> bool:
    """Whether a picture is looked at through a window that people change.

    As in radiology and microscopy: volumes, all that is deeper than 8 bits, and dark pictures
    that open brightened. Nobody's own choice changes it, so the right button keeps its meaning.

    Parameters
    ----------
    window : with which the picture opens.
    """
    flat = image.shape.z == 1
    return not (flat and image.dtype in (np.uint8, np.bool_) and window == full_window(image))


class RightDrag(Enum):
    """What dragging with the right button does; the value says it."""

    NOTHING = ""
    TOOL = "Right drag: background"
    WINDOW = "Right drag: window and level"
    ERASE = "Right drag: erase"


def right_drag(tool: type[ToolKind] | None, windowed: bool) -> RightDrag:
    """What the right button does with a tool over a picture that is windowed or not."""
    if tool is None:
        return RightDrag.NOTHING
    if tool.takes_right:
        return RightDrag.TOOL
    if windowed:
        return RightDrag.WINDOW
    return RightDrag.ERASE if tool.id in _BRUSHES else RightDrag.NOTHING


def decimals(image: ImageSource | None, width: float) -> int:
    """How many decimals values are written with in a window (or over a range) of this width.

    Whole numbers need none unless the window is narrower than ten of them.
    """
    whole = image is None or image.dtype.kind in "iub"
    if not 0 < width < math.inf or (whole and width >= 10):
        return 0
    return max(0, _DIGITS - 1 - math.floor(math.log10(width)))


def value_text(value: float, places: int, unit: str = "") -> str:
    """A value with its unit and a true minus; what rounds to nought has no sign."""
    text = f"{round(value, places) + 0.0:,.{places}f}".replace("-", "−")
    return f"{text} {unit}" if unit else text
