"""Brush: paints the active class along the mouse's path."""

from __future__ import annotations

from typing import ClassVar

from app.tools.tool import KEEP_MINE, ONLY_OVER, SHAPE, SIZE, Option, Tool
from app.workspace.gesture import Context, Gesture, Mark, Point, Pointer, StrokePreview
from segcore.edits import Stroke


class Brush(Tool):
    """Paint with a disk or a square."""

    id = "brush"
    name = "Brush"
    icon = "brush"
    key = "B"
    help = (
        "Paint the active class. Shift goes on with the object painted last; "
        "Shift+wheel or [ and ] change the size."
    )
    options: ClassVar[tuple[Option, ...]] = (SIZE, SHAPE, ONLY_OVER, KEEP_MINE)
    cursor = Mark.BRUSH
    makes_objects = True

    def gesture(self, context: Context) -> Gesture:
        return paint_stroke(context, context.class_id, f"Brush {context.class_name}", self.id)


def paint_stroke(context: Context, class_id: int, name: str, tool: str) -> Gesture:
    """The gesture of brush and eraser: one stroke from press to release."""
    radius = float(context.options.get("size", SIZE.default)) / 2
    square = context.options.get("shape") == "square"
    path: list[Point] = []
    added: tuple[Point, ...] = ()
    instance = shown = 0
    while True:
        event = yield StrokePreview(added, radius, class_id, square, shown)
        added = ()
        if not isinstance(event, Pointer):
            continue
        if not path and class_id and context.objects is not None:
            instance = context.instance(event.shift)
            shown = context.objects.begun_at(context.labels, context.z, event.point, event.shift)
        if not path or event.point != path[-1]:
            path.append(event.point)
            added = (event.point,)
        if event.kind == "release":
            return Stroke(
                context.z,
                tuple(path),
                radius,
                class_id,
                square,
                instance,
                guard=context.guard,
                origin=context.origin,
                name=name,
                tool=tool,
            )
