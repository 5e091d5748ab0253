"""Arrays inside edits: compressed bytes, so that an edit stays a value that JSON can hold."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack_mask(mask: NDArray[np.bool_]) -> bytes:
    """A mask of any shape as compressed bits."""
    return zlib.compress(np.packbits(np.asarray(mask, bool)).tobytes(), 1)


def unpack_mask(data: bytes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask of this shape; ValueError if the bytes hold another number of pixels."""
    bits = np.frombuffer(_expand(data), np.uint8)
    count = int(np.prod(shape))
    if bits.size != (count + 7) // 8:
        raise ValueError(f"{bits.size} bytes of mask for {shape}")
    return np.unpackbits(bits, count=count).reshape(shape).astype(bool)


def pack_array(array: NDArray[Any], dtype: str) -> bytes:
    """An array as compressed little-endian numbers of `dtype`, such as ``<u2``."""
    return zlib.compress(np.ascontiguousarray(array, np.dtype(dtype)).tobytes(), 1)


def unpack_array(data: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The array of this shape; ValueError if the bytes hold another number of values."""
    values = np.frombuffer(_expand(data), np.dtype(dtype))
    return values.reshape(shape)


def _expand(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"the packed array is damaged: {error}") from error
