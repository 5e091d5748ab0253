"""View: the one transform between the picture and the screen.

Image coordinates are continuous, pixel (row i, column j) is the square [i, i + 1) x [j, j + 1).
Screen coordinates are device pixels of the canvas. Between the two lies the **zoomed** grid: the
picture scaled, neither turned nor moved, in whole device pixels from the picture's corner. That
corner sits on a whole device pixel always, so a zoomed pixel is exactly one pixel of the screen,
turned over or not, and what was composed for one place can be blitted at another.

Knows no Qt.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass

MAX_SCALE = 128.0
# Far below what a screen resolves, far above what a float64 loses at 10^5 pixels.
_HAIR = 1e-9
# At least this much of the picture stays on the canvas however far it is dragged.
_KEPT = 48


@dataclass(frozen=True)
class View:
    """Where the picture lies on the canvas. Every pair is (y, x).

    Parameters
    ----------
    shape : rows and columns of the picture, in pixels.
    size : height and width of the canvas in device pixels.
    scale : device pixels per image pixel along x.
    aspect : height of a pixel over its width (spacing y / spacing x).
    origin : the device pixel at which the picture's corner (0, 0) lies.
    rotation : 0, 90, 180 or 270 degrees clockwise, done after the flips.
    flip_y, flip_x : the picture is turned over vertically, horizontally.
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    scale: float = 1.0
    aspect: float = 1.0
    origin: tuple[int, int] = (0, 0)
    rotation: int = 0
    flip_y: bool = False
    flip_x: bool = False

    # -- geometry -----------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[float, float]:
        """Device pixels per image pixel along the image's y and x."""
        return self.scale * self.aspect, self.scale

    @property
    def zoomed(self) -> tuple[int, int]:
        """Height and width of the zoomed grid; the last row and column may be partly empty."""
        sy, sx = self.steps
        return max(1, _ceil(self.shape[0] * sy)), max(1, _ceil(self.shape[1] * sx))

    def _directions(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the image's y and its x point on the screen, each (y, x)."""
        down, right = (-1 if self.flip_y else 1, 0), (0, -1 if self.flip_x else 1)
        for _ in range(self.rotation // 90 % 4):
            down, right = (down[1], -down[0]), (right[1], -right[0])
        return down, right

    def to_screen(self, y: float, x: float) -> tuple[float, float]:
        """Image coordinates to device pixels."""
        down, right = self._directions()
        sy, sx = self.steps
        zy, zx = y * sy, x * sx
        return (
            zy * down[0] + zx * right[0] + self.origin[0],
            zy * down[1] + zx * right[1] + self.origin[1],
        )

    def to_image(self, y: float, x: float) -> tuple[float, float]:
        """Device pixels to image coordinates, also outside of the picture."""
        down, right = self._directions()
        sy, sx = self.steps
        dy, dx = y - self.origin[0], x - self.origin[1]
        return (dy * down[0] + dx * down[1]) / sy, (dy * right[0] + dx * right[1]) / sx

    def point_at(self, y: float, x: float) -> tuple[float, float]:
        """The image point of the mouse at device pixels (y, x).

        The mouse names the upper left corner of a device pixel. Where the picture is turned, that
        corner is the far edge of the image pixel that is seen there, and would be floored to its
        neighbour; so it is drawn a hair inside.
        """
        iy, ix = self.to_image(y, x)
        down, right = self._directions()
        return iy - (_HAIR if sum(down) < 0 else 0.0), ix - (_HAIR if sum(right) < 0 else 0.0)

    def pixel_at(self, y: float, x: float) -> tuple[int, int] | None:
        """The image pixel under a place on the screen, or None beside the picture."""
        iy, ix = self.point_at(y, x)
        row, column = math.floor(iy), math.floor(ix)
        if 0 <= row < self.shape[0] and 0 <= column < self.shape[1]:
            return row, column
        return None

    def screen_rect(self, rect: Rect) -> Rect:
        """A rectangle of the zoomed grid as device pixels of the canvas."""
        down, right = self._directions()
        corners = [
            (
                zy * down[0] + zx * right[0] + self.origin[0],
                zy * down[1] + zx * right[1] + self.origin[1],
            )
            for zy, zx in ((rect.y, rect.x), (rect.bottom, rect.right))
        ]
        return _spanned(corners)

    def zoomed_rect(self, rect: Rect) -> Rect:
        """A rectangle of device pixels as the zoomed grid's, cut to the picture."""
        down, right = self._directions()
        corners = []
        for y, x in ((rect.y, rect.x), (rect.bottom, rect.right)):
            dy, dx = y - self.origin[0], x - self.origin[1]
            corners.append((dy * down[0] + dx * down[1], dy * right[0] + dx * right[1]))
        height, width = self.zoomed
        return _spanned(corners).intersect(Rect(0, 0, height, width))

    def zoomed_of_image(self, rect: Rect) -> Rect:
        """The zoomed pixels that a rectangle of the picture touches."""
        sy, sx = self.steps
        height, width = self.zoomed
        return Rect.from_bounds(
            math.floor(rect.y * sy),
            math.floor(rect.x * sx),
            _ceil(rect.bottom * sy),
            _ceil(rect.right * sx),
        ).intersect(Rect(0, 0, height, width))

    @property
    def visible(self) -> Rect:
        """The part of the zoomed grid that is on the canvas."""
        return self.zoomed_rect(Rect(0, 0, *self.size))

    @property
    def visible_image(self) -> Rect:
        """The pixels of the picture that are at least partly on the canvas."""
        sy, sx = self.steps
        part = self.visible
        return Rect.from_bounds(
            math.floor(part.y / sy),
            math.floor(part.x / sx),
            _ceil(part.bottom / sy),
            _ceil(part.right / sx),
        ).intersect(Rect(0, 0, *self.shape))

    def oriented(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """An array (y, x, ...) of the zoomed grid as it lies on the screen; a view of it."""
        if self.flip_y:
            pixels = pixels[::-1]
        if self.flip_x:
            pixels = pixels[:, ::-1]
        turns = self.rotation // 90 % 4
        return np.rot90(pixels, -turns) if turns else pixels

    @property
    def orientation(self) -> tuple[int, bool, bool]:
        """What `oriented` depends on."""
        return self.rotation // 90 % 4, self.flip_y, self.flip_x

    # -- other views --------------------------------------------------------------------------

    def moved_to(self, y: float, x: float, at: tuple[float, float]) -> View:
        """With image point (y, x) at the device pixels `at`, to within half a pixel."""
        sy, sx = self.to_screen(y, x)
        origin = (
            self.origin[0] + _round(at[0] - sy),
            self.origin[1] + _round(at[1] - sx),
        )
        return replace(self, origin=origin)

    def panned(self, dy: float, dx: float) -> View:
        """Moved by device pixels; some of the picture stays on the canvas."""
        moved = replace(self, origin=(self.origin[0] + _round(dy), self.origin[1] + _round(dx)))
        return moved._kept()

    def zoomed_at(self, y: float, x: float, scale: float) -> View:
        """At another scale, with the image point at device pixels (y, x) staying there."""
        point = self.to_image(y, x)
        scale = min(max(scale, self.least_scale), MAX_SCALE)
        return replace(self, scale=scale).moved_to(*point, (y, x))._kept()

    def fitted(self, margin: int = 0, below: int = 0) -> View:
        """The whole picture, as large as it fits with `margin` device pixels around, centred.

        Parameters
        ----------
        below : device pixels at the lower edge that something else covers.
        """
        fitting = replace(self, scale=self._fitting_scale(margin, below))
        middle = self.shape[0] / 2, self.shape[1] / 2
        lower = max(margin, below)
        return fitting.moved_to(*middle, ((self.size[0] + margin - lower) / 2, self.size[1] / 2))

    def resized(self, size: tuple[int, int]) -> View:
        """On a canvas of another size, with the same point in its middle."""
        point = self.to_image(self.size[0] / 2, self.size[1] / 2)
        return replace(self, size=size).moved_to(*point, (size[0] / 2, size[1] / 2))

    def turned(self, rotation: int, flip_y: bool, flip_x: bool) -> View:
        """In another orientation, with the same point in the middle."""
        middle = self.size[0] / 2, self.size[1] / 2
        point = self.to_image(*middle)
        turned = replace(self, rotation=rotation % 360, flip_y=flip_y, flip_x=flip_x)
        return turned.moved_to(*point, middle)

    @property
    def least_scale(self) -> float:
        """The smallest scale to zoom out to: a quarter of what fits, or life size."""
        return min(1.0, self._fitting_scale(0) / 4)

    def _fitting_scale(self, margin: int, below: int = 0) -> float:
        height, width = self.shape[0] * self.aspect, float(self.shape[1])
        if self.rotation % 180:
            height, width = width, height
        room_y = max(1, self.size[0] - margin - max(margin, below))
        room_x = max(1, self.size[1] - 2 * margin)
        return min(room_y / max(height, 1e-9), room_x / max(width, 1e-9), MAX_SCALE)

    def _kept(self) -> View:
        height, width = self.zoomed
        place = self.screen_rect(Rect(0, 0, height, width))
        kept_y, kept_x = min(_KEPT, place.height), min(_KEPT, place.width)
        dy = max(kept_y - place.bottom, 0) + min(self.size[0] - kept_y - place.y, 0)
        dx = max(kept_x - place.right, 0) + min(self.size[1] - kept_x - place.x, 0)
        return replace(self, origin=(self.origin[0] + dy, self.origin[1] + dx))


def _spanned(corners: list[tuple[int, int]]) -> Rect:
    (ay, ax), (by, bx) = corners
    return Rect.from_bounds(min(ay, by), min(ax, bx), max(ay, by), max(ax, bx))


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _ceil(value: float) -> int:
    # A product such as 3 * (1 / 3 * 100) must not gain a pixel by its last binary digit.
    return math.ceil(value - 1e-9)
