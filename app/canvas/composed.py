"""ComposedTiles: pieces of the screen that are ready to blit, kept by what they depend on.

A tile's key names the picture, slice, zoom, look and the handles of every label tile that it
shows. Handles and versions only grow, so a kept tile is never wrong and nothing is invalidated.
Few missing tiles are composed at once, so that a stroke shows in the same frame; what would take
longer goes to threads, nearest first, while the frame before stays on screen.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from app.canvas.grid import Place, tile_rect
from app.canvas.sampling import LabelSampler
from app.canvas.scene import Scene, compose
from segcore.base import MaskwrightError, Rect
from segcore.base.dataclass import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Tile:
    """A composed piece: its pixels, and the picture that Qt blits (which shares them)."""

    key: Any
    pixels: NDArray[np.uint8]
    image: QImage


def tile_image(pixels: NDArray[np.uint8]) -> QImage:
    """A QImage over (h, w, 4) blue, green, red, 255; the array must outlive it."""
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB32)


class ComposedTiles(QObject):
    """Keeps composed tiles and makes missing ones.

    Parameters
    ----------
    orient : turns pixels of the zoomed grid as they lie on the screen (`View.oriented`).
    """

    arrived = Signal(object)
    """A place whose tile was composed beside the GUI thread; for the scene asked for last."""
    failed = Signal(object)
    """A MaskwrightError: the picture's pixels turned out to be damaged."""
    _made = Signal(object)

    def __init__(self, parent: QObject | None = None, limit_bytes: int = 192 << 20) -> None:
        super().__init__(parent)
        self.sampler = LabelSampler()
        self._limit = limit_bytes
        self._bytes = 0
        self._kept: OrderedDict[Any, Tile] = OrderedDict()
        self._lock = threading.Condition()
        self._wanted: list[tuple[float, Place, Any, Scene, Any]] = []
        self._working: set[Any] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._made.connect(self._take)

    # -- asking -------------------------------------------------------------------------------

    def get(self, key: Any) -> Tile | None:
        """The tile with this key, if it is ready."""
        tile = self._kept.get(key)
        if tile is not None:
            self._kept.move_to_end(key)
        return tile

    def make_now(self, key: Any, scene: Scene, rect: Rect, orient: Any) -> Tile | None:
        """Compose on this thread; None if something is not in memory."""
        pixels = compose(scene, rect, self.sampler, resident_only=True)
        if pixels is None:
            return None
        return self._keep(_made_tile(key, pixels, orient))

    def request(self, wanted: Iterable[tuple[float, Place, Any, Scene, Any]]) -> None:
        """Compose these beside the GUI thread, smallest number first, instead of what waited.

        Each is (distance, place, key, scene, orient).
        """
        with self._lock:
            self._wanted = sorted(wanted, key=lambda w: w[0], reverse=True)
            if self._wanted:
                self._start()
                self._lock.notify_all()

    @property
    def is_idle(self) -> bool:
        """True if nothing is being made or waits to be."""
        with self._lock:
            return not self._wanted and not self._working

    def close(self) -> None:
        """End the threads; nothing arrives afterwards."""
        with self._lock:
            self._closed = True
            self._wanted = []
            self._lock.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads = []

    # -- making -------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self._threads:
            for number in range(2):
                thread = threading.Thread(target=self._work, name=f"compose-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._wanted and not self._closed:
                    self._lock.wait()
                if self._closed:
                    return
                _, place, key, scene, orient = self._wanted.pop()
                if key in self._working:
                    continue
                self._working.add(key)
            result: Any
            try:
                pixels = compose(scene, tile_rect(place, scene.zoomed), self.sampler)
                assert pixels is not None
                result = _made_tile(key, pixels, orient)
            except Exception as error:
                result = error
            if self._is_closed():
                return
            try:
                self._made.emit((place, key, result))
            except RuntimeError:
                return  # the window went while this was being made

    def _is_closed(self) -> bool:
        with self._lock:
            return self._closed

    def _take(self, made: tuple[Place, Any, Any]) -> None:
        place, key, result = made
        if isinstance(result, Tile):
            self._keep(result)
        with self._lock:
            self._working.discard(key)
        if isinstance(result, MaskwrightError):
            self.failed.emit(result)
        elif isinstance(result, Exception):
            log.error("a piece of the screen could not be composed", exc_info=result)
        else:
            self.arrived.emit(place)

    def _keep(self, tile: Tile) -> Tile:
        old = self._kept.pop(tile.key, None)
        if old is not None:
            self._bytes -= old.pixels.nbytes
        self._kept[tile.key] = tile
        self._bytes += tile.pixels.nbytes
        while self._bytes > self._limit and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.pixels.nbytes
        return tile


def _made_tile(key: Any, pixels: NDArray[np.uint8], orient: Callable[[Any], Any]) -> Tile:
    turned = np.ascontiguousarray(orient(pixels))
    return Tile(key, turned, tile_image(turned))
