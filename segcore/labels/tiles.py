"""Tiles: the pieces that label planes are made of, and the one cache that holds their arrays.

A tile is named by a **handle**. A handle of 0 or more numbers a stored tile: it grows with every
new tile and is never used again, so equal handles mean equal pixels, and it is the blob's id in
the project's store. A negative handle is a uniform tile of value ``-1 - handle``; it needs no
array at all. Code outside this package knows neither the tile's size nor where its array is.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base import Shape

Handle: TypeAlias = int
TileArray: TypeAlias = NDArray[Any]
TileShape: TypeAlias = tuple[int, int, int]


class TileIndex(NamedTuple):
    """Position of a tile in the grid of tiles."""

    z: int
    y: int
    x: int


PLANES: dict[str, np.dtype[Any]] = {
    "class": np.dtype(np.uint16),
    "instance": np.dtype(np.uint32),
    "origin": np.dtype(np.uint16),
    "confidence": np.dtype(np.uint8),
    "margin": np.dtype(np.uint8),
    "found": np.dtype(np.uint32),
    "ground": np.dtype(np.uint16),
}
"""Planes a layer can have: the first three of every label, the others of predictions.

``found`` and ``ground`` are of models that find objects: the best object at each pixel whatever its
score is, and the class that the pixel has where that object is left out.
"""

LABEL_PLANES = ("class", "instance", "origin")
PICTURE_TILE: TileShape = (1, 256, 256)
VOLUME_TILE: TileShape = (16, 64, 64)

LoadTile: TypeAlias = Callable[[Handle, str, TileShape], TileArray]


def tile_for(shape: Shape) -> TileShape:
    """The tile shape of a layer of this size: flat for pictures, a block for volumes."""
    return VOLUME_TILE if shape.is_volume else PICTURE_TILE


def uniform(value: int) -> Handle:
    """The handle of a tile in which every pixel is `value`."""
    return -1 - value


def is_uniform(handle: Handle) -> bool:
    return handle < 0


def uniform_value(handle: Handle) -> int:
    """The value of a uniform tile's pixels."""
    return -1 - handle


class TileCache:
    """Arrays of tiles by handle, bounded in bytes, safe to use from any thread.

    A new tile is pinned: it stays whatever the bound says until `unpin` tells that the store has
    it. All arrays are read-only, so they can be shared between threads without a copy.

    Parameters
    ----------
    load : reads a stored tile that is not resident; None if there is no store.
    limit_bytes : what unpinned tiles may take together.
    next_handle : the first handle to give out.
    """

    def __init__(
        self,
        load: LoadTile | None = None,
        limit_bytes: int = 512 << 20,
        next_handle: Handle = 0,
    ) -> None:
        self._load = load
        self._limit = limit_bytes
        self._next = next_handle
        self._lock = threading.Lock()
        self._pinned: dict[Handle, TileArray] = {}
        self._loaded: OrderedDict[Handle, TileArray] = OrderedDict()
        self._loaded_bytes = 0
        self._uniform: dict[tuple[Handle, str, TileShape], TileArray] = {}

    @property
    def next_handle(self) -> Handle:
        return self._next

    @property
    def resident_bytes(self) -> int:
        """Bytes of all arrays held, pinned ones included."""
        with self._lock:
            return self._loaded_bytes + sum(a.nbytes for a in self._pinned.values())

    def put(self, array: TileArray) -> Handle:
        """Take a new tile and give its handle; a uniform one is turned into its number.

        The caller gives the array away: it becomes read-only.
        """
        first = array.flat[0]
        if (array == first).all():
            return uniform(int(first))
        array = np.ascontiguousarray(array)
        array.flags.writeable = False
        with self._lock:
            handle = self._next
            self._next += 1
            self._pinned[handle] = array
        return handle

    def resident(self, handle: Handle, plane: str, tile: TileShape) -> TileArray | None:
        """The tile's array (z, y, x) if it is in memory, else None; never reads the store."""
        if handle < 0:
            return self._uniform_array(handle, plane, tile)
        with self._lock:
            array = self._pinned.get(handle)
            if array is None:
                array = self._loaded.get(handle)
                if array is not None:
                    self._loaded.move_to_end(handle)
            return array

    def get(self, handle: Handle, plane: str, tile: TileShape) -> TileArray:
        """The tile's array (z, y, x), read-only; read from the store if it is not resident.

        Raises
        ------
        KeyError : the handle is unknown and there is no store to ask.
        """
        array = self.resident(handle, plane, tile)
        if array is not None:
            return array
        if self._load is None:
            raise KeyError(handle)
        array = self._load(handle, plane, tile)
        array.flags.writeable = False
        with self._lock:
            self._keep(handle, array)
        return array

    def pinned(self, handle: Handle) -> TileArray | None:
        """The array of a tile that is not stored yet, or None."""
        with self._lock:
            return self._pinned.get(handle)

    def unpin(self, handles: Iterable[Handle]) -> None:
        """The store has these tiles now: they may be dropped when memory is short."""
        with self._lock:
            for handle in handles:
                array = self._pinned.pop(handle, None)
                if array is not None:
                    self._keep(handle, array)

    def _keep(self, handle: Handle, array: TileArray) -> None:
        if handle not in self._loaded:
            self._loaded[handle] = array
            self._loaded_bytes += array.nbytes
        if self._load is None:  # nothing could bring a dropped tile back
            return
        while self._loaded_bytes > self._limit and len(self._loaded) > 1:
            _, dropped = self._loaded.popitem(last=False)
            self._loaded_bytes -= dropped.nbytes

    def _uniform_array(self, handle: Handle, plane: str, tile: TileShape) -> TileArray:
        # A broadcast view of one element: no memory, and as read-only as the others.
        key = (handle, plane, tile)
        array = self._uniform.get(key)
        if array is None:
            one = np.array(uniform_value(handle), PLANES[plane])
            array = np.broadcast_to(one, tile)
            if len(self._uniform) < 4096:
                self._uniform[key] = array
        return array


class TilesAside(TileCache):
    """Tiles of a snapshot that is only looked at; they go with it and never reach a store.

    What it does not have itself it asks the cache beside it, so that such a snapshot shares the
    tiles of what it was made from.

    Parameters
    ----------
    beside : holds all other tiles.
    """

    # Above every stored tile, below those of readers (`segcore.store.contents`), and no two
    # snapshots alike: a handle must name one tile for as long as anything remembers it.
    _numbers = itertools.count(1 << 37)

    def __init__(self, beside: TileCache) -> None:
        super().__init__(beside.get, 0, next(self._numbers) << 24)
        self._beside = beside

    def resident(self, handle: Handle, plane: str, tile: TileShape) -> TileArray | None:
        own = None if handle < 0 else self.pinned(handle)
        return self._beside.resident(handle, plane, tile) if own is None else own

    def get(self, handle: Handle, plane: str, tile: TileShape) -> TileArray:
        own = None if handle < 0 else self.pinned(handle)
        return self._beside.get(handle, plane, tile) if own is None else own
