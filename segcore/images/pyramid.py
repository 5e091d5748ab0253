"""Coarser levels for a large picture that has none, made once and kept in a cache folder.

Without them an overview of a picture of 400 million pixels would decode all of it each time. The
files may be deleted at any time; they are made again. The picture itself is only read.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Cancelled, Rect, Shape
from segcore.images.files import fingerprint
from segcore.images.registry import open as open_image
from segcore.images.source import ImageInfo, ImageSource, Level

# A plane below this is decoded and halved in memory faster than a file is found.
_LARGE_PIXELS = 1 << 25
# The coarsest level is at most this large: a screen.
_COARSE_PIXELS = 1 << 21
_TILE = 256
_BAND_BYTES = 64 * 2**20
_RESIZABLE = (np.uint8, np.uint16, np.int16, np.float32, np.float64)


def with_pyramid(source: ImageSource, folder: Path) -> ImageSource:
    """The same picture, with levels down to a screen's size.

    Parameters
    ----------
    source : stays in use and is closed with what is returned.
    folder : where levels are kept; made when the first one is.

    Returns
    -------
    ImageSource
        `source` itself where it is small or has such levels already, else a `PyramidSource`.
        Nothing is computed before a coarse level is read, or `build` is called.
    """
    coarsest = source.levels[-1].shape
    is_large = source.shape.y * source.shape.x > _LARGE_PIXELS
    if not is_large or coarsest.y * coarsest.x <= 4 * _COARSE_PIXELS:
        return source
    return PyramidSource(source, folder)


class PyramidSource(ImageSource):
    """A picture whose missing levels lie in a cache folder, one tiled TIFF a slice and level.

    A pixel of a level is the mean of 2 x 2 below it; an odd last row or column stands for itself
    (so a made level's scale is a power of two times that of the level it comes from).
    """

    def __init__(self, source: ImageSource, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._given = len(source.levels)
        self._made: dict[tuple[int, int], ImageSource] = {}
        # Apart from the base's lock: making a level takes seconds, and closing must not wait.
        self._making = threading.RLock()
        levels = list(source.levels)
        while levels[-1].shape.y * levels[-1].shape.x > _COARSE_PIXELS:
            (z, y, x), scale = levels[-1]
            shape = Shape(z, math.ceil(y / 2), math.ceil(x / 2))
            levels.append(Level(shape, (scale[0] * 2, scale[1] * 2)))
        mark = fingerprint(source.path)
        text = f"{source.path.absolute()}|{mark.size}|{mark.mtime_ns}|{len(source.levels)}"
        self._name = hashlib.sha256(text.encode()).hexdigest()[:24]
        super().__init__(
            source.path,
            source.family,
            ImageInfo(
                shape=source.shape,
                axes=source.axes,
                channels=source.channels,
                dtype=source.dtype,
                channel_names=source.channel_names,
                levels=tuple(levels),
                spacing=source.spacing,
                affine=source.affine,
                view_flip=source.view_flip,
                presets=source.presets,
                hints=source.hints,
                has_alpha=source.has_alpha,
                invert=source.invert,
                frame_of_reference=source.frame_of_reference,
                metadata=source.metadata,
            ),
        )

    def is_built(self, z: int = 0) -> bool:
        """Whether every level of a slice lies in the cache folder."""
        return all(self.is_ready(level, z) for level in range(len(self.levels)))

    def is_ready(self, level: int, z: int = 0) -> bool:
        """Whether a level is the file's own or lies in the cache folder."""
        return level < self._given or self._file(z, level).exists()

    def build(self, z: int = 0, cancelled: Callable[[], bool] | None = None) -> None:
        """Make what is missing of a slice's levels; some seconds for 100 million pixels.

        Parameters
        ----------
        cancelled : asked about every 64 MB that are read.

        Raises
        ------
        Cancelled
            Where `cancelled` said so; no half a file stays.
        BadFile
            Where the picture is damaged or the cache folder cannot be written.
        """
        for level in range(self._given, len(self.levels)):
            self._level(z, level, cancelled)

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        self._check_open()
        if level < self._given:
            return self._source.read(z, rect, level, channels)
        return self._level(z, level, None).read(0, rect, 0, channels)

    def _level(self, z: int, level: int, cancelled: Callable[[], bool] | None) -> ImageSource:
        """The open file of a made level; made now where it is missing."""
        with self._making:
            self._check_open()
            found = self._made.get((z, level))
            if found is not None:
                return found
            path = self._file(z, level)
            if not path.exists():
                self._write(path, z, level, cancelled)
            opened = open_image(path)
            if opened.shape[1:] != self.levels[level].shape[1:] or opened.dtype != self.dtype:
                opened.close()
                raise BadFile(
                    f"The overview of {self.path.name} is damaged.", "Delete the project's cache."
                )
            self._made[z, level] = opened
            return opened

    def _file(self, z: int, level: int) -> Path:
        return self._folder / f"{self._name}-{z}-{level}.tif"

    def _write(self, path: Path, z: int, level: int, cancelled: Callable[[], bool] | None) -> None:
        import tifffile

        below = None if level == self._given else self._level(z, level - 1, cancelled)
        grid = self.levels[level].shape
        # Under another name first: a file under its own name is always whole.
        unfinished = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(
                unfinished,
                self._tiles(z, level, below, cancelled),
                shape=(grid.y, grid.x) + ((self.channels,) if self.channels > 1 else ()),
                dtype=self.dtype,
                tile=(_TILE, _TILE),
                photometric="minisblack",
                planarconfig="contig" if self.channels > 1 else None,
                compression="zlib",
                compressionargs={"level": 1},
                predictor=self.dtype.kind in "iu",
                metadata=None,
                maxworkers=1,
            )
            unfinished.replace(path)
        except OSError as error:
            raise BadFile(
                f"The overview of {self.path.name} could not be kept: "
                f"{error.strerror or 'the disk refused'}.",
                "Make room on the disk, or choose another folder for the cache.",
            ) from None
        finally:
            unfinished.unlink(missing_ok=True)

    def _tiles(
        self, z: int, level: int, below: ImageSource | None, cancelled: Callable[[], bool] | None
    ) -> Iterator[NDArray[Any]]:
        """Tiles of a level, row by row, out of bands of the level below it."""
        from_grid, grid = self.levels[level - 1].shape, self.levels[level].shape
        row_bytes = from_grid.x * self.channels * self.dtype.itemsize
        rows = max(1, _BAND_BYTES // (row_bytes * 2 * _TILE)) * _TILE
        for top in range(0, grid.y, rows):
            self._check_open()
            if cancelled is not None and cancelled():
                raise Cancelled(f"The overview of {self.path.name} was not finished.")
            rect = Rect.from_bounds(2 * top, 0, min(2 * (top + rows), from_grid.y), from_grid.x)
            band = self._source.read(z, rect, level - 1) if below is None else below.read(0, rect)
            small = halved(band)
            for y in range(0, small.shape[0], _TILE):
                for x in range(0, small.shape[1], _TILE):
                    tile = np.zeros((_TILE, _TILE, self.channels), self.dtype)
                    part = small[y : y + _TILE, x : x + _TILE]
                    tile[: part.shape[0], : part.shape[1]] = part
                    yield tile if self.channels > 1 else tile[..., 0]

    def close(self) -> None:
        """Let go of everything; a level that is being made is given up at its next band."""
        super().close()
        self._source.close()
        if self._making.acquire(blocking=False):
            try:
                while self._made:
                    self._made.popitem()[1].close()
            finally:
                self._making.release()


def halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Means of 2 x 2 pixels; an odd last row or column is repeated first.

    Parameters
    ----------
    pixels : (h, w, c), any real dtype.

    Returns
    -------
    (ceil(h / 2), ceil(w / 2), c) of the same dtype, integers rounded.
    """
    height, width, channels = pixels.shape
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    size = (math.ceil(width / 2), math.ceil(height / 2))
    known = pixels if pixels.dtype in _RESIZABLE else pixels.astype(np.float64)
    # OpenCV takes up to four channels at once.
    parts = [
        cv2.resize(
            np.ascontiguousarray(known[..., first : first + 4]), size, interpolation=cv2.INTER_AREA
        ).reshape(size[1], size[0], -1)
        for first in range(0, channels, 4)
    ]
    small: NDArray[Any] = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    if small.dtype == pixels.dtype:
        return small
    if pixels.dtype.kind in "iu":
        small = np.rint(small)
    return small.astype(pixels.dtype)
