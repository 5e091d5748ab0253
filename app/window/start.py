"""From nothing to a window on screen, in the order that shows something soonest."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.settings.settings import Settings, default_file
from app.theme.theme import theme
from app.window.main_window import MainWindow, apply_theme
from segcore.base import MaskwrightError

# A project on a slow disk shows its empty panels by then.
_HOLD_MS = 150


def make_window(project: Path | None = None, settings: Settings | None = None) -> MainWindow:
    """A window with its parts, not shown yet; `QApplication` must exist.

    `project` is opened when the window has been painted.
    """
    window = empty_window(settings)
    _furnish(window, awaits_project=project is not None)
    if project is not None:
        _AfterFirstFrame(window, lambda: open_project(window, project))
    return window


def empty_window(settings: Settings | None = None) -> MainWindow:
    """The frame of a window in the colours of the theme, not shown yet; to be furnished."""
    # A busy Python thread must not keep the GUI thread waiting for 5 ms at a time.
    sys.setswitchinterval(0.0005)
    settings = settings or Settings(default_file())
    apply_theme(settings, sheet=False)
    return MainWindow(settings)


def show_window(project: Path | None = None) -> MainWindow:
    """Show an empty window, then its parts, then a project.

    The frame is there in less than half the time: the rest is mostly imports, which no other
    thread can do any sooner.
    """
    window = empty_window()
    _fit_screen(window)

    def fill() -> None:
        if not window.isVisible():
            return  # closed already
        _furnish(window, awaits_project=project is not None)
        if project is not None:
            _paint_once(window)
            open_project(window, project)

    _AfterFirstFrame(window, fill)
    window.show()
    return window


def _fit_screen(window: MainWindow) -> None:
    """A first window that is larger than its screen, a small laptop's, is maximised; the size
    stands for where nothing maximises windows. A window that has its place again, perhaps on
    another screen, Qt fits in itself."""
    fitting = window.size().boundedTo(window.screen().availableGeometry().size())
    if fitting != window.size() and not window.is_restored:
        window.resize(fitting)
        window.setWindowState(window.windowState() | Qt.WindowState.WindowMaximized)


def _paint_once(window: MainWindow) -> None:
    """Hold all parts until the picture is there, or for a moment if it takes its time, and show
    the picture first: else they are painted three times before it, empty, with a project, and
    with an item."""
    canvas = window.canvas
    parts = list(_beside(canvas))
    for part in (canvas, *parts):
        part.setUpdatesEnabled(False)
    hold, rest = QTimer(window), QTimer(window)  # of the window, so that they go with it
    for timer in (hold, rest):
        timer.setSingleShot(True)

    def show_picture() -> None:
        hold.stop()
        canvas.setUpdatesEnabled(True)
        # Outright: a part that waited to be painted when it was held waits for ever. Qt dropped
        # that request, and takes every later one for a second one of it.
        window.repaint()
        rest.start(1)

    def show_parts() -> None:
        for part in parts:
            part.setUpdatesEnabled(True)
        window.repaint()

    hold.timeout.connect(show_picture)
    rest.timeout.connect(show_parts)
    canvas.settled.connect(hold.timeout, Qt.ConnectionType.SingleShotConnection)
    hold.start(_HOLD_MS)


def _beside(part: QWidget) -> Iterator[QWidget]:
    """All that lies in a window beside a part of it."""
    while (parent := part.parentWidget()) is not None:
        for other in parent.children():
            if isinstance(other, QWidget) and other is not part and not other.isWindow():
                yield other
        part = parent


def _furnish(window: MainWindow, *, awaits_project: bool) -> None:
    from app.workspace.collector import Collector

    window.furnish(awaits_project=awaits_project)
    theme().lay_sheet()
    collector = Collector(window)
    window.closed.connect(collector.stop)


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
    window = show_window(project)  # held here, or Qt's window would go with its Python object
    code = int(app.exec())
    del window
    return code
