"""Label planes at the resolution of the screen, always nearest, with coarse levels for zooming out.

A zoomed pixel shows the label under its centre. Zoomed out by more than two, it shows the most
frequent labelled class of the pixels it stands for, out of parents of the label tiles: halves,
quarters... made once per handle. Handles are never used again, so nothing is ever invalidated.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.labels import Labels, TileIndex

# Tiles are cut into powers of two at least this often; coarser ones would lose their grid.
_MAX_LEVEL = 6
# What an entry of the table of parents takes besides its pixels.
_ENTRY_BYTES = 400
# Parents that one call may make on the GUI thread; each takes a fraction of a millisecond.
_PARENTS_NOW = 8


@functools.lru_cache(maxsize=256)
def centres(start: int, stop: int, step: float, size: int) -> NDArray[np.intp]:
    """The image rows (or columns) under the centres of zoomed pixels start .. stop; read-only.

    Kept, because the planes of a tile and the tiles of a row ask for the same ones.
    """
    places = ((np.arange(start, stop) + 0.5) / step).astype(np.intp)
    np.clip(places, 0, size - 1, out=places)
    places.setflags(write=False)
    return places


def image_rect(rect: Rect, steps: tuple[float, float], shape: tuple[int, int]) -> Rect:
    """The image pixels that `centres` names for a rectangle of the zoomed grid."""
    if rect.is_empty:
        return Rect(0, 0, 0, 0)
    rows = centres(rect.y, rect.bottom, steps[0], shape[0])
    columns = centres(rect.x, rect.right, steps[1], shape[1])
    return Rect.from_bounds(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def level_for(steps: tuple[float, float]) -> int:
    """How often the labels are halved before they are sampled at this zoom."""
    return min(_MAX_LEVEL, max(0, math.floor(math.log2(1 / max(min(steps), 1e-6)) + 1e-9)))


def _spread(tile: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Any]:
    """The pixels at these ascending rows and columns.

    Two takes along one axis each are several times faster than one with two indices, along the
    rows faster than along the columns, so that one gets the smaller picture; and faster still
    where numpy need not be ready to refuse an index.
    """
    first = int(rows[0])
    if rows[-1] - first < len(rows):
        few = tile[first : int(rows[-1]) + 1].take(columns, axis=1, mode="clip")
        return few.take(rows - first, axis=0, mode="clip")
    return tile.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")


class LabelSampler:
    """Samples planes of labels; keeps the parents of tiles, bounded in bytes; any thread."""

    def __init__(self, limit_bytes: int = 64 << 20) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._parents: OrderedDict[tuple[Any, ...], NDArray[Any]] = OrderedDict()

    def sample(
        self,
        labels: Labels,
        z: int,
        rect: Rect,
        steps: tuple[float, float],
        plane: str = "class",
        *,
        resident_only: bool = False,
    ) -> NDArray[Any] | None:
        """Labels under the centres of the zoomed pixels of `rect`.

        Parameters
        ----------
        rect : of the zoomed grid, inside it.
        steps : zoomed pixels per image pixel, (y, x).
        plane : "class", "instance" or "origin"; only classes have coarse levels.
        resident_only : give None instead of reading a tile from the store.

        Returns
        -------
        (rect.height, rect.width) of the plane's dtype, the caller's own.
        """
        shape = (labels.shape.y, labels.shape.x)
        rows = centres(rect.y, rect.bottom, steps[0], shape[0])
        columns = centres(rect.x, rect.right, steps[1], shape[1])
        dtype = np.uint32 if plane == "instance" else np.uint16
        out: NDArray[Any] = np.full(
            (rect.height, rect.width), labels.fill if plane == "class" else 0, dtype
        )
        if rect.is_empty or not labels.tiles(plane):
            return out
        level = level_for(steps) if plane == "class" else 0
        covered = Rect.from_bounds(
            int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        )
        allowed = _PARENTS_NOW
        for index in labels.tiles_in(covered, z):
            z0, place = labels.tile_rect(index)
            top, bottom = np.searchsorted(rows, (place.y, place.bottom))
            left, right = np.searchsorted(columns, (place.x, place.right))
            handle = labels.handle(plane, index)
            if handle < 0:
                out[top:bottom, left:right] = -1 - handle
                continue
            if level:
                tile = self._known_parent(labels, index, z - z0, level)
                if tile is None and resident_only:
                    allowed -= 1
                    if allowed < 0:
                        return None
                if tile is None:
                    tile = self._make_parent(labels, index, z - z0, level, resident_only)
            else:
                whole = (
                    labels.tile_resident(plane, index)
                    if resident_only
                    else labels.tile_array(plane, index)
                )
                tile = None if whole is None else whole[z - z0]
            if tile is None:
                return None
            inner_rows = (rows[top:bottom] - place.y) >> level
            inner_columns = (columns[left:right] - place.x) >> level
            if len(inner_rows) and len(inner_columns):
                out[top:bottom, left:right] = _spread(tile, inner_rows, inner_columns)
        return out

    def _known_parent(
        self, labels: Labels, index: TileIndex, z: int, level: int
    ) -> NDArray[Any] | None:
        key = (labels.layer, labels.handle("class", index), z, level)
        with self._lock:
            found = self._parents.get(key)
            if found is not None:
                self._parents.move_to_end(key)
            return found

    def _make_parent(
        self, labels: Labels, index: TileIndex, z: int, level: int, resident_only: bool
    ) -> NDArray[Any] | None:
        """The tile's slice halved `level` times.

        Only the level that is asked for is kept: those between weigh many times more and are
        made again in less than a millisecond.
        """
        key = (labels.layer, labels.handle("class", index), z, level)
        whole = (
            labels.tile_resident("class", index)
            if resident_only
            else labels.tile_array("class", index)
        )
        if whole is None:
            return None
        made: NDArray[Any] = whole[z]
        if int(made.max()) < 256:
            made = made.astype(np.uint8)  # half the bytes, twice the speed
        for _ in range(level):
            made = halved(made)
        with self._lock:
            if key not in self._parents:
                self._parents[key] = made
                self._bytes += made.nbytes + _ENTRY_BYTES
            while self._bytes > self._limit and len(self._parents) > 1:
                _, dropped = self._parents.popitem(last=False)
                self._bytes -= dropped.nbytes + _ENTRY_BYTES
        return made


def halved(classes: NDArray[Any]) -> NDArray[Any]:
    """Each 2 x 2 block as its most frequent labelled class; 0 only where all four are 0.

    Among equally frequent classes the first in reading order wins.
    """
    if classes.shape[0] % 2 or classes.shape[1] % 2:
        classes = np.pad(classes, ((0, classes.shape[0] % 2), (0, classes.shape[1] % 2)))
    a, b = classes[0::2, 0::2], classes[0::2, 1::2]
    c, d = classes[1::2, 0::2], classes[1::2, 1::2]
    won = a.copy()
    mixed = (a != b) | (a != c) | (a != d)
    if not mixed.any():
        return won
    # With four voters a class wins by a pair; without one, the first that is labelled.
    four = [part[mixed] for part in (a, b, c, d)]
    best = four[3].copy()
    for one in reversed(four[:3]):
        np.copyto(best, one, where=one != 0)
    for i, j in ((2, 3), (1, 3), (1, 2), (0, 3), (0, 2), (0, 1)):
        np.copyto(best, four[i], where=(four[i] == four[j]) & (four[i] != 0))
    won[mixed] = best
    return won
