"""Stroke: what a brush or an eraser leaves along its path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.edits.objects import Mask, pixel_at
from segcore.edits.painting import Painting
from segcore.edits.raster import Point, stroke_bounds, stroke_mask, stroke_parts
from segcore.labels import Labels


@dataclass(frozen=True)
class Stroke(Painting):
    """Paint every pixel whose centre is at most `radius` from the path.

    Parameters
    ----------
    z : slice.
    path : points (y, x) in image coordinates; a pixel's centre is at + 0.5.
    radius : half of the brush's diameter, in pixels.
    class_id : the class to paint; 0 erases, and the pixels remember who did.
    square : a square brush instead of a round one.
    instance : the object that the pixels become part of; 0 for none, `OWN` to find it then.
    """

    z: int
    path: tuple[Point, ...]
    radius: float
    class_id: int
    square: bool = False
    instance: int = 0

    NAME: ClassVar[str] = "Brush"
    TOOL: ClassVar[str] = "brush"

    def __post_init__(self) -> None:
        path = tuple((float(y), float(x)) for y, x in self.path)
        object.__setattr__(self, "path", path)
        if not all(math.isfinite(y) and math.isfinite(x) for y, x in path):
            raise ValueError("a point of the path is not finite")
        if not (math.isfinite(self.radius) and self.radius >= 0):
            raise ValueError(f"a brush of radius {self.radius}")
        if self.class_id == 0 and not self.name:
            object.__setattr__(self, "name", "Eraser")
        if self.class_id == 0 and not self.tool:
            object.__setattr__(self, "tool", "eraser")
        super().__post_init__()

    def bounds(self) -> Rect:
        """The rectangle that holds the stroke; may reach beyond the image."""
        return stroke_bounds(self.path, self.radius)

    @property
    def begins_at(self) -> tuple[int, int] | None:
        return pixel_at(self.path[0]) if self.path else None

    def parts(self, labels: Labels) -> Iterator[tuple[Rect, Mask]]:
        # Bands as high as whole tiles, so that no tile is visited twice.
        rows = labels.tile[1] * max(1, 256 // labels.tile[1])
        for part in stroke_parts(self.path, self.radius, labels.extent, rows):
            yield part, stroke_mask(self.path, self.radius, part, square=self.square)
