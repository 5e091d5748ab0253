"""From nothing to a window on screen, in the order that shows something soonest."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.settings.settings import Settings, default_file
from app.window.main_window import MainWindow, apply_theme
from app.workspace import Workspace
from segcore.base import MaskwrightError


def make_window(project: Path | None = None, settings: Settings | None = None) -> MainWindow:
    """A window, with `project` opening in it; `QApplication` must exist.

    The window is shown first and the project opened afterwards: an empty frame at once is
    better than a full one later.
    """
    # A busy Python thread must not keep the GUI thread waiting for 5 ms at a time.
    sys.setswitchinterval(0.0005)
    workspace = Workspace(settings or Settings(default_file()))
    apply_theme(workspace)
    window = MainWindow(workspace)
    if project is not None:
        QTimer.singleShot(0, lambda: open_project(window, project))
    return window


def open_project(window: MainWindow, project: Path) -> None:
    """Open a project; what is wrong with it is said in the window."""
    try:
        window.workspace.open_project(project)
    except MaskwrightError as error:
        window.workspace.report(error)
    # What is alive now lives as long as the window: the collector need not look at it again.
    gc.collect()
    gc.freeze()


def run(project: Path | None = None) -> int:
    """Show the window until it is closed; gives the exit code."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("Maskwright")
    window = make_window(project)
    window.show()
    return int(app.exec())
