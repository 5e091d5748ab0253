"""What a tool is: a gesture, from the first event to an edit, and a description of itself.

A gesture is a generator. It receives events, yields what to preview, and returns an edit or None.
No state survives it, so cancelling it (Esc, focus lost, another item, undo) is closing it. A tool
knows image coordinates and no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, TypeAlias

from segcore.base import Rect
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
    """

    added: tuple[Point, ...]
    radius: float
    class_id: int
    square: bool = False


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
    refined: int = 0
    solve: Callable[..., int] = field(default=lambda *_: 0)
    choose_class: Callable[[int], None] = field(default=lambda _: None)


# -- options ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """An option that is a number."""

    name: str
    title: str
    default: float
    low: float
    high: float
    unit: str = ""
    whole: bool = True
    help: str = ""


@dataclass(frozen=True)
class Flag:
    """An option that is on or off."""

    name: str
    title: str
    default: bool
    icon: str = ""
    help: str = ""


@dataclass(frozen=True)
class Choice:
    """An option with a few values; each has a title and an icon."""

    name: str
    title: str
    default: str
    values: tuple[tuple[str, str, str], ...]
    help: str = ""


@dataclass(frozen=True)
class ClassChoice:
    """An option that names a class of the project, or any ("any")."""

    name: str
    title: str
    default: str = "any"
    help: str = ""


Option: TypeAlias = Number | Flag | Choice | ClassChoice

SIZE = Number("size", "Size", 24, 1, 4000, "px", help="Diameter in pixels of the picture.")
SHAPE = Choice(
    "shape",
    "Shape",
    "disk",
    (("disk", "Disk", "circle"), ("square", "Square", "square")),
    "Form of the brush.",
)
ONLY_OVER = ClassChoice("only_over", "Only over", help="Paint only pixels of this class.")
KEEP_MINE = Flag(
    "keep_mine", "Keep mine", False, "shield-check", "Leave what a person painted as it is."
)


# -- tools ------------------------------------------------------------------------------------


class Cursor(Enum):
    """What the mouse looks like over the picture."""

    BRUSH = "brush"
    ERASER = "eraser"
    SEED = "seed"
    CROSS = "cross"
    HAND = "hand"
    PICK = "pick"


class Tool:
    """A tool; one file each. Class attributes describe it, `gesture` is what it does."""

    id: ClassVar[str]
    name: ClassVar[str]
    icon: ClassVar[str]
    key: ClassVar[str] = ""
    help: ClassVar[str]
    group: ClassVar[str] = "paint"
    options: ClassVar[tuple[Option, ...]] = ()
    cursor: ClassVar[Cursor] = Cursor.CROSS
    moves_view: ClassVar[bool] = False
    """Dragging moves the picture; there is no gesture."""
    takes_right: ClassVar[bool] = False
    """The right button belongs to the tool."""
    takes_keys: ClassVar[bool] = False
    """Esc is an event for the gesture instead of its end."""

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Its options with their defaults."""
        return {option.name: option.default for option in cls.options}

    def gesture(self, context: Context) -> Gesture:
        """From the first press to an edit; see the module."""
        raise NotImplementedError
