"""Eraser: takes pixels out of their class, back to "not looked at yet"."""

from __future__ import annotations

from typing import ClassVar

from app.tools.brush import paint_stroke
from app.tools.tool import KEEP_MINE, ONLY_OVER, SHAPE, SIZE, Option, Tool
from app.workspace.gesture import Context, Gesture, Mark


class Eraser(Tool):
    """Erase with a disk or a square."""

    id = "eraser"
    name = "Eraser"
    icon = "eraser"
    key = "E"
    help = (
        "Erase what is under the brush. In flat 8-bit pictures the right button of the brush "
        "erases, too; in volumes, deeper and brightened pictures it changes window and level."
    )
    options: ClassVar[tuple[Option, ...]] = (SIZE, SHAPE, ONLY_OVER, KEEP_MINE)
    cursor = Mark.ERASER

    def gesture(self, context: Context) -> Gesture:
        return paint_stroke(context, 0, "Erase", self.id)
