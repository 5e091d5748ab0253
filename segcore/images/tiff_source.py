"""TIFF and BigTIFF (tifffile): tiled, pyramidal, multi-page, of any depth.

A rectangle decodes only the tiles that it touches, so the size of the picture is no limit. What
samples mean (palette, CMYK, white is zero, alpha) is settled here; values keep their depth.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segcore.base import BadFile, Rect, Shape
from segcore.images.orientation import stored_rect, upright, upright_size
from segcore.images.source import (
    BoundedCache,
    ImageInfo,
    ImageSource,
    Level,
    check_decoded_size,
)
from segcore.images.tiff_metadata import channel_names, spacing_of
from segcore.images.tiff_samples import Samples
from segcore.images.tiff_tiles import SeriesReader, TileStore

# Further series under these names belong to a slide scanner's file and are no second picture;
# "label" is a photograph of the slide's sticker, which names the patient.
_SIDE_SERIES = ("label", "macro", "thumbnail", "overview", "map")

_CACHE_BYTES = 192 * 2**20

# Its complaints about damaged files would go to the terminal; ours come as sentences.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


class TiffSource(ImageSource):
    """A picture, a stack of pages, slices or times; with coarser levels where the file has them."""

    def __init__(self, path: Path, tif: Any, limit_bytes: int | None) -> None:
        series = tif.series[0]
        store = TileStore(BoundedCache(_CACHE_BYTES), threading.RLock())
        first = SeriesReader(path, series, store)
        check_decoded_size(
            path,
            first.bytes_at_once,
            limit_bytes,
            f"one piece of its {first.width:,} x {first.height:,} pixels",
        )
        readers = [first]
        for level in series.levels[1:]:
            reader = SeriesReader(path, level, store)
            if (reader.stack, reader.samples) == (first.stack, first.samples):
                readers.append(reader)
        samples = Samples.of(path, first.page, first.samples, first.dtype)
        orientation = _orientation(first)
        shapes = [
            Shape(reader.stack, *upright_size(reader.height, reader.width, orientation))
            for reader in readers
        ]
        super().__init__(
            path,
            "tiff",
            ImageInfo(
                shape=shapes[0],
                axes=_axes(first),
                channels=samples.channels,
                dtype=samples.dtype,
                channel_names=channel_names(tif, samples.channels, samples.is_colour),
                levels=tuple(
                    Level(shape, (shapes[0].y / shape.y, shapes[0].x / shape.x)) for shape in shapes
                ),
                spacing=spacing_of(tif),
                hints=_hints(tif, first, samples),
                has_alpha=samples.has_alpha,
                metadata={
                    "format": "BigTIFF" if tif.is_bigtiff else "TIFF",
                    "compression": getattr(first.page.compression, "name", "unknown").lower(),
                    "bits": str(first.page.bitspersample),
                    "stored as": samples.kind,
                },
            ),
        )
        self._tif = tif
        self._store = store
        self._readers = tuple(readers)
        self._samples = samples
        self._orientation = orientation

    @property
    def is_plain(self) -> bool:
        return all(reader.is_plain for reader in self._readers)

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        self._check_open()
        grid = self.levels[level].shape
        where = stored_rect(rect, grid.y, grid.x, self._orientation)
        values = self._samples.values(self._readers[level].read(z, where))
        return upright(values, self._orientation)[..., list(channels)]

    def close(self) -> None:
        super().close()
        with self._store.lock:
            self._store.cache.clear()
            self._tif.close()


def _axes(reader: SeriesReader) -> str:
    """ "yx", or what the stack is of: z, t, or p (pages, and mixtures)."""
    used = [a for a, n in zip(reader.stack_axes, reader.stack_sizes, strict=True) if n > 1]
    if not used:
        return "yx"
    return {"Z": "zyx", "T": "tyx"}.get(used[0] if len(used) == 1 else "", "pyx")


def _orientation(reader: SeriesReader) -> int:
    """TIFF's tag 274, 1 to 8."""
    value = reader.page.tags.valueof(274, 1)
    return int(value) if value in range(1, 9) else 1


def _hints(tif: Any, reader: SeriesReader, samples: Samples) -> tuple[str, ...]:
    hints = []
    further = [
        series
        for series in tif.series[1:]
        if not any(word in str(series.name).lower() for word in _SIDE_SERIES)
    ]
    if further:
        hints.append(
            f"The file holds {1 + len(further)} pictures of different size or type; "
            "the first is shown."
        )
    used = [n for n in reader.stack_sizes if n > 1]
    if len(used) > 1:
        hints.append(
            f"The file's {' x '.join(map(str, used))} planes ({reader.stack_axes}) are shown "
            "one after the other."
        )
    if samples.has_alpha:
        hints.append("The picture has an alpha channel, which is left out.")
    return tuple(hints)


def open_path(path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource:
    """Open a TIFF; the family's `Opener`."""
    import tifffile

    try:
        tif = tifffile.TiffFile(path)
    except Exception:
        # There is no list of what a parser runs into in a damaged file.
        raise _unsound(path) from None
    try:
        if not tif.series:
            raise _unsound(path)
        return TiffSource(path, tif, limit_bytes)
    except BadFile:
        tif.close()
        raise
    except Exception:
        tif.close()
        raise _unsound(path) from None


def _unsound(path: Path) -> BadFile:
    return BadFile(
        f"{path.name} is damaged or cut off: it is no sound TIFF file.",
        "Copy it again from its source.",
    )
