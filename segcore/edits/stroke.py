"""Stroke: what a brush or an eraser leaves along its path."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from segcore.base import Rect
from segcore.edits.base import BaseEdit, ImageReader, paint
from segcore.edits.raster import Point, stroke_bounds, stroke_mask, stroke_parts
from segcore.labels import Draft, Labels, Patch


@dataclass(frozen=True)
class Stroke(BaseEdit):
    """Paint every pixel whose centre is at most `radius` from the path.

    Parameters
    ----------
    z : slice.
    path : points (y, x) in image coordinates; a pixel's centre is at + 0.5.
    radius : half of the brush's diameter, in pixels.
    class_id : the class to paint; 0 erases, and the pixels remember who did.
    square : a square brush instead of a round one.
    instance : the object that the pixels become part of; 0 for none.
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

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        draft = Draft(labels, self.guard)
        # Bands as high as whole tiles, so that no tile is visited twice.
        rows = labels.tile[1] * max(1, 256 // labels.tile[1])
        for part in stroke_parts(self.path, self.radius, labels.extent, rows):
            mask = stroke_mask(self.path, self.radius, part, square=self.square)
            paint(
                draft,
                labels,
                self.z,
                part,
                mask,
                class_id=self.class_id,
                origin=self.origin,
                instance=self.instance,
            )
        return draft.close(self.name, self.tool, self.fields)
