"""How a tile becomes bytes: little-endian, zstd level 1, with a checksum over what is stored."""

from __future__ import annotations

import threading
import zlib

import numpy as np
import zstandard

from segcore.base import BadFile
from segcore.labels import PLANES, TileArray, TileShape

PLANE_NUMBERS: dict[str, int] = {plane: number for number, plane in enumerate(PLANES)}
"""The planes as table `tile` writes them; the order of `PLANES` is part of the file format."""

PLANE_NAMES: tuple[str, ...] = tuple(PLANES)

# Level 3 gains nothing on label tiles and costs three times as much.
_LEVEL = 1
# A coder is not safe to share between threads and costs more to make than to use.
_coders = threading.local()


class DamagedTile(BadFile):
    """A stored tile whose bytes are not what was written."""


def encode(array: TileArray) -> tuple[bytes, int]:
    """A tile as stored bytes and the crc32 of those bytes."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    compressor = getattr(_coders, "compressor", None)
    if compressor is None:
        compressor = _coders.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    data: bytes = compressor.compress(little.data)
    return data, zlib.crc32(data)


def decode(handle: int, data: bytes, crc: int, plane: str, tile: TileShape) -> TileArray:
    """A stored tile as an array (z, y, x) of its plane's dtype, read-only.

    Raises
    ------
    DamagedTile : the bytes are not those that were stored, or not of this shape.
    """
    if zlib.crc32(data) != crc:
        raise _damaged(handle)
    dtype = PLANES[plane].newbyteorder("<")
    size = tile[0] * tile[1] * tile[2] * dtype.itemsize
    decompressor = getattr(_coders, "decompressor", None)
    if decompressor is None:
        decompressor = _coders.decompressor = zstandard.ZstdDecompressor()
    try:
        plain = decompressor.decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise _damaged(handle) from error
    if len(plain) != size:
        raise _damaged(handle)
    return np.frombuffer(plain, dtype).reshape(tile).astype(PLANES[plane], copy=False)


def _damaged(handle: int) -> DamagedTile:
    return DamagedTile(
        f"Tile {handle} of the project is damaged.",
        "Run `maskwright check` and take the newest file of the project's backup folder.",
    )
