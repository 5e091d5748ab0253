"""The main window: puts the parts in their places and lets dialogs open. It knows no labels.

Importing this imports no part: the empty window is on screen before `furnish` does.
"""

from __future__ import annotations

import base64
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QMoveEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from app.settings.settings import Settings
from app.theme.theme import theme
from segcore.base import MaskwrightError

if TYPE_CHECKING:
    from app.canvas import Canvas
    from app.workspace import Workspace

# From this width on all columns stand side by side.
WIDE = 1600


class MainWindow(QMainWindow):
    """Menu row, tool bar, queue, tool strip, canvas, sheet, right side, status bar.

    An empty frame until it is furnished.
    """

    furnished = Signal()
    closed = Signal()

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._is_furnished = False
        self._sheet: Any = None
        self._welcome: Any = None
        self._sheet_shown = False
        self._wide: bool | None = None
        self._sides_hidden = False
        self._queue_hidden = False
        self._only_canvas = False
        self._is_closing = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(500)
        self._rest.timeout.connect(self._remember_geometry)
        self.setWindowTitle("Maskwright")
        self._restore()

    def furnish(self, *, awaits_project: bool = False) -> None:
        """Bring in the parts, once.

        Parameters
        ----------
        awaits_project : a project is opened at once, so no welcome page is built.
        """
        from app.actions.action_set import ActionSet
        from app.canvas import Canvas
        from app.theme.icons import icon
        from app.tools import TOOLS
        from app.workspace import Workspace

        self._awaits_project = awaits_project
        self._workspace = Workspace(self._settings)
        self.setWindowIcon(icon("brush", "accent", 32))
        self.setAcceptDrops(True)
        self.canvas_widget = Canvas(self._workspace, TOOLS)
        self.actions_set = ActionSet(self)
        self._build()
        self._connect()
        self._is_furnished = True
        self._arrange()
        self._show_page()
        self.furnished.emit()

    # -- what actions ask for (Host) ----------------------------------------------------------

    @property
    def workspace(self) -> Workspace:
        return self._workspace

    @property
    def canvas(self) -> Canvas:
        return self.canvas_widget

    @property
    def widget(self) -> QWidget:
        return self

    def show_dialog(self, name: str) -> None:
        """Open a dialog by its name in `app.dialogs.table`."""
        from app.dialogs.table import open_dialog

        try:
            open_dialog(name, self)
        except MaskwrightError as error:
            self._workspace.report(error)

    def show_training(self, shown: bool | None = None) -> None:
        """Show or hide the fine-tuning sheet."""
        if self._workspace.project is None:
            return
        if self._sheet is None:
            from app.panels.training import TrainingPanel

            self._sheet = TrainingPanel(self._workspace)
            self._sheet.shown.connect(self.tool_bar.show_sheet)
            self._sheet.close_asked.connect(lambda: self.show_training(False))
            self._sheet.hide()
        behind = self._sheet_shown and self.right.front not in ("", "Training")
        turned = behind or not self._sheet_shown
        self._sheet_shown = turned if shown is None else shown
        self._arrange(again=True)
        if self._sheet_shown and not self._wide:
            self.right.choose_tab("Training")

    def show_project_history(self) -> None:
        """Bring the history panel up, with the steps of the project."""
        self._sides_hidden = self._only_canvas = False
        self._show_parts()
        if not self._wide:
            self.right.choose_tab("History")
        self.right.history.show_project()

    def toggle_sides(self) -> None:
        self._sides_hidden = not self._sides_hidden
        self._show_parts()

    def toggle_canvas_only(self) -> None:
        self._only_canvas = not self._only_canvas
        if self._only_canvas:
            self.showFullScreen()
        else:
            self.showNormal()
        self._show_parts()

    def set_theme(self, name: str) -> None:
        """Dark or light, at once."""
        self._settings.set("look.theme", name)

    def close_window(self) -> None:
        self.close()

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        from app.panels.queue import QueuePanel
        from app.theme.controls import line
        from app.window.overlays import Overlays
        from app.window.right_side import Grip, RightSide
        from app.window.status_bar import StatusBar
        from app.window.tool_bar import ToolBar
        from app.window.tool_strip import ToolStrip
        from app.window.top_bar import TopBar

        workspace, actions = self._workspace, self.actions_set
        self.top = TopBar(workspace, actions, self.open_path)
        self.tool_bar = ToolBar(workspace, actions, lambda: self.show_training(None))
        self.strip = ToolStrip(workspace, actions)
        self.queue = QueuePanel(workspace)
        self.right = RightSide(workspace)
        self.grip = Grip(self.right, workspace)
        self.status = StatusBar(workspace)
        self.overlays = Overlays(workspace, actions, self.canvas_widget)
        self.body = QWidget()
        self._columns = QHBoxLayout(self.body)
        self._columns.setContentsMargins(0, 0, 0, 0)
        self._columns.setSpacing(0)
        self._queue_line, self._strip_line = line(vertical=True), line(vertical=True)
        for part in (self._queue_line, self.strip, self._strip_line):
            self._columns.addWidget(part)
        self._columns.addWidget(self.canvas_widget, 1)
        self._columns.addWidget(self.grip)
        self._columns.addWidget(self.right)
        self._page = QWidget()
        page = QVBoxLayout(self._page)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        self._bar_line = line()
        for widget in (self.tool_bar, self._bar_line):
            page.addWidget(widget)
        page.addWidget(self.body, 1)
        self.pages = QStackedWidget()
        self.pages.addWidget(self._page)
        central = QWidget()
        central.setObjectName("bars")
        outer = QVBoxLayout(central)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self._top_line, self._status_line = line(), line()
        outer.addWidget(self.top)
        outer.addWidget(self._top_line)
        outer.addWidget(self.pages, 1)
        outer.addWidget(self._status_line)
        outer.addWidget(self.status)
        self.setCentralWidget(central)
        self._order_focus()

    def _order_focus(self) -> None:
        """Tab goes as the eye does: tool bar, queue, strip, canvas, right side."""
        parts: list[QWidget] = [
            self.tool_bar.class_box,
            self.queue.sort,
            self.queue.view,
            *self.strip.buttons.values(),
            self.canvas_widget,
            self.right.view.mode,
            self.right.view.fill,
            self.right.view.outline,
            self.right.classes.rows,
            self.right.history.view,
        ]
        # The queue and the history may be tabs that are not in the window's tree yet.
        here_now = [p for p in parts if p.window() is self]
        for before, here in pairwise(here_now):
            QWidget.setTabOrder(before, here)

    def _connect(self) -> None:
        from app.window.rescue import Rescue

        workspace = self._workspace
        workspace.project_opened.connect(self._project_opened)
        workspace.project_closed.connect(self._show_page)
        workspace.settings.changed.connect(self._setting_changed)
        self.rescue = Rescue(workspace, self)
        workspace.fill_asked.connect(lambda _: self.show_dialog("accept_fill"))
        workspace.training_asked.connect(lambda: self.show_training(True))
        self.queue.collapse_asked.connect(self._hide_queue)
        self.canvas_widget.settled.connect(self._first_picture)
        self._core_started = False

    def _restore(self) -> None:
        kept = self._settings.get("memory.geometry")
        self.is_restored = bool(kept) and self.restoreGeometry(QByteArray(base64.b64decode(kept)))
        if not self.is_restored:
            # Wide enough for all columns also where a frame or a fractional scale takes some of it.
            self.resize(1680, 1000)

    # -- arranging ----------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._is_furnished:
            self._arrange()
        self._rest.start()

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self._rest.start()

    def _remember_geometry(self) -> None:
        """Keep size and place while the work goes on; a window that is killed has no end."""
        self._rest.stop()
        if self.isVisible() and not self._only_canvas:
            kept = bytes(self.saveGeometry().toBase64().data()).decode()
            self._settings.set("memory.geometry", kept)

    def _arrange(self, *, again: bool = False) -> None:
        """Columns side by side from 1600 px on; below, queue, history and training are tabs."""
        wide = self.width() >= WIDE
        if wide == self._wide and not again:
            return
        self._wide = wide
        sheet = self._sheet if self._sheet_shown else None
        larger = max(1.0, self._settings.get("look.text_size"))
        if wide:
            self.right.set_tabs([])
            self._columns.insertWidget(0, self.queue)
            self.queue.setFixedWidth(round(200 * larger))
            self.queue.show()
            if sheet is not None:
                self._columns.insertWidget(self._columns.indexOf(self.grip), sheet)
                sheet.setFixedWidth(round(400 * larger))
                sheet.show()
        else:
            for part in (self.queue, sheet):
                if part is not None:
                    part.setMinimumWidth(0)
                    part.setMaximumWidth(16_777_215)
            guests: list[tuple[str, QWidget]] = [
                ("Queue", self.queue),
                ("History", self.right.history),
            ]
            if sheet is not None:
                guests.append(("Training", sheet))
            self.right.set_tabs(guests)
        if self._sheet is not None and sheet is None:
            self._sheet.hide()
        self._show_parts()

    def _show_parts(self) -> None:
        sides = not self._sides_hidden and not self._only_canvas
        wide_queue = sides and bool(self._wide) and not self._queue_hidden
        if self._wide:
            self.queue.setVisible(wide_queue)
        self._queue_line.setVisible(wide_queue)
        self.queue.collapse.setVisible(bool(self._wide))
        self.right.setVisible(sides)
        self.grip.setVisible(sides)
        bars: tuple[QWidget, ...] = (self.top, self.tool_bar, self.strip)
        for part in (*bars, self._top_line, self._bar_line, self._strip_line):
            part.setVisible(not self._only_canvas)

    def _hide_queue(self) -> None:
        self._queue_hidden = True
        self._show_parts()
        self._workspace.tell("Queue hidden", ("Show", self._show_queue))

    def _show_queue(self) -> None:
        self._queue_hidden = False
        self._show_parts()

    def _show_page(self) -> None:
        """The welcome page while nothing is open, else the picture with its panels."""
        if self._is_closing:
            return
        if self._workspace.project is not None or self._awaits_project:
            self.pages.setCurrentWidget(self._page)
            return
        if self._welcome is None:
            from app.dialogs.welcome import WelcomePage

            self._welcome = WelcomePage(self)
            self.pages.addWidget(self._welcome)
        self._welcome.refresh()
        self._welcome.setFocus(Qt.FocusReason.OtherFocusReason)
        self.pages.setCurrentWidget(self._welcome)
        self.setWindowTitle("Maskwright")

    def give_up_waiting(self) -> None:
        """The project that was to be opened cannot be: the welcome page after all."""
        self._awaits_project = False
        self._show_page()

    def _project_opened(self, project: Any) -> None:
        self._awaits_project = False
        self.pages.setCurrentWidget(self._page)
        self.setWindowTitle(f"{project.name}: Maskwright")
        self.canvas_widget.setFocus(Qt.FocusReason.OtherFocusReason)

    def _setting_changed(self, key: str, _value: Any) -> None:
        if key.startswith("look."):
            apply_theme(self._settings)
            self._arrange(again=True)

    def _first_picture(self) -> None:
        """The core starts once the first picture is on screen, never before."""
        if not self._core_started and self._workspace.item is not None:
            self._core_started = True
            QTimer.singleShot(400, self._workspace.jobs.warm_up)
            QTimer.singleShot(800, theme().finish)

    # -- keys, drops, end ---------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_furnished and event.key() == Qt.Key.Key_Escape:
            self.canvas_widget.setFocus(Qt.FocusReason.OtherFocusReason)
        super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.open_path(paths[0])

    def open_path(self, path: Path) -> None:
        """Open a project, or begin one from a folder of images."""
        try:
            if path.suffix == ".maskwright":
                self._workspace.open_project(path)
            else:
                from app.dialogs.table import open_new_project

                open_new_project(self, path if path.is_dir() else path.parent)
        except MaskwrightError as error:
            self._workspace.report(error)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._remember_geometry()
        if not self._is_furnished:
            self.closed.emit()
            event.accept()
            return
        self._is_closing = True
        try:
            self._workspace.shut_down()
        except MaskwrightError as error:
            # Something cannot be written: closing now would lose it.
            self._is_closing = False
            self._show_page()
            self._workspace.report(error)
            event.ignore()
            return
        self.queue.thumbnails.close()
        self.canvas_widget.shut_down()
        self.closed.emit()
        event.accept()


def apply_theme(settings: Settings, *, sheet: bool = True) -> None:
    """Dress the application as the settings say; see `Theme.apply`."""
    theme().apply(
        settings.get("look.theme"),
        scale=settings.get("look.text_size"),
        family=settings.get("look.font"),
        sheet=sheet,
    )
