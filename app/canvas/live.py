"""LiveStroke: a stroke on the screen before the labels have it.

While the mouse moves, each new piece of its path is rasterised once, at the level that is on
screen: image pixels when zoomed in, screen pixels when zoomed out. The cost follows the screen.
The finished edit rasterises the whole path at full resolution; the two differ by at most one
screen pixel at the rim.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.canvas.sampling import centres
from app.canvas.view import View
from segcore.base import Rect
from segcore.edits.raster import stroke_bounds, stroke_mask
from segcore.labels import Guard

Point = tuple[float, float]


class LiveStroke:
    """A growing stroke and what it covers on the screen.

    Parameters
    ----------
    radius : in image pixels.
    class_id : 0 erases.
    guard : what it may not touch.
    square : the brush is a square.
    """

    def __init__(
        self,
        radius: float,
        class_id: int,
        guard: Guard,
        *,
        square: bool = False,
        instance: int = 0,
    ) -> None:
        self.radius = radius
        self.class_id = class_id
        self.guard = guard
        self.square = square
        self.instance = instance
        self.path: list[Point] = []
        self._level = Rect(0, 0, 0, 0)
        self._scale = (1.0, 1.0)
        self._mask: NDArray[np.bool_] = np.zeros((0, 0), bool)

    # -- growing ------------------------------------------------------------------------------

    def place(self, view: View) -> None:
        """Cover what this view shows; forgets what another one did."""
        sy, sx = view.steps
        self._scale = (max(1.0, 1 / sy), max(1.0, 1 / sx))
        part = view.visible_image
        self._level = Rect.from_bounds(
            math.floor(part.y / self._scale[0]),
            math.floor(part.x / self._scale[1]),
            math.ceil(part.bottom / self._scale[0]),
            math.ceil(part.right / self._scale[1]),
        ).grown(16)
        self._mask = np.zeros((self._level.height, self._level.width), bool)
        if self.path:
            self._cover(self.path)

    def extend(self, points: list[Point], view: View) -> Rect:
        """Go on to these points; gives the zoomed pixels that may look different now."""
        piece = [*self.path[-1:], *points]
        self.path.extend(points)
        fresh = self._cover(piece)
        if fresh.is_empty:
            return fresh
        fy, fx = self._scale
        sy, sx = view.steps
        height, width = view.zoomed
        return Rect.from_bounds(
            math.floor(fresh.y * fy * sy) - 1,
            math.floor(fresh.x * fx * sx) - 1,
            math.ceil(fresh.bottom * fy * sy) + 1,
            math.ceil(fresh.right * fx * sx) + 1,
        ).intersect(Rect(0, 0, height, width))

    def bounds(self, view: View) -> Rect:
        """The zoomed pixels that the whole stroke may touch."""
        if not self.path:
            return Rect(0, 0, 0, 0)
        sy, sx = view.steps
        rect = stroke_bounds(self.path, self.radius, (1 / sy, 1 / sx)).grown(2)
        return rect.intersect(Rect(0, 0, *view.zoomed))

    def _cover(self, piece: list[Point]) -> Rect:
        """Rasterise a piece; gives the bounds, in the level's pixels, of what it added."""
        part = stroke_bounds(piece, self.radius, self._scale).intersect(self._level)
        if part.is_empty:
            return part
        mask = stroke_mask(piece, self.radius, part, square=self.square, scale=self._scale)
        known = self._mask[part.shifted(-self._level.y, -self._level.x).slices]
        # A wide brush that moves a little adds a crescent only: less to draw again.
        fresh = mask & ~known
        rows = np.flatnonzero(fresh.any(axis=1))
        if not rows.size:
            return Rect(0, 0, 0, 0)
        columns = np.flatnonzero(fresh.any(axis=0))
        known |= mask
        return Rect.from_bounds(
            part.y + int(rows[0]),
            part.x + int(columns[0]),
            part.y + int(rows[-1]) + 1,
            part.x + int(columns[-1]) + 1,
        )

    # -- for composing ------------------------------------------------------------------------

    def covered(
        self, rect: Rect, steps: tuple[float, float], shape: tuple[int, int]
    ) -> NDArray[np.bool_] | None:
        """Which zoomed pixels of `rect` it covers, (h, w) bool; None for none."""
        rows = self._places(rect.y, rect.bottom, steps[0], shape[0], 0)
        columns = self._places(rect.x, rect.right, steps[1], shape[1], 1)
        if (
            rows[-1] < 0
            or columns[-1] < 0
            or rows[0] >= self._level.height
            or columns[0] >= self._level.width
        ):
            return None
        inside_rows = (rows >= 0) & (rows < self._level.height)
        inside_columns = (columns >= 0) & (columns < self._level.width)
        height, width = self._mask.shape
        found = self._mask.take(np.clip(rows, 0, height - 1), axis=0)
        found = found.take(np.clip(columns, 0, width - 1), axis=1)
        if not inside_rows.all():
            found[~inside_rows] = False
        if not inside_columns.all():
            found[:, ~inside_columns] = False
        return found

    def _places(self, start: int, stop: int, step: float, size: int, axis: int) -> NDArray[np.intp]:
        """The level's rows or columns under the centres of zoomed pixels, from its corner."""
        corner = self._level.y if axis == 0 else self._level.x
        if self._scale[axis] == 1.0:
            return centres(start, stop, step, size) - corner
        return np.arange(start, stop) - corner

    def allowed(
        self,
        classes: NDArray[np.uint16],
        origins: NDArray[Any] | None,
        rect: Rect,
        steps: tuple[float, float],
        shape: tuple[int, int],
    ) -> NDArray[np.bool_]:
        """Where the guard lets it paint, by what is on the screen, (h, w) bool."""
        guard = self.guard
        if self.class_id in guard.locked:
            return np.zeros(classes.shape, bool)
        if guard.is_open:
            return np.ones(classes.shape, bool)
        allowed = replace(guard, region=None).allows(classes, origins, rect)
        if guard.region is not None:
            rows = centres(rect.y, rect.bottom, steps[0], shape[0])
            columns = centres(rect.x, rect.right, steps[1], shape[1])
            region = guard.region
            allowed &= ((rows >= region.y) & (rows < region.bottom))[:, None]
            allowed &= ((columns >= region.x) & (columns < region.right))[None, :]
        return allowed
