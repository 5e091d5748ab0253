"""Polygon: an outline drawn corner by corner, filled when it is closed."""

from __future__ import annotations

import math
from typing import ClassVar

from app.tools.tool import KEEP_MINE, ONLY_OVER, Option, Tool
from app.workspace.gesture import Context, Gesture, Key, Mark, OutlinePreview, Point, Pointer
from segcore.edits import Polygon as PolygonEdit

# Screen pixels around the first corner within which a click closes the outline.
_CLOSE = 10.0
# A drag leaves a corner every so many screen pixels: a lasso is a polygon drawn in one go.
_DRAG = 4.0


class Polygon(Tool):
    """Fill an outline."""

    id = "polygon"
    name = "Polygon"
    icon = "pentagon"
    key = "P"
    help = (
        "Click corners or drag along an edge; Enter, a double click or the first corner closes. "
        "Backspace takes a corner back."
    )
    group = "outline"
    options: ClassVar[tuple[Option, ...]] = (ONLY_OVER, KEEP_MINE)
    cursor = Mark.CROSS
    makes_objects = True

    def gesture(self, context: Context) -> Gesture:
        corners: list[Point] = []
        instance = context.instance()
        to: Point | None = None
        held = False
        while True:
            closes = to is not None and _closes(corners, to, context.scale)
            event = yield OutlinePreview(tuple(corners), to, context.class_id, closes)
            if isinstance(event, Key):
                if event.name == "enter":
                    break
                if event.name == "backspace" and corners:
                    corners.pop()
                    if not corners:
                        return None
                continue
            if not isinstance(event, Pointer):
                continue
            to = event.point
            if event.kind == "double":
                break
            if event.kind == "press" and event.button == "right":
                break
            if event.kind == "press":
                if _closes(corners, to, context.scale):
                    break
                if not corners:
                    instance = context.instance(event.shift)
                corners.append(to)
                held = True
            elif event.kind == "release":
                held = False
            elif held and _apart(corners[-1], to) * context.scale >= _DRAG:
                corners.append(to)
        if len(corners) < 3:
            return None
        return PolygonEdit(
            context.z,
            (tuple(corners),),
            context.class_id,
            instance,
            guard=context.guard,
            origin=context.origin,
            name=f"Polygon {context.class_name}",
            tool=self.id,
        )


def _closes(corners: list[Point], to: Point, scale: float) -> bool:
    return len(corners) >= 3 and _apart(corners[0], to) * scale <= _CLOSE


def _apart(one: Point, other: Point) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])
