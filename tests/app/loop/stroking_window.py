"""A real window in a process of its own that paints strokes until it is killed.

``python stroking_window.py PROJECT SETTINGS FIRST COUNT``: opens the project and drags the brush
over the cells FIRST, FIRST + 1, ... of a grid, with mouse events. When a button has been
released it prints ``released CELL TIME`` (seconds since 1970) in one unbuffered write.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

# Cells are far enough apart that a brush of this width never reaches the next.
BRUSH, STEP, COLUMNS = 6, 12, 21
PAUSE_MS = 60


def cell_centre(cell: int) -> tuple[float, float]:
    """The middle (y, x) of a cell in image coordinates."""
    return STEP * (cell // COLUMNS) + STEP / 2 + 0.5, STEP * (cell % COLUMNS) + STEP / 2 + 0.5


def main(project: Path, settings: Path, first: int, count: int) -> None:
    application = QApplication(sys.argv[:1])
    sys.path.insert(0, str(Path(__file__).parent))
    from hands import Hands

    class Waiting:
        """What `Hands` needs of qtbot, without a test around it."""

        def waitUntil(self, reached, timeout: int) -> None:
            end = time.monotonic() + timeout / 1000
            while not reached():
                assert time.monotonic() < end, "the window does not come to rest"
                QTest.qWait(2)

    hands = Hands(Waiting(), project, settings)
    hands.key(Qt.Key.Key_B)
    hands.choose_class(2)
    hands.set_brush(BRUSH)
    for cell in range(first, first + count):
        y, x = cell_centre(cell)
        hands.drag([(y, x - 2), (y, x), (y, x + 2)])
        os.write(1, f"released {cell} {time.time():.6f}\n".encode())
        QTest.qWait(PAUSE_MS)
    application.exec()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
