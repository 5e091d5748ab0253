"""From nothing to a window on screen, in the order that shows something soonest."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.settings.settings import Settings, default_file
from app.theme.theme import theme
from app.window.main_window import MainWindow, apply_theme
from app.workspace import Workspace
from app.workspace.collector import Collector
from segcore.base import MaskwrightError


def make_window(project: Path | None = None, settings: Settings | None = None) -> MainWindow:
    """A window, with `project` opening in it; `QApplication` must exist.

    The window is shown first and the project opened afterwards: an empty frame at once is
    better than a full one later.
    """
    # A busy Python thread must not keep the GUI thread waiting for 5 ms at a time.
    sys.setswitchinterval(0.0005)
    workspace = Workspace(settings or Settings(default_file()))
    apply_theme(workspace, sheet=False)
    window = MainWindow(workspace, awaits_project=project is not None)
    theme().lay_sheet()
    collector = Collector(window)
    window.closed.connect(collector.stop)
    if project is not None:
        _AfterFirstFrame(window, lambda: open_project(window, project))
    return window


class _AfterFirstFrame(QObject):
    """Calls once when a window has been painted, or soon if it never is (no screen)."""

    def __init__(self, window: QWidget, call: Callable[[], None]) -> None:
        super().__init__(window)
        self._window = window
        self._call: Callable[[], None] | None = call
        window.installEventFilter(self)
        QTimer.singleShot(300, self._run)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for the first paint event; the timer fires when it has been handled."""
        if event.type() == QEvent.Type.Paint and self._call is not None:
            QTimer.singleShot(0, self._run)
        return False

    def _run(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            self._window.removeEventFilter(self)
            call()


def open_project(window: MainWindow, project: Path) -> None:
    """Open a project; what is wrong with it is said in the window."""
    try:
        window.workspace.open_project(project)
    except MaskwrightError as error:
        window.give_up_waiting()
        window.workspace.report(error)
    # What is alive now lives as long as the window: the collector need not look at it again. It
    # is not run first: 47 ms before the first picture, for the little that imports leave behind.
    gc.freeze()


def run(project: Path | None = None) -> int:
    """Show the window until it is closed; gives the exit code."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("Maskwright")
    window = make_window(project)
    window.show()
    return int(app.exec())
