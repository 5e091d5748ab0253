"""Small pictures of items: made once beside the GUI thread, kept as files in the cache folder.

What was asked for last is made first, because it is what is on screen now.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QImageWriter, QPixmap

from segcore.base import MaskwrightError, Rect, Shape
from segcore.base.whole import clear_remains, written_whole

log = logging.getLogger(__name__)
WIDTH, HEIGHT = 58, 44
COVER_WIDTH, COVER_HEIGHT = 600, 336
# Drawn at twice the size, so that it is crisp at 150 and 200 %.
_RATIO = 2
_KEPT = 600
_WAITING = 96


class Thumbnails(QObject):
    """Pixmaps by item id; `ready` tells when one that was asked for has come."""

    ready = Signal(str)
    _made = Signal(str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project: Any = None
        self._pixmaps: OrderedDict[str, QPixmap | None] = OrderedDict()
        self.missing: set[str] = set()
        self._wanted: OrderedDict[str, Any] = OrderedDict()
        self._there = threading.Condition()
        self._thread: threading.Thread | None = None
        self._made.connect(self._take)

    def load(self, project: Any) -> None:
        """Begin with another project, or none."""
        with self._there:
            self._wanted.clear()
        self._project = project
        self._pixmaps.clear()
        self.missing.clear()

    def get(self, item: Any) -> QPixmap | None:
        """The thumbnail, or None while it is being made (or cannot be)."""
        if item.id in self._pixmaps:
            return self._pixmaps[item.id]
        with self._there:
            self._wanted[item.id] = item
            self._wanted.move_to_end(item.id)
            while len(self._wanted) > _WAITING:
                self._wanted.popitem(last=False)
            self._there.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
            self._thread.start()
        return None

    def forget(self, item_id: str) -> None:
        """The item's picture can be read better than before: make its thumbnail anew."""
        self._pixmaps.pop(item_id, None)
        self.ready.emit(item_id)

    def close(self) -> None:
        """Stop the thread."""
        thread, self._thread = self._thread, None
        with self._there:
            self._wanted.clear()
            self._wanted["stop"] = None
            self._there.notify()
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._there:
                while not self._wanted:
                    self._there.wait()
                item_id, item = self._wanted.popitem()
            project = self._project
            if item is None:
                return
            if project is None:
                continue
            image = make_thumbnail(item, Path(project.cache_dir))
            if image is None and any(s.status == "missing" for s in item.sources):
                self.missing.add(item_id)
            try:
                self._made.emit(item_id, image)
            except RuntimeError:
                return

    def _take(self, item_id: str, image: QImage | None) -> None:
        if image is None:
            self._pixmaps[item_id] = None
        else:
            pixmap = QPixmap.fromImage(image)
            pixmap.setDevicePixelRatio(_RATIO)
            self._pixmaps[item_id] = pixmap
        while len(self._pixmaps) > _KEPT:
            self._pixmaps.popitem(last=False)
        self.ready.emit(item_id)


def make_thumbnail(item: Any, cache: Path) -> QImage | None:
    """The thumbnail of an item from the cache or from its picture; None if it has none."""
    file = cache / "thumbnails" / f"{item.id}.png"
    kept = QImage(str(file)) if file.is_file() else QImage()
    if not kept.isNull():
        return kept
    try:
        image, is_rough = picture_of(item, WIDTH * _RATIO, HEIGHT * _RATIO)
    except (MaskwrightError, OSError, ValueError) as error:
        log.info("no thumbnail: %s", type(error).__name__)
        return None
    if is_rough:
        return image  # once the picture has its levels there will be a better one to keep
    keep_picture(image, file)
    return image


@functools.cache
def _clear_once(folder: Path) -> None:
    """In a folder of thousands, looking for remains at each picture would take longer than it."""
    clear_remains(folder)


def keep_picture(image: QImage, file: Path) -> None:
    """Write a small picture into the cache; where that cannot be written, nothing is kept.

    Who reads at the same moment, as the welcome page and other windows do, finds a whole picture
    or none.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _clear_once(file.parent)
        with written_whole(file) as draft:
            if not QImageWriter(str(draft), b"png").write(image):
                raise OSError("Qt did not write it")
    except OSError as error:
        log.info("a small picture was not kept: %s", type(error).__name__)


class NotDecoded(MaskwrightError):
    """A picture so large that a thumbnail waits until somebody looks at it."""


def picture_of(item: Any, width: int, height: int) -> tuple[QImage, bool]:
    """The item's middle slice, cut to the shape of the frame, `width` x `height` pixels.

    Returns
    -------
    the picture, and whether it is a rough one, of single pixels of a picture without levels.

    Raises
    ------
    NotDecoded : all of a large picture would have to be decoded for it.
    """
    import cv2
    import numpy as np

    from segcore.images import default_window, to_display

    with item.open_image() as source:
        z = source.shape.z // 2
        if not source.is_ready(len(source.levels) - 1, z) and source.preview(z) is None:
            # Its decoder would stand in the way of the picture that somebody looks at.
            raise NotDecoded(f"{item.name} has no overview yet.")
        # As the canvas opens it unless somebody switched that off: a black square tells nothing.
        low, high = default_window(source, z, automatic_contrast=True)
        fitting = [
            i
            for i, level in enumerate(source.levels)
            if level.shape.y >= height and level.shape.x >= width
        ]
        level = fitting[-1] if fitting else 0
        rect = middle_of(source.levels[level].shape, width, height)
        values = source.glance(z, rect, level)
        if values is None:
            raise NotDecoded(f"{item.name} has no overview yet.")
        shown = to_display(values, low, high, source.invert)
        is_rough = not source.is_ready(level, z)
    small = np.ascontiguousarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA))
    image = QImage(small.data, width, height, width * 3, QImage.Format.Format_RGB888).copy()
    return image, is_rough


def middle_of(grid: Shape, width: int, height: int) -> Rect:
    """The largest rectangle in the middle of a slice that has the shape of the frame."""
    wide = min(grid.x, round(grid.y * width / height))
    tall = min(grid.y, round(grid.x * height / width))
    return Rect((grid.y - tall) // 2, (grid.x - wide) // 2, max(1, tall), max(1, wide))


def write_cover(project: Any) -> None:
    """Keep a picture of the project's first item, with its mask, for the welcome page."""
    import cv2
    import numpy as np

    item = next(iter(project.items), None)
    if item is None:
        return
    picture, _ = picture_of(item, COVER_WIDTH, COVER_HEIGHT)
    rows = np.frombuffer(picture.constBits(), np.uint8)
    rows = rows.reshape(COVER_HEIGHT, picture.bytesPerLine())[:, : COVER_WIDTH * 3]
    shown = rows.reshape(COVER_HEIGHT, COVER_WIDTH, 3).astype(np.float32)
    labels = item.labels
    classes = labels.read(middle_of(labels.shape, COVER_WIDTH, COVER_HEIGHT), labels.shape.z // 2)
    size = (COVER_WIDTH, COVER_HEIGHT)
    classes = cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST)
    for c in project.classes:
        if c.rgb is not None:
            inside = classes == int(c.id)
            shown[inside] = 0.65 * shown[inside] + 0.35 * np.array(c.rgb, np.float32)
    done = np.ascontiguousarray(shown.astype(np.uint8))
    file = Path(project.cache_dir) / "covers" / f"{item.id}.png"
    image = QImage(done.data, *size, COVER_WIDTH * 3, QImage.Format.Format_RGB888)
    keep_picture(image, file)
