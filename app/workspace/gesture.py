"""Gestures: what the canvas and the tools say to each other, without knowing each other.

A gesture is a generator. It receives events, yields what to preview, and returns an edit or None.
No state survives it, so cancelling it (Esc, focus lost, another item, undo) is closing it. It
knows image coordinates and no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import field
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeAlias

from app.workspace.objects import Objects
from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.edits import Edit
from segcore.labels import Guard, Labels

Point: TypeAlias = tuple[float, float]


# -- events -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pointer:
    """The mouse (or pen) did something over the picture.

    Parameters
    ----------
    kind : "press", "move", "release" or "double".
    y, x : image coordinates, also outside of the picture.
    button : "left" or "right": the one that was pressed; "" for a move without a button.
    alt, shift, control : held modifiers.
    """

    kind: str
    y: float
    x: float
    button: str = ""
    alt: bool = False
    shift: bool = False
    control: bool = False

    @property
    def point(self) -> Point:
        return self.y, self.x

    @property
    def pixel(self) -> tuple[int, int]:
        """Row and column under the pointer; may lie outside of the picture."""
        return int(self.y // 1), int(self.x // 1)


@dataclass(frozen=True)
class Key:
    """A key with a meaning for gestures: "enter", "escape" or "backspace"."""

    name: str


@dataclass(frozen=True)
class Solved:
    """An answer that the gesture asked for; see `Context.solve`.

    Parameters
    ----------
    number : of the request.
    rect : where the mask lies.
    mask : (h, w) bool, or None if it failed.
    reason : why it failed, a sentence.
    """

    number: int
    rect: Rect
    mask: Any
    seconds: float = 0.0
    reason: str = ""


Event: TypeAlias = Pointer | Key | Solved


# -- previews ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class StrokePreview:
    """A stroke that has come on by these points; shown as if it were painted.

    Parameters
    ----------
    added : points since the last preview.
    radius, square, class_id : the brush.
    instance : the object that it is shown as a part of.
    """

    added: tuple[Point, ...]
    radius: float
    class_id: int
    square: bool = False
    instance: int = 0


@dataclass(frozen=True)
class OutlinePreview:
    """An open outline that is being drawn.

    Parameters
    ----------
    points : the corners so far.
    to : where the next corner would be, or None.
    class_id : whose colour.
    closes : the next click closes it.
    """

    points: tuple[Point, ...]
    to: Point | None
    class_id: int
    closes: bool = False


@dataclass(frozen=True, eq=False)
class SeedsPreview:
    """Seeds, the region that is solved, and what was found in it.

    Parameters
    ----------
    strokes : each its path, radius, and whether it marks the object.
    box : drawn box, or None.
    region : what is solved; the picture around it is darkened. None before the first seed.
    found : (h, w) bool of `region`, or None.
    class_id : what taking paints.
    solving : an answer is awaited.
    message : what went wrong, or "".
    """

    strokes: tuple[tuple[tuple[Point, ...], float, bool], ...]
    box: Rect | None
    region: Rect | None
    found: Any
    class_id: int
    solving: bool = False
    message: str = ""
    detail: str = ""


Preview: TypeAlias = StrokePreview | OutlinePreview | SeedsPreview | None
Gesture: TypeAlias = Generator[Preview, Event, Edit | None]


# -- context ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """What a gesture may know, as it was when the gesture began.

    Parameters
    ----------
    z : slice.
    labels : the snapshot on screen.
    class_id, class_name : what is painted.
    guard : what may not be touched.
    origin : row of `source` for this person.
    refined : row of `source` for regions that this person takes from a solver.
    options : the tool's options by name.
    scale : screen pixels per image pixel.
    objects : of the class, if it is one of things.
    refine : puts a rectangle (None: all that is visible) behind a dense CRF.
    solve : asks for a region, (z, rect, seeds, box, iterations) -> number; answered by `Solved`.
    choose_class : makes another class the active one.
    """

    z: int
    labels: Labels
    class_id: int
    class_name: str
    guard: Guard
    origin: int
    options: dict[str, Any]
    scale: float = 1.0
    objects: Objects | None = None
    refined: int = 0
    refine: Callable[[Rect | None], None] = field(default=lambda _: None)
    solve: Callable[..., int] = field(default=lambda *_: 0)
    choose_class: Callable[[int], None] = field(default=lambda _: None)

    def instance(self, shift: bool = False) -> int:
        """The instance of the edit; with Shift it goes on with the object painted last."""
        return 0 if self.objects is None else self.objects.instance(shift)


# -- tools ------------------------------------------------------------------------------------


class Mark(Enum):
    """What the mouse looks like over the picture."""

    BRUSH = "brush"
    ERASER = "eraser"
    SEED = "seed"
    CROSS = "cross"
    HAND = "hand"
    PICK = "pick"


class ToolKind(Protocol):
    """What the canvas knows of a tool; `app.tools` has them."""

    id: ClassVar[str]
    name: ClassVar[str]
    icon: ClassVar[str]
    cursor: ClassVar[Mark]
    moves_view: ClassVar[bool]
    """Dragging moves the picture; there is no gesture."""
    takes_right: ClassVar[bool]
    """The right button belongs to the tool."""
    takes_keys: ClassVar[bool]
    """Esc is an event for the gesture instead of its end."""
    makes_objects: ClassVar[bool]
    """It paints the active class, and so makes or extends an object of a class of things."""

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Its options with their defaults."""
        ...

    def gesture(self, context: Context) -> Gesture:
        """From the first press to an edit."""
        ...
