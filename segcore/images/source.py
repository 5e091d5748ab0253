"""What every opened image looks like from outside: a grid of values that is read by rectangle.

It refuses to know any file format; the families (raster, tiff, dicom, nifti) fill it in.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Rect, Shape, Spacing
from segcore.base.dataclass import dataclass

MAX_LIMIT_BYTES = 8 * 2**30
# Below this no limit is worth asking the system for its memory.
_ALWAYS_ALLOWED = 64 * 2**20
_CACHE_BYTES = 192 * 2**20


class Level(NamedTuple):
    """One resolution of an image; level 0 is the full one.

    `scale` is the number of level-0 pixels per pixel of this level, as (y, x), exact: for a
    level that the file brings the quotient of the sizes, not the power of two that somebody meant.
    """

    shape: Shape
    scale: tuple[float, float]


class WindowPreset(NamedTuple):
    """A window that the file itself proposes: shown are centre - width/2 .. centre + width/2."""

    name: str
    centre: float
    width: float


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """What is known of an image before a pixel is decoded; see `ImageSource` for the meanings."""

    shape: Shape
    axes: str
    channels: int
    dtype: np.dtype[Any]
    channel_names: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    spacing: Spacing | None = None
    affine: NDArray[np.float64] | None = None
    view_flip: tuple[bool, bool] = (False, False)
    presets: tuple[WindowPreset, ...] = ()
    unit: str = ""
    hints: tuple[str, ...] = ()
    has_alpha: bool = False
    invert: bool = False
    frame_of_reference: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class ImageSource:
    """An open image: its grid and geometry, and `read`.

    Attributes
    ----------
    path : the file, or the folder of a series.
    info : everything that was known before a pixel was decoded, as one value.
    family : "raster", "tiff", "dicom" or "nifti".
    shape : (z, y, x) of level 0; a picture has z = 1.
    axes : names of the axes without channels: "yx", "zyx" (space), "tyx" (time), "pyx" (pages).
    channels, channel_names : e.g. 3 and ("red", "green", "blue"). Alpha is never a channel.
    dtype : of the values that `read` returns, in native byte order.
    levels : level 0 first, then coarser ones.
    spacing : millimetres between voxel centres, or None where the file does not say.
    affine : (4, 4) float64, index (x, y, z, 1) to RAS+ millimetres, or None.
    view_flip : (y, x): whether a slice is turned over to look as radiologists expect
        (patient's right on the left, front up).
    presets : windows that the file proposes.
    unit : of the values, "HU" for a CT whose file says so; "" where it is not known.
    hints : sentences for people about what was left out or guessed.
    has_alpha : whether the file has an alpha channel that was left out.
    invert : whether small values are bright (DICOM's MONOCHROME1); the values are not turned over.
    frame_of_reference : DICOM's UID, or "".
    metadata : technical facts as text; no names, ids or dates of patients.
    """

    def __init__(self, path: Path, family: str, info: ImageInfo) -> None:
        self.path = path
        self.info = info
        self.family = family
        self.shape = info.shape
        self.axes = info.axes
        self.channels = info.channels
        self.dtype = info.dtype
        self.channel_names = info.channel_names or default_channel_names(info.channels)
        self.levels = info.levels or (Level(info.shape, (1.0, 1.0)),)
        self.spacing = info.spacing
        self.affine = info.affine
        self.view_flip = info.view_flip
        self.presets = info.presets
        self.unit = info.unit
        self.hints = info.hints
        self.has_alpha = info.has_alpha
        self.invert = info.invert
        self.frame_of_reference = info.frame_of_reference
        self.metadata: dict[str, str] = dict(info.metadata)
        self._lock = threading.RLock()
        self._cache = BoundedCache(_CACHE_BYTES)
        self._closed = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file (or folder) that is read; several where channels are joined."""
        return (self.path,)

    def read(
        self,
        z: int = 0,
        rect: Rect | None = None,
        level: int = 0,
        channels: Sequence[int] | None = None,
    ) -> NDArray[Any]:
        """Values of one slice, or of a rectangle of it.

        Parameters
        ----------
        z : slice, page or time.
        rect : in pixels of `level`; None is the whole slice.
        level : index into `levels`.
        channels : which channels, in which order; None is all.

        Returns
        -------
        (h, w, c) of `dtype`, contiguous, the caller's own to change.

        Raises
        ------
        ValueError
            Where `rect` is not inside, or there is no such slice, level or channel.
        BadFile
            Where the file's pixels turn out to be damaged.
        """
        if not 0 <= level < len(self.levels):
            raise ValueError(f"level {level} of an image with {len(self.levels)}")
        grid = self.levels[level].shape
        if not 0 <= z < grid.z:
            raise ValueError(f"slice {z} of an image with {grid.z}")
        if rect is None:
            rect = Rect(0, 0, grid.y, grid.x)
        if rect.y < 0 or rect.x < 0 or rect.height < 0 or rect.width < 0:
            raise ValueError(f"{rect} lies outside of the image")
        if rect.bottom > grid.y or rect.right > grid.x:
            raise ValueError(f"{rect} lies outside of {grid.x} x {grid.y} pixels")
        wanted = tuple(range(self.channels)) if channels is None else tuple(channels)
        if any(not 0 <= c < self.channels for c in wanted):
            raise ValueError(f"channels {wanted} of an image with {self.channels}")
        if rect.is_empty or not wanted:
            return np.empty((rect.height, rect.width, len(wanted)), self.dtype)
        pixels = self._region(z, rect, level, wanted)
        # A copy also where a view would do: what is in the cache is nobody's to change.
        return np.array(pixels, dtype=self.dtype, order="C", copy=True)

    def is_ready(self, level: int, z: int = 0) -> bool:
        """Whether a level can be read at once; one that has to be made first cannot."""
        return level < len(self.levels)

    @property
    def decodes_whole(self) -> bool:
        """Whether a slice is decoded as one (PNG, JPEG) and kept, not piece by piece."""
        return type(self)._region is ImageSource._region

    @property
    def is_plain(self) -> bool:
        """Whether values lie in the file as they are, so that a row can be read by itself."""
        return False

    def is_resident(self, level: int, z: int = 0) -> bool:
        """Whether reading only looks into memory; asking never waits for a decoder."""
        return self.decodes_whole and (z, level) in self._cache

    def glance(self, z: int, rect: Rect, level: int) -> NDArray[Any] | None:
        """Values for a screen that will not wait: as `read`, or roughly the same, or None.

        Only levels that still have to be made differ from `read`: there single pixels stand for
        many, and None means that not even those can be had without decoding a large picture.
        """
        return self.read(z, rect, level)

    def preview(self, z: int = 0) -> NDArray[Any] | None:
        """The whole slice, small, (h, w, c), where the file gives that for a fraction of the time
        of decoding; else None."""
        return None

    def trim(self) -> None:
        """Forget what was decoded; it is decoded again when it is asked for."""
        with self._lock:
            self._cache.clear()

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        """Values of a rectangle inside the grid; overridden where less than a slice is read."""
        part = self._whole(z, level)[rect.slices]
        return part if channels == tuple(range(self.channels)) else part[..., list(channels)]

    def _whole(self, z: int, level: int) -> NDArray[Any]:
        """One decoded slice out of the cache; two threads that ask decode it once."""
        return self._cached((z, level), lambda: self._decode(z, level))

    def _cached(self, key: tuple[int, ...], decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What `decode` gives, read-only, kept under `key`."""
        with self._lock:
            self._check_open()
            found = self._cache.get(key)
            if found is None:
                found = decode()
                found.setflags(write=False)
                self._cache.put(key, found)
            return found

    def _decode(self, z: int, level: int) -> NDArray[Any]:
        """Decode one whole slice: (y, x, c) of `dtype`. Called with the lock held.

        Families override this, or `_region`.
        """
        raise NotImplementedError

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the image is closed")

    def close(self) -> None:
        """Let go of the file and of what was decoded; reading afterwards is an error."""
        with self._lock:
            self._closed = True
            self._cache.clear()

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<{self.family} {self.shape.x} x {self.shape.y} x {self.shape.z}, "
            f"{self.channels} x {self.dtype}>"
        )


class BoundedCache:
    """Decoded slices or tiles: the least recently used go first, the newest stays at any size."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()

    def get(self, key: tuple[int, ...]) -> NDArray[Any] | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._kept

    def put(self, key: tuple[int, ...], pixels: NDArray[Any]) -> None:
        replaced = self._kept.pop(key, None)
        if replaced is not None:  # two threads decoded the same
            self._bytes -= replaced.nbytes
        self._kept[key] = pixels
        self._bytes += pixels.nbytes
        while self._bytes > self._capacity and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.nbytes

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0


def default_channel_names(count: int) -> tuple[str, ...]:
    """Names of channels where the file gives none: grey, or red, green, blue, or numbers."""
    if count == 1:
        return ("grey",)
    if count == 3:
        return ("red", "green", "blue")
    return tuple(f"channel {i + 1}" for i in range(count))


@functools.cache
def default_limit_bytes() -> int:
    """A quarter of this machine's memory, at most 8 GiB."""
    import psutil

    return int(min(MAX_LIMIT_BYTES, psutil.virtual_memory().total // 4))


def check_decoded_size(
    path: Path,
    needed: int,
    limit_bytes: int | None,
    what: str,
    hint: str = "Convert it to a tiled TIFF, which is read piece by piece",
) -> None:
    """Refuse what would need more memory at once than allowed, before anything is allocated.

    Parameters
    ----------
    needed : bytes of `what` when decoded.
    limit_bytes : the caller's limit; None is `default_limit_bytes`.
    what : e.g. "100,000 x 100,000 pixels", for the sentence.
    hint : what to do, as the beginning of a sentence.

    Raises
    ------
    BadFile
    """
    if limit_bytes is None:
        if needed <= _ALWAYS_ALLOWED:
            return
        limit_bytes = default_limit_bytes()
    if needed > limit_bytes:
        raise BadFile(
            f"{path.name} is too large to decode at once: {what} need {_bytes_text(needed)}, "
            f"the limit is {_bytes_text(limit_bytes)}.",
            f"{hint}, or raise the limit.",
        )


def _bytes_text(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
