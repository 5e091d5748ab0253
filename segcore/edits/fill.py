"""Fill: give a whole connected region another class with one click."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import cv2
import numpy as np

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.edits.objects import Mask, object_at
from segcore.edits.painting import Painting
from segcore.labels import Labels, TileIndex, is_uniform, uniform_value


@dataclass(frozen=True)
class Fill(Painting):
    """Paint the 4-connected region of one class and one instance that holds a pixel.

    The Guard says which of the region's pixels may change; it does not bound the region.

    Parameters
    ----------
    z : slice; the region does not leave it.
    at : row and column of the pixel.
    class_id : the class to paint; 0 erases.
    instance : the object that the pixels become part of; 0 for none, `OWN` to find it then.
    """

    z: int
    at: tuple[int, int]
    class_id: int
    instance: int = 0

    NAME: ClassVar[str] = "Fill"
    TOOL: ClassVar[str] = "fill"

    @property
    def begins_at(self) -> tuple[int, int] | None:
        return self.at

    def parts(self, labels: Labels) -> Iterator[tuple[Rect, Mask]]:
        yield from connected_region(labels, self.z, self.at)

    def object_in(self, labels: Labels) -> int | None:
        """As for other edits, but a hole belongs to the object that is all around it."""
        if not labels.extent.contains(*self.at):
            return None
        inside = _class_and_instance(labels, self.z, self.at)
        around = None if inside[0] == self.class_id else _around(labels, self.z, self.at, inside)
        if around is not None and around[0] == self.class_id:
            return around[1]
        return object_at(labels, self.z, self.at, self.class_id)


def _class_and_instance(labels: Labels, z: int, at: tuple[int, int]) -> tuple[int, int]:
    pixel = Rect(*at, 1, 1)
    return int(labels.read(pixel, z)[0, 0]), int(labels.read(pixel, z, "instance")[0, 0])


def _around(
    labels: Labels, z: int, at: tuple[int, int], inside: tuple[int, int]
) -> tuple[int, int] | None:
    """Class and instance of all that a pixel's region borders on; None if that is not one."""
    found: set[tuple[int, int]] = set()
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for rect, mask in connected_region(labels, z, at):
        wide = rect.grown(1).intersect(labels.extent)
        region = np.zeros((wide.height, wide.width), np.uint8)
        region[rect.shifted(-wide.y, -wide.x).slices] = mask
        rim = cv2.dilate(region, cross) > region
        pairs = np.stack([labels.read(wide, z, plane)[rim] for plane in ("class", "instance")])
        found.update((int(c), int(n)) for c, n in np.unique(pairs, axis=1).T)
        # Where the region goes on in the next tile, its own pixels lie on the rim.
        found.discard(inside)
        if len(found) > 1:
            return None
    return found.pop() if found else None


def connected_region(labels: Labels, z: int, at: tuple[int, int]) -> list[tuple[Rect, Mask]]:
    """The 4-connected region of one class and instance around a pixel, tile by tile.

    The flood goes from tile to tile through their common borders, so its cost follows the tiles
    that the region meets and not the size of the image.

    Returns
    -------
    Rectangles and masks (h, w) bool of the tiles that hold a part of the region; empty if the
    pixel is outside the image.
    """
    start = next(iter(labels.tiles_in(Rect(*at, 1, 1), z)), None)
    if start is None:
        return []
    z0, rect = labels.tile_rect(start)
    y, x = at[0] - rect.y, at[1] - rect.x
    wanted = tuple(
        int(labels.tile_array(plane, start)[z - z0, y, x]) for plane in ("class", "instance")
    )
    first = np.zeros((rect.height, rect.width), bool)
    first[y, x] = True
    reached: dict[TileIndex, Mask] = {}
    complete: set[TileIndex] = set()
    waiting: dict[TileIndex, Mask] = {start: first}
    while waiting:
        index, entries = waiting.popitem()
        _, rect = labels.tile_rect(index)
        free = _alike(labels, index, z, wanted)
        if index in reached:
            free = free & ~reached[index]
        fresh = _components_with(free, entries)
        if not fresh.any():
            continue
        reached[index] = reached[index] | fresh if index in reached else fresh
        if reached[index].all():
            complete.add(index)
        for step_y, step_x, leaves, enters in _BORDERS:
            neighbour = TileIndex(index.z, index.y + step_y, index.x + step_x)
            line = fresh[leaves]
            if neighbour in complete or not line.any():
                continue
            _, beside = labels.tile_rect(neighbour)
            if beside.is_empty:
                continue
            if neighbour not in waiting:
                waiting[neighbour] = np.zeros((beside.height, beside.width), bool)
            waiting[neighbour][enters] |= line
    return [(labels.tile_rect(index)[1], mask) for index, mask in sorted(reached.items())]


# Step to a neighbour, the line that leaves a tile, and the line of the neighbour that it enters.
_BORDERS = (
    (-1, 0, np.s_[0, :], np.s_[-1, :]),
    (1, 0, np.s_[-1, :], np.s_[0, :]),
    (0, -1, np.s_[:, 0], np.s_[:, -1]),
    (0, 1, np.s_[:, -1], np.s_[:, 0]),
)


def _alike(labels: Labels, index: TileIndex, z: int, wanted: tuple[int, ...]) -> Mask:
    """Where a tile has the class and the instance, (h, w); of a uniform one no pixel is read."""
    z0, rect = labels.tile_rect(index)
    alike: Mask = np.broadcast_to(np.True_, (rect.height, rect.width))
    for plane, value in zip(("class", "instance"), wanted, strict=True):
        handle = labels.handle(plane, index)
        if is_uniform(handle):
            same: Mask = np.broadcast_to(uniform_value(handle) == value, alike.shape)
        else:
            tile = labels.tile_array(plane, index)[z - z0, : rect.height, : rect.width]
            same = np.asarray(tile == value)
        alike = same if alike.strides == (0, 0) and alike.flat[0] else alike & same
    return alike


def _components_with(free: Mask, entries: Mask) -> Mask:
    """The 4-connected components of `free` that hold a pixel of `entries`."""
    seeds = free & entries
    if not seeds.any():
        return seeds
    if free.all():
        return free
    _, numbers = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
    chosen = np.zeros(int(numbers.max()) + 1, bool)
    chosen[numbers[seeds]] = True
    return np.asarray(chosen[numbers], bool)
