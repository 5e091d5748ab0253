"""Solving: says that an answer of the refiner is awaited, once one would begin to wonder.

Most answers come within a few frames; a mark that comes and goes with each would flicker. So it
comes late, stands still (nothing moves over the picture), and says the way out if it stays.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from app.workspace.gesture import Point, Preview, SeedsPreview

SHOWN_AFTER_MS = 150
LONG_AFTER_MS = 2000


class Solving(QObject):
    """Follows the previews of a gesture; `text` is what the mark says now."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.text = ""
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.timeout.connect(self._come)

    def follow(self, preview: Preview) -> None:
        """The gesture shows this now."""
        waiting = isinstance(preview, SeedsPreview) and preview.solving
        if not waiting:
            self._clock.stop()
            self._say("")
        elif not self.text and not self._clock.isActive():
            self._clock.start(SHOWN_AFTER_MS)

    def _come(self) -> None:
        if self.text:
            self._say("Solving; Esc stops it")
        else:
            self._say("Solving")
            self._clock.start(LONG_AFTER_MS)

    def _say(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.changed.emit()


def last_seed(preview: SeedsPreview) -> tuple[Point, float] | None:
    """Where the person has just drawn: an image point, and the seed's radius; None if nowhere."""
    if preview.strokes:
        path, radius, _ = preview.strokes[-1]
        return path[-1], radius
    if preview.box is not None:
        return (float(preview.box.bottom), float(preview.box.right)), 0.0
    return None
