"""Polygon: fill outlines that were drawn point by point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from segcore.base import Rect
from segcore.edits.base import BaseEdit, ImageReader, paint
from segcore.edits.raster import Point, polygon_bounds, polygon_mask
from segcore.labels import Draft, Labels, Patch


@dataclass(frozen=True)
class Polygon(BaseEdit):
    """Paint every pixel whose centre is inside the rings, by the even-odd rule.

    Parameters
    ----------
    z : slice.
    rings : closed rings of points (y, x) in image coordinates; a ring within another is a hole.
    class_id : the class to paint; 0 erases.
    instance : the object that the pixels become part of; 0 for none.
    """

    z: int
    rings: tuple[tuple[Point, ...], ...]
    class_id: int
    instance: int = 0

    NAME: ClassVar[str] = "Polygon"
    TOOL: ClassVar[str] = "polygon"

    def __post_init__(self) -> None:
        rings = tuple(tuple((float(y), float(x)) for y, x in ring) for ring in self.rings)
        object.__setattr__(self, "rings", rings)
        if not all(math.isfinite(value) for ring in rings for point in ring for value in point):
            raise ValueError("a point of the polygon is not finite")
        super().__post_init__()

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        draft = Draft(labels, self.guard)
        bounds = polygon_bounds(self.rings).intersect(labels.extent)
        rows = labels.tile[1] * max(1, 256 // labels.tile[1])
        for y in range(bounds.y - bounds.y % rows, bounds.bottom, rows):
            band = Rect(y, bounds.x, rows, bounds.width).intersect(bounds)
            paint(
                draft,
                labels,
                self.z,
                band,
                polygon_mask(self.rings, band),
                class_id=self.class_id,
                origin=self.origin,
                instance=self.instance,
            )
        return draft.close(self.name, self.tool, self.fields)
