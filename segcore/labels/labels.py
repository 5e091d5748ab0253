"""Labels: an immutable snapshot of one layer, made of tile handles.

An edit gives a new snapshot that shares every tile it did not touch. So a snapshot can be read
from any thread without a lock, undo is an exchange of handles, and what changed between two
snapshots is where their handles differ.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect, Shape
from segcore.base.dataclass import dataclass
from segcore.labels.patch import Patch, TileChange
from segcore.labels.tiles import (
    LABEL_PLANES,
    PLANES,
    Handle,
    TileArray,
    TileCache,
    TileIndex,
    TileShape,
    tile_for,
    uniform,
)

_NO_TILES: Mapping[TileIndex, Handle] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Labels:
    """A snapshot of a layer.

    Parameters
    ----------
    layer : uuid of the layer.
    shape : size of the grid in voxels.
    tile : shape of its tiles; belongs to the layer.
    planes : plane name -> tile index -> handle; a missing tile is uniform with value `fill`
        (in plane ``class``) or 0 (in the others).
    cache : where the tiles' arrays are.
    """

    layer: str
    shape: Shape
    tile: TileShape
    planes: Mapping[str, Mapping[TileIndex, Handle]]
    cache: TileCache
    fill: int = 0
    _missing: dict[str, Handle] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        missing = {plane: uniform(self.fill if plane == "class" else 0) for plane in PLANES}
        object.__setattr__(self, "_missing", missing)

    # -- making -------------------------------------------------------------------------------

    @classmethod
    def empty(
        cls,
        shape: Shape,
        *,
        cache: TileCache | None = None,
        layer: str | None = None,
        tile: TileShape | None = None,
        fill: int = 0,
    ) -> Labels:
        """A layer in which nothing has been looked at yet."""
        return cls(
            layer=layer or str(uuid.uuid4()),
            shape=Shape(*shape),
            tile=tile or tile_for(Shape(*shape)),
            planes=MappingProxyType({}),
            cache=cache if cache is not None else TileCache(),
            fill=fill,
        )

    @classmethod
    def from_array(
        cls,
        classes: NDArray[Any],
        *,
        cache: TileCache | None = None,
        layer: str | None = None,
        **planes: NDArray[Any],
    ) -> Labels:
        """A layer from whole arrays, (y, x) or (z, y, x); further planes by name."""
        arrays = {
            plane: array[None] if array.ndim == 2 else array
            for plane, array in {"class": classes, **planes}.items()
        }
        empty = cls.empty(Shape(*arrays["class"].shape), cache=cache, layer=layer)
        return empty.with_tiles(
            (plane, index, handle)
            for plane, array in arrays.items()
            for index, handle in empty._cut(plane, array)
        )

    def _cut(self, plane: str, array: NDArray[Any]) -> Iterator[tuple[TileIndex, Handle]]:
        if array.shape != tuple(self.shape):
            raise ValueError(f"plane {plane} has shape {array.shape}, the layer {self.shape}")
        tz, ty, tx = self.tile
        for index in self.all_tiles():
            block = array[
                index.z * tz : (index.z + 1) * tz,
                index.y * ty : (index.y + 1) * ty,
                index.x * tx : (index.x + 1) * tx,
            ]
            whole = np.full(self.tile, 0, PLANES[plane])
            whole[: block.shape[0], : block.shape[1], : block.shape[2]] = block
            if block.shape != self.tile and (block == block.flat[0]).all():
                whole[...] = block.flat[
                    0
                ]  # what lies outside the image may complete a uniform tile
            yield index, self.cache.put(whole)

    def with_tiles(self, tiles: Iterable[tuple[str, TileIndex, Handle]]) -> Labels:
        """A snapshot with these tiles exchanged; all others are shared with this one."""
        planes: dict[str, Mapping[TileIndex, Handle]] = dict(self.planes)
        fresh: dict[str, dict[TileIndex, Handle]] = {}
        for plane, index, handle in tiles:
            if plane not in fresh:
                planes[plane] = fresh[plane] = dict(self.planes.get(plane, _NO_TILES))
            if handle == self._missing[plane]:
                fresh[plane].pop(index, None)
            else:
                fresh[plane][index] = handle
        return Labels(
            self.layer, self.shape, self.tile, MappingProxyType(planes), self.cache, self.fill
        )

    def after(self, patch: Patch) -> Labels:
        """The snapshot once `patch` is done (its changes to other layers are passed over)."""
        return self.with_tiles(
            (c.plane, c.at, c.after) for c in patch.changes if c.layer == self.layer
        )

    def before(self, patch: Patch) -> Labels:
        """The snapshot with `patch` undone."""
        return self.with_tiles(
            (c.plane, c.at, c.before) for c in patch.changes if c.layer == self.layer
        )

    # -- tiles --------------------------------------------------------------------------------

    def tiles(self, plane: str = "class") -> Mapping[TileIndex, Handle]:
        """The tiles of a plane that are not missing."""
        return self.planes.get(plane, _NO_TILES)

    def handle(self, plane: str, index: TileIndex) -> Handle:
        """The handle at a place; that of a uniform tile where the tile is missing."""
        return self.planes.get(plane, _NO_TILES).get(index, self._missing[plane])

    def tile_array(self, plane: str, index: TileIndex) -> TileArray:
        """The whole tile (tz, ty, tx), read-only; at the rim it reaches beyond the image."""
        return self.cache.get(self.handle(plane, index), plane, self.tile)

    def tile_resident(self, plane: str, index: TileIndex) -> TileArray | None:
        """As `tile_array`, but None where the store would have to be read."""
        return self.cache.resident(self.handle(plane, index), plane, self.tile)

    def all_tiles(self) -> Iterator[TileIndex]:
        """Every place of the grid, row by row."""
        tz, ty, tx = self.tile
        for z in range(-(-self.shape.z // tz)):
            for y in range(-(-self.shape.y // ty)):
                for x in range(-(-self.shape.x // tx)):
                    yield TileIndex(z, y, x)

    def tiles_in(self, rect: Rect, z: int = 0) -> Iterator[TileIndex]:
        """The places whose tile meets the rectangle in slice `z`, row by row."""
        rect = rect.intersect(self.extent)
        if rect.is_empty or not 0 <= z < self.shape.z:
            return
        tz, ty, tx = self.tile
        for y in range(rect.y // ty, -(-rect.bottom // ty)):
            for x in range(rect.x // tx, -(-rect.right // tx)):
                yield TileIndex(z // tz, y, x)

    def tile_rect(self, index: TileIndex) -> tuple[int, Rect]:
        """First slice of a tile and the part of the image that it covers."""
        tz, ty, tx = self.tile
        rect = Rect(index.y * ty, index.x * tx, ty, tx).intersect(self.extent)
        return index.z * tz, rect

    @property
    def extent(self) -> Rect:
        """The whole slice."""
        return Rect(0, 0, self.shape.y, self.shape.x)

    def changed_tiles(self, other: Labels) -> set[tuple[str, TileIndex]]:
        """Where the two snapshots of one layer have different tiles."""
        changed: set[tuple[str, TileIndex]] = set()
        for plane in {*self.planes, *other.planes}:
            mine, theirs = self.tiles(plane), other.tiles(plane)
            if mine is theirs:
                continue
            for index in mine.keys() | theirs.keys():
                if self.handle(plane, index) != other.handle(plane, index):
                    changed.add((plane, index))
        return changed

    def difference(self, other: Labels) -> tuple[TileChange, ...]:
        """The tile changes that lead from this snapshot to `other`, in a fixed order."""
        return tuple(
            TileChange(
                self.layer, plane, index, self.handle(plane, index), other.handle(plane, index)
            )
            for plane, index in sorted(self.changed_tiles(other))
        )

    # -- pixels -------------------------------------------------------------------------------

    def read(self, rect: Rect | None = None, z: int = 0, plane: str = "class") -> NDArray[Any]:
        """Pixels of one slice.

        Parameters
        ----------
        rect : the part to read, inside the image; None for the whole slice.
        z : slice.
        plane : ``class`` (uint16 ids, 0 = unlabelled), ``instance`` (uint32), ``origin``
            (uint16), ``confidence`` or ``margin`` (uint8).

        Returns
        -------
        (rect.height, rect.width) array of the plane's dtype; the caller's own.

        Raises
        ------
        IndexError : the rectangle or slice is not inside the image.
        """
        rect = self.extent if rect is None else rect
        if not 0 <= z < self.shape.z or rect.intersect(self.extent) != rect:
            raise IndexError(f"{rect} in slice {z} is not inside {self.shape}")
        tz, ty, tx = self.tile
        out = np.full((rect.height, rect.width), 0, PLANES[plane])
        if plane == "class" and self.fill:
            out[...] = self.fill
        tiles = self.planes.get(plane, _NO_TILES)
        for index in self.tiles_in(rect, z) if tiles else ():
            handle = tiles.get(index)
            if handle is None:
                continue
            part = Rect(index.y * ty, index.x * tx, ty, tx).intersect(rect)
            source = part.shifted(-index.y * ty, -index.x * tx).slices
            target = part.shifted(-rect.y, -rect.x).slices
            out[target] = self.cache.get(handle, plane, self.tile)[z % tz][source]
        return out

    def read_volume(self, plane: str = "class") -> NDArray[Any]:
        """All slices, (z, y, x)."""
        return np.stack([self.read(None, z, plane) for z in range(self.shape.z)])

    def has_plane(self, plane: str) -> bool:
        """True if any tile of the plane differs from the fill value."""
        return bool(self.planes.get(plane))

    def counts(self, plane: str = "class") -> dict[int, int]:
        """Pixels of each value that occurs, over all slices; uniform tiles cost nothing."""
        totals: dict[int, int] = {}
        for index in self.all_tiles():
            z0, rect = self.tile_rect(index)
            depth = min(self.tile[0], self.shape.z - z0)
            handle = self.handle(plane, index)
            if handle < 0:
                value = -1 - handle
                totals[value] = totals.get(value, 0) + depth * rect.area
                continue
            block = self.tile_array(plane, index)[:depth, : rect.height, : rect.width]
            for value, number in _count(block):
                totals[value] = totals.get(value, 0) + number
        return totals


def _count(block: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """The values of a block and how often each occurs."""
    if block.dtype.itemsize > 2:
        values, numbers = np.unique(block, return_counts=True)
        yield from zip(values.tolist(), numbers.tolist(), strict=True)
        return
    # np.unique sorts; a table of 65536 is ten times as fast on a tile.
    table = np.bincount(block.reshape(-1))
    for value in np.flatnonzero(table).tolist():
        yield value, int(table[value])


__all__ = ["LABEL_PLANES", "Labels"]
