"""Rectangles and sizes on the pixel grid, always in the order z, y, x."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """Size of an item's grid in voxels; a picture has one slice."""

    z: int
    y: int
    x: int

    @property
    def is_volume(self) -> bool:
        return self.z > 1


class Spacing(NamedTuple):
    """Distance of neighbouring voxel centres in millimetres."""

    z: float
    y: float
    x: float


class Rect(NamedTuple):
    """A half-open rectangle of pixels within one slice: rows ``y .. y + height``."""

    y: int
    x: int
    height: int
    width: int

    @classmethod
    def from_bounds(cls, top: int, left: int, bottom: int, right: int) -> Rect:
        """Rectangle from half-open bounds; empty if they cross."""
        return cls(top, left, max(0, bottom - top), max(0, right - left))

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def is_empty(self) -> bool:
        return self.height <= 0 or self.width <= 0

    @property
    def area(self) -> int:
        return max(0, self.height) * max(0, self.width)

    def intersect(self, other: Rect) -> Rect:
        """The common part; empty (zero height or width) if there is none."""
        return Rect.from_bounds(
            max(self.y, other.y),
            max(self.x, other.x),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def union(self, other: Rect) -> Rect:
        """The smallest rectangle that holds both; an empty one adds nothing."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        return Rect.from_bounds(
            min(self.y, other.y),
            min(self.x, other.x),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def grown(self, margin: int) -> Rect:
        """Grown by `margin` pixels on every side (shrunk if negative)."""
        return Rect.from_bounds(
            self.y - margin, self.x - margin, self.bottom + margin, self.right + margin
        )

    def shifted(self, dy: int, dx: int) -> Rect:
        return Rect(self.y + dy, self.x + dx, self.height, self.width)

    def contains(self, y: int, x: int) -> bool:
        return self.y <= y < self.bottom and self.x <= x < self.right

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index for an array of axes (y, x)."""
        return slice(self.y, self.bottom), slice(self.x, self.right)
