"""PNG, JPEG, WebP, BMP and GIF: pictures that are decoded as a whole.

Size, depth and orientation are read from the header by `raster_header`, so that opening decodes
nothing and a claimed size is checked before memory is taken. OpenCV decodes, because it keeps
16-bit RGB, which Pillow silently cuts to 8; Pillow does CMYK, whose colours OpenCV gets wrong by
one grey value on the average, and GIF, which older OpenCV cannot read.
"""

from __future__ import annotations

import io
import struct
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Shape
from segcore.images.family import Family
from segcore.images.orientation import upright, upright_size
from segcore.images.raster_header import RasterHeader, read_header, recognise
from segcore.images.source import ImageInfo, ImageSource, check_decoded_size

# OpenCV prints complaints of its decoders to the terminal; ours come as sentences. Level 0 is
# silent; OpenCV 5 moved the function.
(cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel)(0)

# OpenCV decodes no more; its own sentence would name its source code.
_MOST_PIXELS = 1 << 30
_MOST_ROWS = 1 << 20
_BAND_ROWS = 1024


class RasterSource(ImageSource):
    """A picture of one slice, decoded at the first read and kept."""

    def __init__(self, path: Path, header: RasterHeader) -> None:
        height, width = upright_size(header.height, header.width, header.orientation)
        hints = []
        if header.has_alpha:
            hints.append("The picture has an alpha channel, which is left out.")
        if header.frames_beyond_first:
            hints.append("The file is an animation; its first frame is shown.")
        if path.suffix.lower() not in header.suffixes:
            hints.append(f"The file is a {header.kind}, though its name ends in {path.suffix}.")
        super().__init__(
            path,
            "raster",
            ImageInfo(
                shape=Shape(1, height, width),
                axes="yx",
                channels=header.channels,
                dtype=np.dtype(np.uint16 if header.bits > 8 else np.uint8),
                hints=tuple(hints),
                has_alpha=header.has_alpha,
                metadata={"format": header.kind, "bits": str(header.bits)},
            ),
        )
        self._header = header
        # Not the base's lock: a preview is for those who do not wait for the decoder.
        self._preview_lock = threading.Lock()
        self._preview: NDArray[Any] | None = None

    def preview(self, z: int = 0) -> NDArray[Any] | None:
        """JPEG gives an eighth of its size for a fraction of the time: the means of its blocks."""
        header = self._header
        if header.kind != "JPEG" or header.needs_pillow or header.bits > 8:
            return None
        with self._preview_lock:
            if self._preview is None:
                colour = header.channels == 3
                flag = cv2.IMREAD_REDUCED_COLOR_8 if colour else cv2.IMREAD_REDUCED_GRAYSCALE_8
                data = _bytes_of(self.path)
                flags = flag | cv2.IMREAD_IGNORE_ORIENTATION
                stored = _decode_with_opencv(self.path, data, header, flags)
                self._preview = np.ascontiguousarray(upright(stored, header.orientation))
            return self._preview

    def _decode(self, z: int, level: int) -> NDArray[Any]:
        header = self._header
        data = _bytes_of(self.path)
        if header.needs_pillow:
            stored = _decode_with_pillow(self.path, data, header)
        else:
            stored = _decode_with_opencv(self.path, data, header)
        stored = upright(stored, header.orientation)
        if stored.shape != (*self.shape[1:], self.channels) or stored.dtype != self.dtype:
            raise BadFile(
                f"{self.path.name} does not hold what its header says.",
                "It may have been replaced while it was open; open it again.",
            )
        return np.ascontiguousarray(stored)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadFile(
            f"{path.name} could not be read: {error.strerror or 'the system refused'}.",
            "Check whether the file was moved and the disk is connected.",
        ) from None


def _decode_with_opencv(
    path: Path, data: bytes, header: RasterHeader, flags: int | None = None
) -> NDArray[Any]:
    """Pixels as stored: (h, w, 1) or (h, w, 3) in the order red, green, blue; alpha cut off.

    Parameters
    ----------
    flags : OpenCV's; None are those that keep everything.
    """
    if flags is not None:
        pass
    elif header.has_alpha:
        # Any other flag multiplies or drops in ways that differ between OpenCV's decoders.
        flags = cv2.IMREAD_UNCHANGED
    else:
        colour = cv2.IMREAD_COLOR if header.channels == 3 else cv2.IMREAD_GRAYSCALE
        flags = colour | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise _damaged(path, header.kind)
    stored: NDArray[Any] = pixels
    if stored.ndim == 2:
        return stored[..., np.newaxis]
    if header.channels == 1:
        return stored[..., :1]
    if stored.shape[2] == 4:
        return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGB))
    # In place and in bands: a second copy of a large picture would be a gigabyte.
    for top in range(0, stored.shape[0], _BAND_ROWS):
        band = stored[top : top + _BAND_ROWS]
        band[...] = cv2.cvtColor(band, cv2.COLOR_BGR2RGB)
    return stored


def _decode_with_pillow(path: Path, data: bytes, header: RasterHeader) -> NDArray[Any]:
    """CMYK JPEG, and the first frame of a GIF, as (h, w, 3) red, green, blue."""
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import JpegImageFile

    # The classes instead of `Image.open`: the size has been checked against our own limit, and
    # Pillow's is a global that would have to be changed for everybody.
    kind = GifImageFile if header.kind == "GIF" else JpegImageFile
    try:
        with kind(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error):
        raise _damaged(path, header.kind) from None


def _damaged(path: Path, kind: str) -> BadFile:
    return BadFile(
        f"{path.name} is damaged or incomplete: its {kind} data cannot be decoded.",
        "Copy it again from its source.",
    )


def _open(path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource:
    header = read_header(path)
    itemsize = 2 if header.bits > 8 else 1
    stored_channels = header.channels + header.has_alpha
    check_decoded_size(
        path,
        header.height * header.width * stored_channels * itemsize,
        limit_bytes,
        f"{header.width:,} x {header.height:,} pixels",
    )
    if max(header.height, header.width) > _MOST_ROWS or (
        header.height * header.width > _MOST_PIXELS
    ):
        raise BadFile(
            f"{path.name} has {header.width:,} x {header.height:,} pixels, more than a "
            f"{header.kind} is decoded with here.",
            "Convert it to a tiled TIFF, which is read piece by piece.",
        )
    return RasterSource(path, header)


FAMILY = Family(
    name="raster",
    title="PNG, JPEG, WebP, BMP, GIF",
    suffixes=(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif"),
    sniff=lambda head: recognise(head) is not None,
    open=_open,
)
