"""Python's cycle collector, run on the GUI thread only.

Left alone it runs in whichever thread happens to allocate. There it may destroy Qt objects that
belong to the GUI thread, and a timer that dies in another thread brings the program down.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication

_EVERY_MS = 1000
_FULL_EVERY = 60


class Collector(QObject):
    """Collects once a second what is young, once a minute everything, never during a stroke."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rounds = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.collect)
        gc.disable()
        self._timer.start()

    def collect(self) -> None:
        """One round."""
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        self._rounds += 1
        gc.collect(2 if self._rounds % _FULL_EVERY == 0 else 1)

    def stop(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        gc.enable()
