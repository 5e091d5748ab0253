"""GrabCut seeds: a few strokes say what is object and what is not; a solver finds the region.

The gesture lasts from the first seed until its region is taken or dropped. Each stroke asks the
refiner again; only the answer to the newest question counts. A stroke on the background only takes
away: whatever colours it teaches, the object does not grow by it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from app.tools.tool import KEEP_MINE, ONLY_OVER, Choice, Flag, Number, Option, Tool
from app.workspace.gesture import Context, Gesture, Key, Mark, Point, Pointer, SeedsPreview, Solved
from segcore.base import Rect
from segcore.edits import Region, pixel_at, stroke_bounds, stroke_mask
from segcore.refine import grabcut_region

_OBJECT, _BACKGROUND = 1, 2
Seed = tuple[tuple[Point, ...], float, bool]


class GrabCut(Tool):
    """Find a region from strokes on it and beside it."""

    id = "grabcut"
    name = "GrabCut"
    icon = "sprout"
    key = "Q"
    help = (
        "Draw on the object with the left button and beside it with the right one or Alt: "
        "the one says where the object may be, the other only takes away. "
        "Enter takes the region, Esc drops it, Backspace takes back the last seed, and Del or a "
        "second Esc clears them all."
    )
    group = "model"
    options: ClassVar[tuple[Option, ...]] = (
        Choice(
            "marks",
            "Marks",
            "object",
            (("object", "Object", "plus"), ("background", "Background", "minus")),
            "What the left button marks.",
        ),
        Number("size", "Size", 8, 1, 4000, "px", help="Diameter of a seed."),
        Flag("box", "Draw box", False, "square-dashed", "Drag a box around the object."),
        Number("rounds", "Rounds", 5, 1, 20, help="More rounds follow the colours more closely."),
        ONLY_OVER,
        KEEP_MINE,
    )
    commands: ClassVar[tuple[str, ...]] = ("tool.clear_seeds",)
    cursor = Mark.SEED
    takes_right = True
    makes_objects = True
    takes_keys = True

    def gesture(self, context: Context) -> Gesture:
        state = _Seeds(context)
        preview = state.preview()
        while True:
            event = yield preview
            if isinstance(event, Key):
                if event.name == "enter" and state.found is not None:
                    return state.edit(self.id)
                if event.name == "escape" and not state.drop_answer():
                    return None
                if event.name == "backspace":
                    state.take_back()
                    if state.is_empty:
                        return None
            elif isinstance(event, Solved):
                if not state.hear(event):
                    continue
            elif isinstance(event, Pointer) and not state.point(event):
                continue
            preview = state.preview()


class _Seeds:
    """Seeds, box and answer of one gesture; it lives inside the generator."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.strokes: list[Seed] = []
        self._limits: list[NDArray[np.bool_] | None] = []
        """For each stroke what may be found after it: what was before one on the background."""
        self.box: Rect | None = None
        self.region: Rect | None = None
        self.found: NDArray[np.bool_] | None = None
        self._path: list[Point] = []
        self._marks_object = True
        self._corner: Point | None = None
        self._awaited = 0
        self._message = ""

    @property
    def is_empty(self) -> bool:
        return not self.strokes and self.box is None

    def preview(self) -> SeedsPreview:
        strokes = tuple(self.strokes)
        if self._path:
            strokes = (*strokes, (tuple(self._path), self._radius(), self._marks_object))
        waiting = self._awaited > 0
        return SeedsPreview(
            strokes,
            self.box,
            self.region if waiting or self.found is not None else None,
            self.found,
            self.context.class_id,
            solving=waiting,
            message=self._message,
        )

    # -- seeds --------------------------------------------------------------------------------

    def point(self, event: Pointer) -> bool:
        """Draw; False if nothing is to be seen of it."""
        if event.kind in ("press", "double"):
            options = self.context.options
            if options.get("box") and event.button == "left" and not event.alt:
                self._corner = event.point
            else:
                chosen = options.get("marks", "object") == "object"
                self._marks_object = chosen and event.button == "left" and not event.alt
                self._path = [event.point]
            return True
        if self._corner is not None:
            self.box = _box(self._corner, event.point, self.context)
            if event.kind == "release":
                self._corner = None
                self._limits = [None] * len(self.strokes)  # they were within another region
                if self.box.is_empty:
                    self.box = None
                self._ask()
            return True
        if not self._path:
            return False
        if event.point != self._path[-1]:
            self._path.append(event.point)
        if event.kind == "release":
            self.strokes.append((tuple(self._path), self._radius(), self._marks_object))
            self._limits.append(None if self._marks_object else self._present())
            self._path = []
            self._ask()
        return True

    def take_back(self) -> None:
        """Forget the last stroke, or the box, and ask again."""
        if self.strokes:
            self.strokes.pop()
            self._limits.pop()
        else:
            self.box = None
        self.found, self._awaited = None, 0
        self._ask()

    def _present(self) -> NDArray[np.bool_] | None:
        """What is found; while an answer is awaited, what it may hold at most."""
        if self.found is not None and not self._awaited:
            return self.found
        return self._limits[-1] if self._limits else None

    def drop_answer(self) -> bool:
        """Forget what was found but keep the seeds; False if nothing was found or awaited."""
        if self.found is None and not self._awaited:
            return False
        self.found, self._awaited, self._message = None, 0, ""
        return True

    def _radius(self) -> float:
        return float(self.context.options.get("size", 8)) / 2

    # -- asking -------------------------------------------------------------------------------

    def _ask(self) -> None:
        context = self.context
        if self.box is None and not any(marks for _, _, marks in self.strokes):
            return  # background alone says nothing about the object
        bounds = Rect(0, 0, 0, 0)
        for path, radius, marks in self.strokes:
            if marks:
                bounds = bounds.union(stroke_bounds(path, radius))
        extent = context.labels.extent
        region = grabcut_region(bounds, self.box, (extent.height, extent.width))
        if region.is_empty:
            return
        seeds = np.zeros((region.height, region.width), np.uint8)
        for path, radius, marks in self.strokes:
            mask = stroke_mask(path, radius, region)
            seeds[mask] = _OBJECT if marks else _BACKGROUND
        if self.region != region:
            self.found = None
        self.region = region
        rounds = int(context.options.get("rounds", 5))
        self._message = ""
        self._awaited = context.solve(context.z, region, seeds, self.box, rounds)

    def hear(self, solved: Solved) -> bool:
        """Take an answer; False if it is to an older question."""
        if not self._awaited or solved.number != self._awaited:
            return False
        self._awaited = 0
        if solved.mask is None:
            self.found, self._message = None, solved.reason
            return True
        self.region, found = solved.rect, np.asarray(solved.mask, bool)
        self.found = found & self._allowed(solved.rect)
        limit = self._limits[-1] if self._limits else None
        if limit is not None and limit.shape == self.found.shape:
            self.found &= limit
        return True

    def _allowed(self, rect: Rect) -> Any:
        context = self.context
        guard = context.guard
        if context.class_id in guard.locked:
            return np.zeros((rect.height, rect.width), bool)
        if guard.is_open:
            return np.True_
        classes = context.labels.read(rect, context.z)
        origins = context.labels.read(rect, context.z, "origin") if guard.keep_origins else None
        return guard.allows(classes, origins, rect)

    def edit(self, tool: str) -> Region:
        context = self.context
        assert self.region is not None
        assert self.found is not None
        begun = next((path[0] for path, _, marks in self.strokes if marks), None)
        return Region.of(
            context.z,
            self.region,
            self.found,
            context.class_id,
            instance=context.instance(),
            at=None if begun is None else pixel_at(begun),
            guard=context.guard,
            origin=context.refined or context.origin,
            name=f"GrabCut {context.class_name}",
            tool=tool,
        )


def _box(one: Point, other: Point, context: Context) -> Rect:
    """The pixels that a dragged box touches."""
    top, bottom = sorted((one[0], other[0]))
    left, right = sorted((one[1], other[1]))
    box = Rect.from_bounds(int(top // 1), int(left // 1), int(-(-bottom // 1)), int(-(-right // 1)))
    return box.intersect(context.labels.extent)
