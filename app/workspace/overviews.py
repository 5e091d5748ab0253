"""Overviews: the coarser levels that a large picture lacks, built while the person looks at it.

The window shows at once what can be had without them; when they are there it shows the picture
anew. They lie in the project's cache folder and are built once.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.workspace.background import Background
from app.workspace.job import JobRow
from app.workspace.messages import Message
from segcore.base import Cancelled, MaskwrightError, Rect
from segcore.images import ImageSource, PyramidSource, default_window

if TYPE_CHECKING:
    from app.workspace.opening import Opening

log = logging.getLogger(__name__)
NUMBER = -1
"""Of the job, as the panel lists it; those of the core are positive."""


class Overviews(QObject):
    """Builds for the picture on screen; another one cancels it."""

    _advanced = Signal(object, float)
    _decoded = Signal(object, object)

    def __init__(self, workspace: Opening) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        # A thread of its own: it takes seconds, and everything else must not stand behind it.
        self._thread = Background(1, self)
        self._image: ImageSource | None = None
        self._stop = threading.Event()
        self.row: JobRow | None = None
        """The job while it runs, for the jobs panel."""
        self.decoding = ""
        """What is being decoded while nothing can be shown of it yet; "" if nothing is."""
        self._advanced.connect(self._show_share)
        self._decoded.connect(self._show_decoded)

    def follow(self, image: ImageSource | None, name: str, item_id: str, z: int) -> None:
        """Another picture or slice is on screen: build what it lacks, and nothing else."""
        self._leave(image)
        if not isinstance(image, PyramidSource) or image.is_built(z):
            return
        stop = self._stop = threading.Event()
        stretch = self._workspace.settings.get("look.automatic_contrast")
        blind = waits_for_decoder(image, z)
        self.decoding = "" if shows_something(image, z) else _size_text(image)
        self.row = JobRow(
            NUMBER, f"Overview of {name}", item_id, "running", started=time.monotonic()
        )
        self._workspace.jobs_changed.emit()

        def build() -> None:
            if blind and not stop.is_set():
                image.read(z, Rect(0, 0, 1, 1))
                window = default_window(image, z, automatic_contrast=stretch)
                self._decoded.emit(image, window)
            image.build(z, stop.is_set, lambda share: self._advanced.emit(image, share))

        self._thread.run(
            build, lambda _: self._finish(image), lambda error: self._fail(image, error)
        )

    def cancel(self) -> None:
        """Give up; the picture stays as roughly shown as it is, until it is opened again."""
        self._stop.set()
        if self.row is not None:
            self.row = replace(self.row, state="cancelling")
            self._workspace.jobs_changed.emit()

    def close(self) -> None:
        """Give up and end the thread."""
        self._stop.set()
        self._thread.close()

    def _leave(self, image: ImageSource | None) -> None:
        self._stop.set()
        left, self._image = self._image, image
        if isinstance(left, PyramidSource) and left is not image:
            # Up to gigabytes, for a picture that is not on screen.
            self._thread.run(left.trim, lambda _: None)
        self._end()

    def _end(self) -> None:
        self.decoding = ""
        if self.row is not None:
            self.row = None
            self._workspace.jobs_changed.emit()

    def _show_share(self, image: ImageSource, share: float) -> None:
        if image is self._image and self.row is not None:
            self.row = replace(self.row, progress=share)
            self._workspace.jobs_changed.emit()
            if share > 0:
                self.decoding = ""
                self._workspace.image_grew.emit(image)

    def _show_decoded(self, image: ImageSource, window: Any) -> None:
        if image is self._image:
            self.decoding = ""
            self._workspace.refine(image, window)

    def _finish(self, image: ImageSource) -> None:
        if image is self._image:
            self._end()
            self._workspace.refine(image)

    def _fail(self, image: ImageSource, error: Exception) -> None:
        if image is not self._image:
            return
        self._end()
        if isinstance(error, Cancelled):
            return
        if isinstance(error, MaskwrightError):
            # The picture can be shown without; only slower.
            self._workspace.post(Message(error.message, tone="warning", hint=error.hint))
            return
        log.error("an overview was not built", exc_info=error)


def shows_something(image: ImageSource, z: int) -> bool:
    """Whether a glance at a piece of the picture gives anything yet."""
    grid = image.levels[-1].shape
    piece = Rect(0, 0, min(256, grid.y), min(256, grid.x))
    return image.glance(z, piece, len(image.levels) - 1) is not None


def _size_text(image: ImageSource) -> str:
    return f"{image.shape.x:,} x {image.shape.y:,} pixels"


def waits_for_decoder(image: ImageSource, z: int) -> bool:
    """Whether not even a rough picture can be had before all of a large one is decoded."""
    coarsest = len(image.levels) - 1
    return (
        image.decodes_whole
        and not image.is_ready(coarsest, z)
        and not image.is_resident(0, z)
        and image.preview(z) is None
    )
