"""Fill: a whole connected region gets the active class with one click."""

from __future__ import annotations

from typing import ClassVar

from app.tools.tool import KEEP_MINE, ONLY_OVER, Option, Tool
from app.workspace.gesture import Context, Gesture, Mark, Pointer
from segcore.edits import Fill as FillEdit


class Fill(Tool):
    """Fill a region."""

    id = "fill"
    name = "Fill"
    icon = "paint-bucket"
    key = "G"
    help = "Give the connected region under the mouse the active class."
    group = "outline"
    options: ClassVar[tuple[Option, ...]] = (ONLY_OVER, KEEP_MINE)
    cursor = Mark.CROSS
    makes_objects = True

    def gesture(self, context: Context) -> Gesture:
        event = yield None
        while not (isinstance(event, Pointer) and event.kind == "release"):
            event = yield None
        if not context.labels.extent.contains(*event.pixel):
            return None
        return FillEdit(
            context.z,
            event.pixel,
            context.class_id,
            context.instance(event.shift),
            guard=context.guard,
            origin=context.origin,
            name=f"Fill {context.class_name}",
            tool=self.id,
        )
