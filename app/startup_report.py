"""``maskwright --startup-report``: how long the window takes to be there, and its first picture.

Times count from the start of the process as the system records it, so the interpreter, every
import and the loader are in them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from segcore.base.process import process_start

# A start that has shown nothing by then has failed; a cold disk is far below.
GIVE_UP_MS = 60_000


class Watch(QObject):
    """Notes when a widget has first been painted while `ready` held.

    The note is taken when the paint event has been handled, so the pixels are there.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.ready = False
        self.painted_at: float | None = None
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """See the paint events go by."""
        if self.ready and self.painted_at is None and event.type() == QEvent.Type.Paint:
            # A timer of 0 ms fires after the event that is being handled.
            QTimer.singleShot(0, self._note)
        return False

    def _note(self) -> None:
        if self.painted_at is None:
            self.painted_at = time.time()


def report(project: Path) -> int:
    """Open a project, print ``{"window_ms", "first_item_ms"}``, close; the exit code."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    from app.window.start import show_window

    window = show_window(project)
    frame = Watch(window)
    frame.ready = True
    pictures: list[Watch] = []

    def furnished() -> None:
        pictures.append(Watch(window.canvas))
        window.canvas.settled.connect(settled)

    def settled() -> None:
        shown = window.workspace.labels is not None and window.canvas.picture is not None
        if shown and not pictures[0].ready:
            pictures[0].ready = True
            window.canvas.update()

    def look() -> None:
        if frame.painted_at is not None and pictures and pictures[0].painted_at is not None:
            application.quit()

    window.furnished.connect(furnished)
    poll = QTimer()
    poll.timeout.connect(look)
    poll.start(5)
    QTimer.singleShot(GIVE_UP_MS, application.quit)
    application.exec()
    times = {
        "window_ms": _since_start(frame.painted_at),
        "first_item_ms": _since_start(pictures[0].painted_at if pictures else None),
    }
    sys.stdout.write(json.dumps(times) + "\n")
    window.close()
    return 0 if None not in times.values() else 1


def _since_start(moment: float | None) -> float | None:
    """Milliseconds from the start of this process to a moment, or None."""
    started = process_start(os.getpid())
    if moment is None or started is None:
        return None
    return round(1000 * (moment - started), 1)
