"""Rectangles out of a TIFF series, decoding only the tiles or strips that they touch.

It knows where samples lie in the file and nothing of their meaning (colours, axes' names for
people); `tiff_source` does that.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Rect
from segcore.images.source import BoundedCache


class TileStore:
    """Decoded tiles of one file and the lock of its file handle.

    Parameters
    ----------
    cache : bounded; keys are tuples of numbers.
    lock : held around the cache and around seek and read.
    """

    def __init__(self, cache: BoundedCache, lock: threading.RLock) -> None:
        self.cache = cache
        self.lock = lock


class SeriesReader:
    """One resolution of a series as planes: a stack axis, rows, columns, samples.

    Axes of the file are flattened to that: everything but Y, X, S (samples) and C (channels) is
    the stack, in the file's order; samples are the product of C and S.

    Parameters
    ----------
    series : tifffile's series, or a level of one.
    store : keeps decoded tiles; its lock is held while the file is read, not while decoding.

    Raises
    ------
    BadFile
        Where the series' axes make no planes.
    """

    def __init__(self, path: Path, series: Any, store: TileStore) -> None:
        self._path = path
        self._series = series
        self._store = store
        axes, shape = str(series.axes), tuple(int(n) for n in series.shape)
        if "Y" not in axes or "X" not in axes:
            raise BadFile(
                f"{path.name} holds no plane of pixels (its axes are {axes}).",
                "Save it as an ordinary image.",
            )
        self.height, self.width = shape[axes.index("Y")], shape[axes.index("X")]
        if min(shape) < 1:
            raise BadFile(f"{path.name} claims a size without pixels.", "Copy it again.")
        # A letter may come twice: tifffile calls axes that nobody named Q.
        self.stack_axes = "".join(a for a in axes if a not in "YXSC")
        self.stack_sizes = tuple(n for a, n in zip(axes, shape, strict=True) if a not in "YXSC")
        self.stack = math.prod(self.stack_sizes)
        self.samples = math.prod(n for a, n in zip(axes, shape, strict=True) if a in "SC")
        self.page = series.keyframe
        # Native in what is returned; the file's order only where it is read as it lies there.
        self.dtype = np.dtype(series.dtype).newbyteorder("=")
        # Stored plainly, one value after the other? Then nothing has to be decoded at all.
        behind_x = axes.partition("YX")[2]
        plain = (
            self.page.is_final
            and series.dataoffset is not None
            and "YX" in axes
            and set(behind_x) <= {"S", "C"}
        )
        self._offset: int | None = int(series.dataoffset) if plain else None
        if self._offset is None:
            self._plan_pages(axes, shape)

    def _plan_pages(self, axes: str, shape: tuple[int, ...]) -> None:
        """Which page holds which plane: a table of (stack, colour) to number of page."""
        count = len(self._series)
        leading = 0
        while math.prod(shape[:leading]) < count and leading < len(shape):
            leading += 1
        numbers = np.arange(count)
        if math.prod(shape[:leading]) != count or {"Y", "X"} & set(axes[:leading]):
            raise BadFile(
                f"{self._path.name} has pages that do not add up to its axes ({axes}).",
                "Save it as an ordinary multi-page TIFF.",
            )
        numbers = numbers.reshape(shape[:leading])
        if "C" in axes[:leading]:
            numbers = np.moveaxis(numbers, axes.index("C"), -1)
        else:
            numbers = numbers[..., np.newaxis]
        self._pages = numbers.reshape(-1, numbers.shape[-1])
        # What is left of the stack is within a page (volumetric TIFF).
        self._depth = self.stack // self._pages.shape[0]

    @property
    def is_plain(self) -> bool:
        """Whether nothing has to be decoded."""
        return self._offset is not None

    @property
    def bytes_at_once(self) -> int:
        """Bytes of the largest piece that must be decoded as one."""
        if self._offset is not None:
            return 0
        page = self.page
        samples = page.samplesperpixel if page.planarconfig == 1 else 1
        if page.is_tiled:
            area = page.tilelength * page.tilewidth * max(1, page.tiledepth)
        else:
            area = min(page.rowsperstrip, page.imagelength) * page.imagewidth
        return int(area * samples * self.dtype.itemsize)

    def read(self, z: int, rect: Rect) -> NDArray[Any]:
        """All samples of a rectangle: (h, w, samples), native byte order.

        Raises
        ------
        BadFile
            Where the data is damaged, cut off or compressed in an unknown way.
        """
        try:
            if self._offset is not None:
                return self._read_plain(z, rect, self._offset)
            return self._read_pages(z, rect)
        except ImportError:
            kind = getattr(self.page.compression, "name", str(self.page.compression))
            raise BadFile(
                f"{self._path.name} is compressed in a way that is not read here ({kind}).",
                "Save it again with deflate or LZW compression.",
            ) from None
        except Exception:
            # Each of tifffile's many decoders has errors of its own.
            raise BadFile(
                f"{self._path.name} is damaged or cut off: a part of its pixels cannot be decoded.",
                "Copy it again from its source.",
            ) from None

    def _read_plain(self, z: int, rect: Rect, offset: int) -> NDArray[Any]:
        """Read the rows where they lie.

        Not through a memory map: a file that is cut shorter meanwhile would end the program.
        """
        axes, shape = str(self._series.axes), tuple(int(n) for n in self._series.shape)
        y_at = axes.index("Y")
        pixel = math.prod(shape[y_at + 2 :])
        plane = shape[y_at] * shape[y_at + 1] * pixel
        stored = np.dtype(self._series.dtype).newbyteorder(self.page.parent.byteorder)
        place = np.unravel_index(z, self.stack_sizes) if self.stack_sizes else ()
        before = axes[:y_at]
        colours, samples = (shape[axes.index(a)] if a in before else 1 for a in "CS")
        parts = []
        with self._path.open("rb") as file:
            for colour, sample in np.ndindex(colours, samples):
                stack = iter(place)
                at = {"C": colour, "S": sample}
                index = tuple(at[a] if a in at else int(next(stack)) for a in before)
                number = int(np.ravel_multi_index(index, shape[:y_at])) if index else 0
                start = offset + number * plane * stored.itemsize
                parts.append(_read_rows(file, start, rect, shape[y_at + 1], pixel, stored))
        values: NDArray[Any] = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return values.astype(self.dtype, copy=False)

    def _read_pages(self, z: int, rect: Rect) -> NDArray[Any]:
        row, depth = divmod(z, self._depth)
        numbers = self._pages[row]
        parts = [self._read_page(int(number), depth, rect) for number in numbers]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def _read_page(self, number: int, depth: int, rect: Rect) -> NDArray[Any]:
        separate, _, height, width, contiguous = self.page.shaped
        page = self.page
        if page.is_tiled:
            rows, columns, thick = page.tilelength, page.tilewidth, max(1, page.tiledepth)
        else:
            rows, columns, thick = min(page.rowsperstrip, height), width, 1
        across, down = math.ceil(width / columns), math.ceil(height / rows)
        layers = math.ceil(self._depth / thick)
        out = np.zeros((rect.height, rect.width, separate * contiguous), self.dtype)
        for sample in range(separate):
            for ty in range(rect.y // rows, math.ceil(rect.bottom / rows)):
                for tx in range(rect.x // columns, math.ceil(rect.right / columns)):
                    segment = ((sample * layers + depth // thick) * down + ty) * across + tx
                    tile = self._tile(number, segment)
                    if tile is None:
                        continue  # a sparse file leaves out tiles that are all 0
                    plane = tile[depth % thick]
                    area = Rect(ty * rows, tx * columns, *plane.shape[:2]).intersect(rect)
                    rows_in, columns_in = area.shifted(-rect.y, -rect.x).slices
                    samples_in = slice(sample * contiguous, (sample + 1) * contiguous)
                    out[rows_in, columns_in, samples_in] = plane[
                        area.shifted(-ty * rows, -tx * columns).slices
                    ]
        return out

    def _tile(self, number: int, segment: int) -> NDArray[Any] | None:
        """One decoded tile or strip (depth, h, w, samples); None where the file leaves it out."""
        key = (self.page.offset, number, segment)
        with self._store.lock:
            found = self._store.cache.get(key)
            if found is not None:
                return found
            # Pages beyond the first are found in the file when they are first asked for.
            page = self._series[number]
            offset, count = page.dataoffsets[segment], page.databytecounts[segment]
            if count == 0 or offset == 0:
                return None
            handle = self.page.parent.filehandle
            handle.seek(offset)
            data = handle.read(count)
            tables: dict[str, Any] = {}
            if self.page.compression in (6, 7, 34892, 33007):  # the kinds of JPEG
                tables = {"jpegtables": page.jpegtables, "jpegheader": self.page.jpegheader}
            decode = self.page.decode
        if len(data) < count:
            raise EOFError
        # Two threads may decode the same tile at the same time; that is cheaper than waiting.
        tile: NDArray[Any] | None = decode(data, segment, **tables)[0]
        if tile is None:
            return None
        with self._store.lock:
            self._store.cache.put(key, tile)
        return tile


def _read_rows(
    file: BinaryIO, start: int, rect: Rect, width: int, pixel: int, stored: np.dtype[Any]
) -> NDArray[Any]:
    """(h, w, pixel) numbers of a rectangle out of a plane that lies plainly in a file.

    Parameters
    ----------
    start : of the plane, in bytes.
    width : of the plane, in pixels.
    pixel : numbers a pixel.
    """
    one = pixel * stored.itemsize
    if rect.width * 8 >= width:
        # A seek costs about as much as reading some kilobytes too many.
        file.seek(start + rect.y * width * one)
        band = file.read(rect.height * width * one)
        rows = np.frombuffer(band, stored).reshape(rect.height, width, pixel)
        return rows[:, rect.x : rect.right]
    pieces = []
    for y in range(rect.y, rect.bottom):
        file.seek(start + (y * width + rect.x) * one)
        pieces.append(file.read(rect.width * one))
    return np.frombuffer(b"".join(pieces), stored).reshape(rect.height, rect.width, pixel)
