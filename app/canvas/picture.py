"""The picture at the resolution of the screen, through its window, in colours that Qt can blit.

Zoomed out, it starts from the coarsest level that still has more pixels than the screen: one of
the file's own where it has them, else one made here by averaging. Smooth below 200 %, squares
from there on. Nothing here runs on the GUI thread unless the level is already decoded.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.canvas.grid import tile_rect, tiles_over
from app.canvas.sampling import centres
from segcore.base import Rect
from segcore.images import ImageSource, to_display

SMOOTH_BELOW = 2.0
_PIECES_BYTES = 96 << 20
_RESIZABLE = tuple(np.dtype(t) for t in (np.uint8, np.uint16, np.int16, np.float32, np.float64))


class Picture:
    """One open image for the canvas; safe from any thread.

    Parameters
    ----------
    source : the image; its `read` is the only thing that decodes.
    serial : a number of its own; part of the keys of composed tiles.
    """

    def __init__(self, source: ImageSource, serial: int, limit_bytes: int = 256 << 20) -> None:
        self.source = source
        self.serial = serial
        self.shape = (source.shape.y, source.shape.x)
        self._limit = limit_bytes
        self._lock = threading.RLock()
        self._made: OrderedDict[tuple[int, int], NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._pieces: OrderedDict[Any, NDArray[np.uint8]] = OrderedDict()
        self._piece_bytes = 0

    def piece(
        self,
        z: int,
        rect: Rect,
        zoomed: tuple[int, int],
        steps: tuple[float, float],
        window: tuple[float, float],
        *,
        resident_only: bool = False,
    ) -> NDArray[np.uint8] | None:
        """As `tile`, out of kept tiles of the grid: a stroke asks for the same ones all the time.

        Parameters
        ----------
        zoomed : size of the zoomed grid.
        resident_only : give None instead of decoding or shrinking anything.
        """
        out: NDArray[np.uint8] | None = None
        for place in tiles_over(rect):
            whole = tile_rect(place, zoomed)
            key = (z, steps, window, place)
            with self._lock:
                tile = self._pieces.get(key)
                if tile is not None:
                    self._pieces.move_to_end(key)
            if tile is None:
                if resident_only and not self._is_decoded(z, steps):
                    return None
                tile = self._keep(key, self.tile(z, whole, steps, window))
            if whole == rect:
                return tile
            if out is None:
                out = np.empty((rect.height, rect.width, 3), np.uint8)
            part = whole.intersect(rect)
            target = out[part.shifted(-rect.y, -rect.x).slices]
            target[...] = tile[part.shifted(-whole.y, -whole.x).slices]
        return out

    def _keep(self, key: Any, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        tile.setflags(write=False)
        with self._lock:
            if key not in self._pieces:
                self._pieces[key] = tile
                self._piece_bytes += tile.nbytes
            while self._piece_bytes > _PIECES_BYTES and len(self._pieces) > 1:
                _, dropped = self._pieces.popitem(last=False)
                self._piece_bytes -= dropped.nbytes
        return tile

    def _is_decoded(self, z: int, steps: tuple[float, float]) -> bool:
        """True if `tile` at this slice and zoom will neither decode nor shrink anything."""
        level, halvings = self._choose(steps)
        if halvings:
            with self._lock:
                return (z, halvings) in self._made
        return self.source.is_resident(level, z)

    def tile(
        self, z: int, rect: Rect, steps: tuple[float, float], window: tuple[float, float]
    ) -> NDArray[np.uint8]:
        """A rectangle of the zoomed grid, (h, w, 3) uint8 in the order blue, green, red.

        Parameters
        ----------
        rect : of the zoomed grid, inside it, not empty.
        steps : zoomed pixels per image pixel, (y, x).
        window : values shown black and white.

        Raises
        ------
        BadFile : the file's pixels turn out to be damaged.
        """
        level, halvings = self._choose(steps)
        grid = self._grid(level, halvings)
        # The exact quotient of the sizes; powers of two drift apart over a large picture.
        step_y, step_x = steps[0] * self.shape[0] / grid[0], steps[1] * self.shape[1] / grid[1]
        smooth = min(steps) < SMOOTH_BELOW
        border = 1 if smooth else 0
        part = Rect.from_bounds(
            int((rect.y + 0.5) / step_y) - border,
            int((rect.x + 0.5) / step_x) - border,
            int((rect.bottom - 0.5) / step_y) + 1 + border,
            int((rect.right - 0.5) / step_x) + 1 + border,
        ).intersect(Rect(0, 0, *grid))
        pixels = self._read(z, part, level, halvings)
        if pixels is None:  # a large picture is being decoded; it is asked for again then
            return np.zeros((rect.height, rect.width, 3), np.uint8)
        shown = to_display(pixels, *window, invert=self.source.invert)
        bgr = cv2.cvtColor(shown, cv2.COLOR_RGB2BGR)
        if not smooth:
            rows = centres(rect.y, rect.bottom, step_y, grid[0]) - part.y
            columns = centres(rect.x, rect.right, step_x, grid[1]) - part.x
            out: NDArray[np.uint8] = bgr.take(rows, axis=0).take(columns, axis=1)
            return out
        # Pixel centres lie at whole numbers for cv2, at + 0.5 for us.
        to_source = np.array(
            [
                [1 / step_x, 0.0, (rect.x + 0.5) / step_x - 0.5 - part.x],
                [0.0, 1 / step_y, (rect.y + 0.5) / step_y - 0.5 - part.y],
            ]
        )
        return np.asarray(
            cv2.warpAffine(
                bgr,
                to_source,
                (rect.width, rect.height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )

    def reads_at_once(self, z: int) -> bool:
        """True if `values_at` in this slice only looks into memory."""
        return self.source.is_resident(0, z)

    def values_at(self, z: int, y: int, x: int) -> tuple[float, ...]:
        """The values of one pixel in each channel, as the file has them."""
        return tuple(float(v) for v in self.source.read(z, Rect(y, x, 1, 1))[0, 0])

    # -- levels -------------------------------------------------------------------------------

    def _choose(self, steps: tuple[float, float]) -> tuple[int, int]:
        """Level of the file, and how often it is halved further, for a zoom."""
        reduction = 1 / max(steps)
        levels = self.source.levels
        level = max(
            (i for i, known in enumerate(levels) if max(known.scale) <= reduction + 1e-9), default=0
        )
        rest = reduction / max(levels[level].scale)
        return level, max(0, int(np.floor(np.log2(max(rest, 1e-9)) + 1e-9)))

    def _grid(self, level: int, halvings: int) -> tuple[int, int]:
        shape = self.source.levels[level].shape
        height, width = shape.y, shape.x
        for _ in range(halvings):
            height, width = max(1, (height + 1) // 2), max(1, (width + 1) // 2)
        return height, width

    def _read(self, z: int, part: Rect, level: int, halvings: int) -> NDArray[Any] | None:
        if halvings:
            small = self._halved(z, level, halvings)
            return None if small is None else small[part.slices]
        return self.source.glance(z, part, level)

    def _halved(self, z: int, level: int, halvings: int) -> NDArray[Any] | None:
        key = (z, halvings)
        with self._lock:
            found = self._made.get(key)
            if found is not None:
                self._made.move_to_end(key)
                return found
            if halvings > 1:
                below = self._halved(z, level, halvings - 1)
            else:
                shape = self.source.levels[level].shape
                below = self.source.glance(z, Rect(0, 0, shape.y, shape.x), level)
            if below is None:
                return None
            made = area_halved(below)
            self._made[key] = made
            self._bytes += made.nbytes
            while self._bytes > self._limit and len(self._made) > 1:
                _, dropped = self._made.popitem(last=False)
                self._bytes -= dropped.nbytes
            return made


def area_halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """A picture (y, x, c) at half its size, each pixel the mean of those it stands for."""
    height, width = max(1, (pixels.shape[0] + 1) // 2), max(1, (pixels.shape[1] + 1) // 2)
    known = pixels if pixels.dtype in _RESIZABLE else pixels.astype(np.float32)
    # Only what a screen can show; cv2 takes at most four channels.
    known = np.ascontiguousarray(known[..., :3] if known.shape[2] > 3 else known)
    small: NDArray[Any] = cv2.resize(known, (width, height), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 3 else small[..., np.newaxis]
