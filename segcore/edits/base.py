"""What an edit is: a value that turns labels into a Patch, and what all kinds of it share.

An edit knows no mouse, no screen and no item; it can be kept as JSON and done again.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.labels import OPEN, FieldChange, Guard, Labels, Patch


class ImageReader(Protocol):
    """The image as an edit sees it."""

    def read(self, z: int, rect: Rect) -> NDArray[Any]:
        """Values of a rectangle of one slice, (h, w, channels)."""
        ...


class Edit(Protocol):
    """Anything that changes labels: a frozen dataclass with these."""

    @property
    def name(self) -> str:
        """What history shows, such as "Brush Car"."""
        ...

    @property
    def tool(self) -> str:
        """Id of the tool or command that made it."""
        ...

    def reads(self, labels: Labels) -> tuple[int, Rect] | None:
        """The slice and rectangle of the image that `apply` reads, or None."""
        ...

    def apply(self, labels: Labels, image: ImageReader | None) -> Patch:
        """What it changes in these labels; an empty Patch where it changes nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class BaseEdit:
    """Fields that every kind of edit has; all by keyword.

    Parameters
    ----------
    guard : what the edit may not touch.
    origin : row of `source` that the changed pixels are said to come from.
    name : what history shows; the kind's own name if empty.
    tool : id of the tool; the kind's own if empty.
    fields : changes of rows that belong to the same step, such as a new instance's.
    """

    guard: Guard = OPEN
    origin: int = 0
    name: str = ""
    tool: str = ""
    fields: tuple[FieldChange, ...] = ()

    NAME: ClassVar[str] = "Edit"
    TOOL: ClassVar[str] = "edit"

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.NAME)
        if not self.tool:
            object.__setattr__(self, "tool", self.TOOL)

    def reads(self, labels: Labels) -> tuple[int, Rect] | None:
        """Most edits read no intensities."""
        return None
