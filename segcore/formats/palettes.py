"""Pictures with a palette, by index: in a mask the index is the class and its colour a hint."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile


def palette_indices(path: Path, kind: str) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """The indices of a picture, (y, x), and its palette, (n, 3) red, green, blue.

    Parameters
    ----------
    kind : "PNG", "BMP" or "GIF"; the file's size was checked before.

    Raises
    ------
    BadFile : its pixels cannot be decoded.
    """
    try:
        if kind == "BMP":
            indices, palette = _read_bmp(path.read_bytes())
        else:
            indices, palette = _read_with_pillow(path, kind)
    except Exception:  # there is no list of what a decoder runs into in a damaged file
        raise BadFile(
            f"{path.name} is damaged or incomplete: its pixels cannot be decoded.",
            "Copy it again from its source, or save it as PNG.",
        ) from None
    return indices.astype(np.uint16), palette


def _read_with_pillow(path: Path, kind: str) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    from PIL.GifImagePlugin import GifImageFile
    from PIL.PngImagePlugin import PngImageFile

    # The classes instead of `Image.open`, whose limit on size is a global; ours was checked.
    openers: dict[str, Any] = {"PNG": PngImageFile, "GIF": GifImageFile}
    with path.open("rb") as file, openers[kind](file) as picture:
        colours = picture.getpalette("RGB") or []
        return np.asarray(picture), np.asarray(colours, np.uint8).reshape(-1, 3)


def _read_bmp(data: bytes) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Uncompressed BMP of 1, 4 or 8 bits.

    Pillow takes 8 bits with a palette of black and white, which many masks are, for 1 bit.
    """
    start, header = struct.unpack_from("<II", data, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression, colours, entry = 0, 0, 3
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        (colours,) = struct.unpack_from("<I", data, 46)
        entry = 4
    if compression or bits not in (1, 4, 8):
        raise ValueError(f"compression {compression}, {bits} bits")
    row = (width * bits + 31) // 32 * 4
    rows = np.frombuffer(data, np.uint8, row * abs(height), start).reshape(abs(height), row)
    if bits < 8:
        spread = np.unpackbits(rows, axis=1).reshape(len(rows), -1, bits)
        rows = np.packbits(spread, axis=2)[..., 0] >> (8 - bits)
    indices = rows[:, :width]
    count = min(colours or 1 << bits, (start - 14 - header) // entry)
    table = np.frombuffer(data, np.uint8, count * entry, 14 + header).reshape(count, entry)
    # Stored are blue, green, red, and rows from the bottom up unless the height is negative.
    return (indices if height < 0 else indices[::-1]), table[:, 2::-1]
