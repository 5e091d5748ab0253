"""Size, depth, colour and orientation of a picture from its header alone, no pixel decoded.

Written here instead of asking Pillow: it costs no import at start-up, and it finds files that
were cut off, which decoders pass with a grey rest. Sources: PNG 3rd edition (W3C 2025), ITU-T T.81
annex B, EXIF 2.32 (tag 0x0112), RFC 9649 (WebP), Microsoft's BITMAPINFOHEADER, GIF89a.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from segcore.base import BadFile
from segcore.base.dataclass import dataclass

_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_TAIL_BYTES = 65536


@dataclass(frozen=True)
class RasterHeader:
    """What the header says; height and width are as stored, before `orientation` is applied.

    `channels` is 1 or 3 as shown to people: palettes are colours, alpha is not counted.
    """

    kind: str
    suffixes: tuple[str, ...]
    height: int
    width: int
    channels: int
    bits: int = 8
    has_alpha: bool = False
    orientation: int = 1
    needs_pillow: bool = False
    frames_beyond_first: bool = False


class _DamagedError(Exception):
    """Inside this module: the header is wrong, and how, as the end of a sentence."""


class _UnreadError(Exception):
    """Inside this module: a sound file of a kind that is not decoded, as the end of a sentence."""


def recognise(head: bytes) -> str | None:
    """ "PNG", "JPEG", "WebP", "BMP" or "GIF" by the first bytes; None for anything else."""
    if head.startswith(_PNG_MARK):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    # "BM" alone begins many a text; the size of the second header must also be a known one.
    if head[:2] == b"BM" and len(head) >= 18 and _u32(head, 14) in (12, 40, 52, 56, 64, 108, 124):
        return "BMP"
    return None


def read_header(path: Path) -> RasterHeader:
    """Read the header of a picture.

    Raises
    ------
    BadFile
        Where it is no picture, is damaged, cut off, or of a kind that is not decoded.
    """
    try:
        with path.open("rb") as file:
            kind = recognise(file.read(32))
            if kind is None:
                raise BadFile(
                    f"{path.name} is not a picture, whatever its name says: "
                    "its content is of no known kind.",
                    "Check what the file really is.",
                )
            file.seek(0)
            header = _READERS[kind](file)
    except _DamagedError as damage:
        raise BadFile(
            f"{path.name} is damaged: {damage}.", "Copy it again from its source."
        ) from None
    except _UnreadError as kind:
        raise BadFile(f"{path.name} {kind}.", "Convert it to PNG or TIFF.") from None
    except (struct.error, IndexError, ValueError):
        raise BadFile(
            f"{path.name} is cut off within its header.", "Copy it again from its source."
        ) from None
    except OSError as error:
        raise BadFile(
            f"{path.name} could not be read: {error.strerror or 'the system refused'}.",
            "Check the permissions and the connection to the disk.",
        ) from None
    if header.height <= 0 or header.width <= 0:
        raise BadFile(f"{path.name} claims a size without pixels.", "Copy it again.")
    return header


def _read_png(file: BinaryIO) -> RasterHeader:
    size = _size_of(file)
    file.seek(8)
    width = height = bits = colour = 0
    has_alpha = animated = data_seen = ended = False
    orientation = 1
    position = 8
    while not ended:
        file.seek(position)
        start = file.read(8)
        if len(start) < 8:
            raise _DamagedError("it is cut off in its middle")
        length, kind = struct.unpack(">I4s", start)
        position += 12 + length
        if position > size:
            raise _DamagedError("it is cut off in its middle")
        if kind == b"IHDR":
            width, height, bits, colour = struct.unpack(">IIBB", file.read(10))
        elif kind == b"tRNS":
            has_alpha = True
        elif kind == b"acTL":
            animated = True
        elif kind == b"eXIf":
            orientation = _exif_orientation(file.read(min(length, _TAIL_BYTES)))
        elif kind == b"IDAT":
            data_seen = True
        ended = kind == b"IEND"
    if not data_seen:
        raise _DamagedError("it holds no pixels")
    # Colour types: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha.
    return RasterHeader(
        kind="PNG",
        suffixes=(".png",),
        height=height,
        width=width,
        channels=1 if colour in (0, 4) else 3,
        bits=16 if bits == 16 else 8,
        has_alpha=has_alpha or colour in (4, 6),
        orientation=orientation,
        frames_beyond_first=animated,
    )


def _read_jpeg(file: BinaryIO) -> RasterHeader:
    orientation = 1
    frame: tuple[int, int, int, int] | None = None
    file.seek(2)
    while True:
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            raise _DamagedError("it is cut off within its header")
        code = marker[1]
        while code == 0xFF:  # fill bytes before a marker are allowed (T.81, B.1.1.2)
            code = file.read(1)[0]
        if code == 0x01 or 0xD0 <= code <= 0xD8:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        body_at = file.tell()
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            precision, height, width, components = struct.unpack(">BHHB", file.read(6))
            frame = (precision, height, width, components)
        elif code == 0xE1:
            body = file.read(length - 2)
            if body.startswith(b"Exif\0\0"):
                orientation = _exif_orientation(body[6:])
        elif code == 0xDA:
            break
        file.seek(body_at + length - 2)
    if frame is None:
        raise _DamagedError("its size is missing")
    precision, height, width, components = frame
    if precision != 8:
        raise _UnreadError(f"is a JPEG of {precision} bits a channel, which is not read")
    if not _has_end_of_jpeg(file, file.tell()):
        raise _DamagedError("it is cut off in its middle")
    return RasterHeader(
        kind="JPEG",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
        height=height,
        width=width,
        channels=1 if components == 1 else 3,
        orientation=orientation,
        needs_pillow=components == 4,
    )


def _has_end_of_jpeg(file: BinaryIO, scan_at: int) -> bool:
    """Whether the end marker comes after the start of the scan.

    Entropy-coded data never holds FF D9 (a 0 follows every FF in it), so that one found there is
    the real end; some cameras append more after it.
    """
    size = _size_of(file)
    for start in (max(scan_at, size - _TAIL_BYTES), scan_at):
        file.seek(start)
        if b"\xff\xd9" in file.read():
            return True
    return False


def _read_webp(file: BinaryIO) -> RasterHeader:
    size = _size_of(file)
    head = file.read(12)
    if 8 + _u32(head, 4) > size:
        raise _DamagedError("it is cut off in its middle")
    width = height = 0
    has_alpha = animated = False
    orientation = 1
    position = 12
    while position + 8 <= size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"VP8X":
            body = file.read(10)
            has_alpha = bool(body[0] & 0x10)
            animated = bool(body[0] & 0x02)
            width = 1 + int.from_bytes(body[4:7], "little")
            height = 1 + int.from_bytes(body[7:10], "little")
        elif kind == b"VP8 " and not width:
            body = file.read(10)
            width, height = (v & 0x3FFF for v in struct.unpack("<HH", body[6:10]))
        elif kind == b"VP8L" and not width:
            bits = struct.unpack("<I", file.read(5)[1:])[0]
            width, height = 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
            has_alpha = bool(bits >> 28 & 1)
        elif kind == b"EXIF":
            orientation = _exif_orientation(file.read(min(length, _TAIL_BYTES)))
        position += 8 + length + length % 2
    return RasterHeader(
        kind="WebP",
        suffixes=(".webp",),
        height=height,
        width=width,
        channels=3,
        has_alpha=has_alpha,
        orientation=orientation,
        frames_beyond_first=animated,
    )


def _read_bmp(file: BinaryIO) -> RasterHeader:
    head = file.read(54)
    if _u32(head, 14) == 12:
        width, height = struct.unpack_from("<HH", head, 18)
    else:
        width, height = struct.unpack_from("<ii", head, 18)
    # A negative height means rows from top to bottom; the decoder knows.
    return RasterHeader(
        kind="BMP", suffixes=(".bmp", ".dib"), height=abs(height), width=width, channels=3
    )


def _read_gif(file: BinaryIO) -> RasterHeader:
    head = file.read(13)
    width, height, packed = struct.unpack_from("<HHB", head, 6)
    frames = _count_gif_frames(file, 13 + (3 << (packed & 7) + 1 if packed & 0x80 else 0))
    if frames == 0:
        raise _DamagedError("it holds no pixels")
    return RasterHeader(
        kind="GIF",
        suffixes=(".gif",),
        height=height,
        width=width,
        channels=3,
        needs_pillow=True,
        frames_beyond_first=frames > 1,
    )


def _count_gif_frames(file: BinaryIO, position: int) -> int:
    """Number of frames, counted to two: more than one is all that is asked."""
    frames = 0
    file.seek(position)
    while frames < 2:
        kind = file.read(1)
        if kind == b"\x21":
            file.seek(1, os.SEEK_CUR)
        elif kind == b"\x2c":
            packed = file.read(9)[8]
            file.seek((3 << (packed & 7) + 1 if packed & 0x80 else 0) + 1, os.SEEK_CUR)
            frames += 1
        else:
            break
        while True:
            length = file.read(1)
            if not length:
                raise _DamagedError("it is cut off in its middle")
            if length == b"\0":
                break
            file.seek(length[0], os.SEEK_CUR)
    return frames


def _exif_orientation(tiff: bytes) -> int:
    """Orientation (1 to 8) out of an EXIF block; 1 where it is absent or makes no sense."""
    tiff = tiff.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for i in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * i)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _size_of(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


_READERS: dict[str, Callable[[BinaryIO], RasterHeader]] = {
    "PNG": _read_png,
    "JPEG": _read_jpeg,
    "WebP": _read_webp,
    "BMP": _read_bmp,
    "GIF": _read_gif,
}
