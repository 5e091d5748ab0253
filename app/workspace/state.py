"""Small values that the canvas, the tools and the panels hand to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from segcore.base import Rect
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Cursor:
    """What lies under the mouse.

    Parameters
    ----------
    z, y, x : the pixel.
    values : its value in each channel, as the file has it; None where not decoded yet.
    class_id : its class in the shown labels, 0 for none; None where not resident.
    origin : row of `source` that set it, 0 for nobody.
    instance : the object that it belongs to, 0 for none.
    """

    z: int
    y: int
    x: int
    values: tuple[float, ...] | None = None
    class_id: int | None = None
    origin: int = 0
    instance: int = 0


@dataclass(frozen=True)
class Pending:
    """Something that waits to be taken or dropped (GrabCut's region); shown as a bar.

    Parameters
    ----------
    title, icon : what it is.
    detail : such as ``2,337 px as Nucleus``.
    hint : what else can be done.
    take, drop : called by the bar's buttons and by Enter and Esc.
    """

    title: str
    icon: str
    detail: str
    hint: str
    take: Callable[[], None] = field(compare=False)
    drop: Callable[[], None] = field(compare=False)


@dataclass(frozen=True)
class SolvedRegion:
    """An answer of the refiner.

    Parameters
    ----------
    number : of the request, as `Workspace.solve_grabcut` returned it.
    z, rect : where.
    mask : (h, w) bool of `rect`; None if it failed.
    seconds : how long it took.
    reason : why it failed, a sentence, or "".
    """

    number: int
    z: int
    rect: Rect
    mask: Any
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class PredictedTile:
    """A piece of a running prediction of the open item.

    Parameters
    ----------
    z, rect : where.
    classes : (h, w) uint16 class ids of the project.
    """

    z: int
    rect: Rect
    classes: Any
