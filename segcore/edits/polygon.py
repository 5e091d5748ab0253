"""Polygon: fill outlines that were drawn point by point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.edits.objects import Mask, pixel_at
from segcore.edits.painting import Painting
from segcore.edits.raster import Point, polygon_bounds, polygon_mask
from segcore.labels import Labels


@dataclass(frozen=True)
class Polygon(Painting):
    """Paint every pixel whose centre is inside the rings, by the even-odd rule.

    Parameters
    ----------
    z : slice.
    rings : closed rings of points (y, x) in image coordinates; a ring within another is a hole.
    class_id : the class to paint; 0 erases.
    instance : the object that the pixels become part of; 0 for none, `OWN` to find it then.
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

    @property
    def begins_at(self) -> tuple[int, int] | None:
        return pixel_at(self.rings[0][0]) if self.rings and self.rings[0] else None

    def parts(self, labels: Labels) -> Iterator[tuple[Rect, Mask]]:
        bounds = polygon_bounds(self.rings).intersect(labels.extent)
        rows = labels.tile[1] * max(1, 256 // labels.tile[1])
        for y in range(bounds.y - bounds.y % rows, bounds.bottom, rows):
            band = Rect(y, bounds.x, rows, bounds.width).intersect(bounds)
            yield band, polygon_mask(self.rings, band)
