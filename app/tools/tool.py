"""What a tool is: a description of itself, typed options, and a gesture.

The words of a gesture (events, previews, context) are those of `app.workspace.gesture`.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from app.workspace.gesture import Context, Gesture, Mark
from segcore.base.dataclass import dataclass

# -- options ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """An option that is a number.

    With `beside` it is a slider in the tool's own section of the right side, not in the tool bar.
    """

    name: str
    title: str
    default: float
    low: float
    high: float
    unit: str = ""
    whole: bool = True
    help: str = ""
    beside: bool = False


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


class Tool:
    """A tool; one file each. Class attributes describe it, `gesture` is what it does."""

    id: ClassVar[str]
    name: ClassVar[str]
    icon: ClassVar[str]
    key: ClassVar[str] = ""
    help: ClassVar[str]
    group: ClassVar[str] = "paint"
    options: ClassVar[tuple[Option, ...]] = ()
    commands: ClassVar[tuple[str, ...]] = ()
    """Ids of actions that stand as buttons among the options."""
    cursor: ClassVar[Mark] = Mark.CROSS
    moves_view: ClassVar[bool] = False
    """Dragging moves the picture; there is no gesture."""
    takes_right: ClassVar[bool] = False
    """The right button belongs to the tool."""
    takes_keys: ClassVar[bool] = False
    """Esc is an event for the gesture instead of its end."""
    makes_objects: ClassVar[bool] = False
    """It paints the active class, and so makes or extends an object of a class of things."""

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Its options with their defaults."""
        return {option.name: option.default for option in cls.options}

    def gesture(self, context: Context) -> Gesture:
        """From the first press to an edit; see the module."""
        raise NotImplementedError
