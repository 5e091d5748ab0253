"""Draft: the only way to change labels. It collects writes through a Guard and gives a Patch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.labels.guard import OPEN, Guard
from segcore.labels.labels import Labels
from segcore.labels.patch import FieldChange, Patch, TileChange
from segcore.labels.tiles import (
    LABEL_PLANES,
    PLANES,
    TileArray,
    TileIndex,
    is_uniform,
    uniform_value,
)


class Draft:
    """Writable copies of the tiles that an edit touches, over a snapshot that stays as it is.

    Used by one thread, once: write, then `close`.
    """

    def __init__(self, labels: Labels, guard: Guard = OPEN) -> None:
        self._labels = labels
        self._guard = guard
        self._tiles: dict[tuple[str, TileIndex], TileArray] = {}
        self._gained: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._bounds: tuple[int, int, Rect] | None = None

    def write(
        self,
        z: int,
        rect: Rect,
        mask: NDArray[np.bool_],
        *,
        class_id: int,
        origin: int,
        instance: int = 0,
    ) -> int:
        """Set the pixels under `mask` (rect.height, rect.width) to one class, origin, instance.

        Returns how many pixels changed. Parts outside the image are passed over.
        """
        if class_id in self._guard.locked:
            return 0
        return self._write(z, rect, mask, class_id, origin, instance)

    def write_planes(
        self,
        z: int,
        rect: Rect,
        mask: NDArray[np.bool_],
        *,
        classes: NDArray[Any],
        origin: int,
        instances: NDArray[Any] | None = None,
    ) -> int:
        """Set the pixels under `mask` to the classes and instances given for each, (h, w)."""
        return self._write(z, rect, mask, classes, origin, 0 if instances is None else instances)

    def _write(
        self,
        z: int,
        rect: Rect,
        mask: NDArray[np.bool_],
        classes: int | NDArray[Any],
        origin: int,
        instances: int | NDArray[Any],
    ) -> int:
        changed = 0
        for index in self._labels.tiles_in(rect, z):
            z0, tile_rect = self._labels.tile_rect(index)
            part = tile_rect.intersect(rect)
            inside = part.shifted(-rect.y, -rect.x).slices
            wanted = mask[inside]
            if not wanted.any():
                continue
            if (
                isinstance(classes, int)
                and isinstance(instances, int)
                and self._guard.is_open
                and part == tile_rect
                and self._labels.shape.z == 1
                and wanted.all()
            ):
                whole = self._write_whole(index, z, part, classes, origin, instances)
                if whole is not None:
                    changed += whole
                    continue
            place = (z - z0, *part.shifted(-tile_rect.y, -tile_rect.x).slices)
            new_class = classes if isinstance(classes, int) else classes[inside]
            new_instance = instances if isinstance(instances, int) else instances[inside]
            changed += self._write_tile(
                index, z, part, place, wanted, new_class, origin, new_instance
            )
        return changed

    def _write_whole(
        self, index: TileIndex, z: int, part: Rect, class_id: int, origin: int, instance: int
    ) -> int | None:
        """Set a whole tile of one slice that is uniform; None if it is not.

        The inside of a large brush and of a filled region is made of such tiles. They need no
        array: neither time nor memory follows their pixels.
        """
        new = {"class": class_id, "instance": instance, "origin": origin}
        old = {plane: self._uniform(plane, index) for plane in new}
        if any(value is None for value in old.values()):
            return None
        if new == old or (not class_id and not old["class"]):
            return 0
        for plane, value in new.items():
            if value != old[plane]:
                one = np.array(value, PLANES[plane])
                self._tiles[plane, index] = np.broadcast_to(one, self._labels.tile)
        if class_id != old["class"]:
            lost = int(old["class"] or 0)
            self._lost[lost] = self._lost.get(lost, 0) + part.area
            self._gained[class_id] = self._gained.get(class_id, 0) + part.area
        self._widen(z, part)
        return part.area

    def _uniform(self, plane: str, index: TileIndex) -> int | None:
        """The value of every pixel of a tile as it is now, if it is known without looking."""
        tile = self._tiles.get((plane, index))
        if tile is not None:
            return None if tile.flags.writeable else int(tile.flat[0])
        handle = self._labels.handle(plane, index)
        return uniform_value(handle) if is_uniform(handle) else None

    def _write_tile(
        self,
        index: TileIndex,
        z: int,
        part: Rect,
        place: tuple[int, slice, slice],
        wanted: NDArray[np.bool_],
        new_class: int | NDArray[Any],
        origin: int,
        new_instance: int | NDArray[Any],
    ) -> int:
        old_class = self._read("class", index)[place]
        old_origin = self._read("origin", index)[place]
        old_instance = self._read("instance", index)[place]
        if not self._guard.is_open:
            wanted = wanted & self._guard.allows(old_class, old_origin, part)
            if self._guard.locked and not isinstance(new_class, int):
                for locked in self._guard.locked:
                    wanted = wanted & (new_class != locked)
        # Painting a class over the same class is a statement too (a person confirms a model), so
        # another origin counts as a change. Erasing where nothing is labelled is none.
        other = {
            "class": old_class != new_class,
            "instance": old_instance != new_instance,
            "origin": old_origin != origin,
        }
        differs = wanted & (other["class"] | other["instance"] | other["origin"])
        if not (isinstance(new_class, int) and new_class):
            differs &= (old_class != 0) | (np.asarray(new_class) != 0)
        if not differs.any():
            return 0
        other_class = differs & other["class"]
        self._count(self._lost, old_class[other_class])
        if isinstance(new_class, int):
            self._gained[new_class] = self._gained.get(new_class, 0) + int(other_class.sum())
        else:
            self._count(self._gained, new_class[other_class])
        for plane, value in (("class", new_class), ("instance", new_instance), ("origin", origin)):
            if not (differs & other[plane]).any():
                continue
            tile = self._own(plane, index)
            np.copyto(tile[place], value, where=differs, casting="unsafe")
        self._note(z, part, differs)
        return int(differs.sum())

    @staticmethod
    def _count(totals: dict[int, int], values: NDArray[Any]) -> None:
        if values.size:
            # Class ids are at most 65535: counting beats the sort of np.unique.
            numbers = np.bincount(values)
            for value in np.flatnonzero(numbers).tolist():
                totals[value] = totals.get(value, 0) + int(numbers[value])

    def _note(self, z: int, part: Rect, differs: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(differs.any(axis=1))
        columns = np.flatnonzero(differs.any(axis=0))
        rect = Rect.from_bounds(
            part.y + int(rows[0]),
            part.x + int(columns[0]),
            part.y + int(rows[-1]) + 1,
            part.x + int(columns[-1]) + 1,
        )
        self._widen(z, rect)

    def _widen(self, z: int, rect: Rect) -> None:
        if self._bounds is None:
            self._bounds = (z, z, rect)
        else:
            first, last, seen = self._bounds
            self._bounds = (min(first, z), max(last, z), seen.union(rect))

    def read(self, rect: Rect, z: int, plane: str = "class") -> NDArray[Any]:
        """Pixels as they are with the writes so far, (rect.height, rect.width)."""
        out = self._labels.read(rect, z, plane)
        for index in self._labels.tiles_in(rect, z):
            tile = self._tiles.get((plane, index))
            if tile is not None:
                z0, tile_rect = self._labels.tile_rect(index)
                part = tile_rect.intersect(rect)
                source = part.shifted(-tile_rect.y, -tile_rect.x).slices
                out[part.shifted(-rect.y, -rect.x).slices] = tile[z - z0][source]
        return out

    def _read(self, plane: str, index: TileIndex) -> TileArray:
        tile = self._tiles.get((plane, index))
        return self._labels.tile_array(plane, index) if tile is None else tile

    def _own(self, plane: str, index: TileIndex) -> TileArray:
        tile = self._tiles.get((plane, index))
        if tile is None:
            tile = self._tiles[plane, index] = self._labels.tile_array(plane, index).copy()
        elif not tile.flags.writeable:
            tile = self._tiles[plane, index] = tile.copy()
        return tile

    def close(self, name: str, tool: str, fields: tuple[FieldChange, ...] = ()) -> Patch:
        """Give the changed tiles their handles; the Patch is empty if nothing changed."""
        changes: list[TileChange] = []
        for (plane, index), tile in sorted(self._tiles.items(), key=lambda entry: entry[0]):
            before = self._labels.handle(plane, index)
            original = self._labels.tile_array(plane, index)
            if np.array_equal(tile, original):
                continue
            self._complete_uniform(tile, index)
            after = self._labels.cache.put(tile)
            changes.append(TileChange(self._labels.layer, plane, index, before, after))
        self._tiles.clear()
        pixels = {
            c: (self._gained.get(c, 0), self._lost.get(c, 0))
            for c in sorted({*self._gained, *self._lost})
            if self._gained.get(c, 0) or self._lost.get(c, 0)
        }
        bounds = self._bounds if changes else None
        return Patch(tuple(changes), fields, name, tool, pixels, bounds)

    def _complete_uniform(self, tile: TileArray, index: TileIndex) -> None:
        if not tile.flags.writeable:  # set as a whole, so it is uniform already
            return
        # Beyond the image's rim nothing counts: if the part inside is uniform, the tile is.
        z0, rect = self._labels.tile_rect(index)
        inside = tile[: self._labels.shape.z - z0, : rect.height, : rect.width]
        if inside.size < tile.size and (inside == inside.flat[0]).all():
            tile[...] = inside.flat[0]


__all__ = ["LABEL_PLANES", "Draft"]
