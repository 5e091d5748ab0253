"""Coarser levels for a large picture that has none, made once and kept in a cache folder.

Without them an overview of a picture of 400 million pixels would decode all of it each time. The
files may be deleted at any time; they are made again. The picture itself is only read.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Cancelled, Rect, Shape
from segcore.base.whole import clear_remains, written_whole
from segcore.images.files import fingerprint
from segcore.images.registry import open as open_image
from segcore.images.source import ImageSource, Level

# A plane below this is decoded and halved in memory faster than a file is found.
_LARGE_PIXELS = 1 << 25
# The coarsest level is at most this large: a screen.
_COARSE_PIXELS = 1 << 21
_TILE = 256
_BAND_BYTES = 64 * 2**20
# So much a screen's tile may decode when it only glances: some tenths of a second.
_GLANCE_PIXELS = 1 << 22
Told: TypeAlias = Callable[[float], None]
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
    (so a made level's scale is a power of two times that of the level it comes from). `read` makes
    a level that is missing; `glance` does not and is content with single pixels.
    """

    def __init__(self, source: ImageSource, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._given = len(source.levels)
        self._made: dict[tuple[int, int], ImageSource] = {}
        # The coarsest level of slices that are being built, as far as they are read.
        self._coarse: dict[int, NDArray[Any]] = {}
        # Apart from the base's lock: making a level takes seconds, and neither closing nor reading
        # the levels that are there must wait for it.
        self._making = threading.RLock()
        levels = list(source.levels)
        while levels[-1].shape.y * levels[-1].shape.x > _COARSE_PIXELS:
            (z, y, x), scale = levels[-1]
            shape = Shape(z, math.ceil(y / 2), math.ceil(x / 2))
            levels.append(Level(shape, (scale[0] * 2, scale[1] * 2)))
        self._name = _name_of(source)
        super().__init__(source.path, source.family, replace(source.info, levels=tuple(levels)))

    @property
    def paths(self) -> tuple[Path, ...]:
        return self._source.paths

    @property
    def decodes_whole(self) -> bool:
        return self._source.decodes_whole

    def is_resident(self, level: int, z: int = 0) -> bool:
        return level < self._given and self._source.is_resident(level, z)

    def preview(self, z: int = 0) -> NDArray[Any] | None:
        return self._source.preview(z)

    def trim(self) -> None:
        self._source.trim()

    def is_built(self, z: int = 0) -> bool:
        """Whether every level of a slice lies in the cache folder."""
        return all(self.is_ready(level, z) for level in range(len(self.levels)))

    def is_ready(self, level: int, z: int = 0) -> bool:
        """Whether a level is the file's own or lies in the cache folder."""
        return level < self._given or self._file(z, level).exists()

    def build(
        self,
        z: int = 0,
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Make what is missing of a slice's levels; some seconds for 100 million pixels.

        Parameters
        ----------
        cancelled : asked about every 64 MB that are read.
        progress : told as often which share is done, 0 to 1.

        Raises
        ------
        Cancelled
            Where `cancelled` said so; no half a file stays.
        BadFile
            Where the picture is damaged or the cache folder cannot be written.
        """
        sizes = [level.shape.y * level.shape.x for level in self.levels[self._given - 1 :]]
        whole, before = sum(sizes[:-1]), 0

        for level, size in enumerate(sizes[:-1], self._given):

            def told(share: float, before: int = before, size: int = size) -> None:
                if cancelled is not None and cancelled():
                    raise Cancelled(f"The overview of {self.path.name} was not finished.")
                if progress is not None:
                    progress((before + share * size) / whole)

            self._level(z, level, told)
            before += size
        self._coarse.pop(z, None)

    def glance(self, z: int, rect: Rect, level: int) -> NDArray[Any] | None:
        """As `read` where a level is there, else single pixels of what there is.

        None where that would decode a whole large slice.
        """
        if level < self._given or self._opened(z, level) is not None:
            return self.read(z, rect, level)
        grid = self.levels[level].shape
        near = next(
            k for k in range(level - 1, -1, -1) if k < self._given or self._opened(z, k) is not None
        )
        below = self.levels[near].shape
        if near < self._given and not self._is_cheap(z, near, rect, level):
            small = self._source.preview(z)
            small = self._coarse.get(z) if small is None else small
            if small is None:
                return None
            rows = _middles(rect.y, rect.bottom, grid.y, small.shape[0])
            return small[rows][:, _middles(rect.x, rect.right, grid.x, small.shape[1])]
        rows = _middles(rect.y, rect.bottom, grid.y, below.y)
        columns = _middles(rect.x, rect.right, grid.x, below.x)
        first, last = int(columns[0]), int(columns[-1])
        out = np.empty((rect.height, rect.width, self.channels), self.dtype)
        # Row by row: what lies plainly in a file is then read only where it is wanted, and of what
        # is decoded no second copy is made.
        for place, row in enumerate(rows):
            line = self.read(z, Rect(int(row), first, 1, last - first + 1), near)
            out[place] = line[0, columns - first]
        return out

    def _is_cheap(self, z: int, near: int, rect: Rect, level: int) -> bool:
        """Whether single pixels of `near` can be had for a rectangle of `level` in a moment."""
        if self.decodes_whole:
            return self.is_resident(near, z)
        below, grid = self.levels[near].shape, self.levels[level].shape
        # What lies plainly in the file is read row by row, of what is packed every tile between.
        rows = 1.0 if self._source.is_plain else below.y / grid.y
        return rect.area * rows * below.x / grid.x <= _GLANCE_PIXELS

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        self._check_open()
        if level < self._given:
            return self._source.read(z, rect, level, channels)
        try:
            return self._level(z, level, None).read(0, rect, 0, channels)
        except BadFile:
            # A level that went bad on the disk is no loss: once more, from the picture itself.
            self._drop(z, level)
            return self._level(z, level, None).read(0, rect, 0, channels)

    def _level(self, z: int, level: int, told: Told | None) -> ImageSource:
        """The open file of a made level; made now where it is missing."""
        found = self._opened(z, level)
        if found is not None:
            return found
        with self._making:
            found = self._opened(z, level)
            if found is None:
                self._write(self._file(z, level), z, level, told)
                found = self._opened(z, level)
        if found is None:
            raise BadFile(
                f"The overview of {self.path.name} could not be read again.",
                "Check the disk that holds the project's cache folder.",
            )
        return found

    def _opened(self, z: int, level: int) -> ImageSource | None:
        """The open file of a made level; None where there is none, or a damaged one."""
        with self._lock:
            self._check_open()
            found = self._made.get((z, level))
            if found is not None:
                return found
            path = self._file(z, level)
            if not path.exists():
                return None
            try:
                opened = open_image(path)
            except BadFile:
                self._drop(z, level)
                return None
            if opened.shape[1:] != self.levels[level].shape[1:] or opened.dtype != self.dtype:
                opened.close()
                self._drop(z, level)
                return None
            self._made[z, level] = opened
            return opened

    def _drop(self, z: int, level: int) -> None:
        """Take a damaged level away."""
        with self._lock:
            found = self._made.pop((z, level), None)
        if found is not None:
            found.close()
        # Where another process holds it open it stays, and is found damaged again.
        with contextlib.suppress(OSError):
            self._file(z, level).unlink(missing_ok=True)

    def _file(self, z: int, level: int) -> Path:
        return self._folder / f"{self._name}-{z}-{level}.tif"

    def _write(self, path: Path, z: int, level: int, told: Told | None) -> None:
        import tifffile

        below = None if level == self._given else self._level(z, level - 1, told)
        grid = self.levels[level].shape
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            clear_remains(self._folder)
            with written_whole(path) as draft:
                tifffile.imwrite(
                    draft,
                    self._tiles(z, level, below, told),
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
        except OSError as error:
            if isinstance(error, PermissionError) and path.exists():
                return  # Windows: the other process was first and reads it already
            raise BadFile(
                f"The overview of {self.path.name} could not be kept: "
                f"{error.strerror or 'the disk refused'}.",
                "Make room on the disk that holds the project's cache folder.",
            ) from None

    def _tiles(
        self, z: int, level: int, below: ImageSource | None, told: Told | None
    ) -> Iterator[NDArray[Any]]:
        """Tiles of a level, row by row, out of bands of the level below it."""
        from_grid, grid = self.levels[level - 1].shape, self.levels[level].shape
        row_bytes = from_grid.x * self.channels * self.dtype.itemsize
        rows = max(1, _BAND_BYTES // (row_bytes * 2 * _TILE)) * _TILE
        for top in range(0, grid.y, rows):
            self._check_open()
            if told is not None:
                told(top / grid.y)
            rect = Rect.from_bounds(2 * top, 0, min(2 * (top + rows), from_grid.y), from_grid.x)
            band = self._source.read(z, rect, level - 1) if below is None else below.read(0, rect)
            if below is None:
                self._show_band(z, band, rect)
            small = halved(band)
            for y in range(0, small.shape[0], _TILE):
                for x in range(0, small.shape[1], _TILE):
                    tile = np.zeros((_TILE, _TILE, self.channels), self.dtype)
                    part = small[y : y + _TILE, x : x + _TILE]
                    tile[: part.shape[0], : part.shape[1]] = part
                    yield tile if self.channels > 1 else tile[..., 0]

    def _show_band(self, z: int, band: NDArray[Any], rect: Rect) -> None:
        """Single pixels of a band that was read, for those who glance meanwhile."""
        coarse, below = self.levels[-1].shape, self.levels[self._given - 1].shape
        shown = self._coarse.get(z)
        if shown is None:
            shown = np.zeros((coarse.y, coarse.x, self.channels), self.dtype)
        rows = _middles(0, coarse.y, coarse.y, below.y)
        inside = (rows >= rect.y) & (rows < rect.bottom)
        columns = _middles(0, coarse.x, coarse.x, below.x)
        shown[inside] = band[rows[inside] - rect.y][:, columns]
        self._coarse[z] = shown

    def close(self) -> None:
        """Let go of everything; a level that is being made is given up at its next band."""
        super().close()
        self._source.close()
        with self._lock:
            while self._made:
                self._made.popitem()[1].close()


def _name_of(source: ImageSource) -> str:
    """What the levels of a picture are called: by its files, their size and time, and its grid."""
    facts: list[object] = [source.shape, source.dtype.str, source.channels, len(source.levels)]
    for path in source.paths:
        mark = fingerprint(path)
        facts += [path.absolute(), mark.size, mark.mtime_ns]
    return hashlib.sha256("|".join(map(str, facts)).encode()).hexdigest()[:24]


def _middles(first: int, end: int, size: int, below: int) -> NDArray[np.intp]:
    """For places first .. end of an axis of `size`, the middle one of `below` that each covers."""
    places = (np.arange(first, end) + 0.5) * below / size
    return np.minimum(places.astype(np.intp), below - 1)


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
