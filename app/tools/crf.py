"""Dense CRF: a rectangle is drawn, or what is visible is meant; the rest is done beside the mouse.

The gesture ends with the rectangle. What is found is shown and taken through
`app.workspace.refine`, so that sliders can be moved and the picture zoomed meanwhile.
"""

from __future__ import annotations

from typing import ClassVar

from app.tools.tool import KEEP_MINE, Choice, Flag, Number, Option, Tool
from app.workspace.gesture import Context, Gesture, Mark, Point, Pointer, SeedsPreview
from app.workspace.refine_work import ICON, TOOL
from segcore.base import Rect

_NOTHING = Rect(0, 0, 0, 0)


class DenseCrf(Tool):
    """Move edges of the mask to where the colours change."""

    id = TOOL
    name = "Dense CRF"
    icon = ICON
    key = "R"
    help = (
        "Drag a rectangle: its edges move to where the colours change. A click means all that is "
        "visible. Move the sliders, hold C to see the mask before, Enter takes it, Esc drops it."
    )
    group = "model"
    options: ClassVar[tuple[Option, ...]] = (
        Choice(
            "source",
            "Begins with",
            "model",
            (("model", "Model", "sparkles"), ("labels", "Mask", "pencil")),
            "The model's probabilities, or the mask and its confidence.",
        ),
        Number(
            "appearance",
            "Appearance",
            10,
            0,
            50,
            help="More pulls edges harder to where the colours change.",
            beside=True,
        ),
        Number(
            "colour",
            "Colour",
            13,
            1,
            100,
            help="More calls colours alike that differ more.",
            beside=True,
        ),
        Number(
            "smoothness",
            "Smoothness",
            3,
            0,
            30,
            help="More removes specks, and thin structures with them.",
            beside=True,
        ),
        Number(
            "reach",
            "Reach",
            80,
            5,
            160,
            "px",
            help="More lets pixels further apart speak to each other.",
            beside=True,
        ),
        Number(
            "rounds",
            "Rounds",
            5,
            1,
            20,
            help="Rounds of mean field.",
            beside=True,
        ),
        Flag(
            "tuned",
            "Tuned",
            True,
            "target",
            "Use what maskwright refine --tune found for this project, if it has.",
        ),
        Flag(
            "keep_mine",
            "Keep mine",
            True,
            KEEP_MINE.icon,
            "Leave what a person painted as it is; it is believed, too.",
        ),
    )
    cursor = Mark.CROSS

    def gesture(self, context: Context) -> Gesture:
        first: Point | None = None
        preview: SeedsPreview | None = None
        while True:
            event = yield preview
            if not isinstance(event, Pointer):
                continue
            if first is None:
                first = event.point
                context.refine(_NOTHING)  # what waits to be taken gives way to a new rectangle
            rect = _between(first, event.point, context)
            if event.kind == "release":
                context.refine(None if _is_click(first, event.point, context) else rect)
                return None
            preview = SeedsPreview((), rect, None, None, context.class_id)


def _is_click(one: Point, other: Point, context: Context) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) * context.scale < 4


def _between(one: Point, other: Point, context: Context) -> Rect:
    """The pixels that a dragged rectangle touches."""
    top, bottom = sorted((one[0], other[0]))
    left, right = sorted((one[1], other[1]))
    box = Rect.from_bounds(int(top // 1), int(left // 1), int(-(-bottom // 1)), int(-(-right // 1)))
    return box.intersect(context.labels.extent)
