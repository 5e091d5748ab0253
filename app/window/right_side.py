"""The right side: sections in the order of use, Jobs fixed at the foot. In a narrow window the
queue, the history and a training are tabs of it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from app.panels.classes import ClassesPanel
from app.panels.history import HistoryPanel
from app.panels.jobs import JobsPanel
from app.panels.objects import ObjectsPanel
from app.panels.refine import RefinePanel
from app.panels.scores import ScoresPanel
from app.panels.view import ViewPanel
from app.panels.window_level import WindowPanel
from app.theme.controls import line
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Workspace

LEAST, USUAL, MOST = 240, 280, 420


class RightSide(QWidget):
    """View, Window, the dense CRF's sliders, Classes, Objects, Scores, History; Jobs."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.view = ViewPanel(workspace)
        self.window_level = WindowPanel(workspace)
        self.refine = RefinePanel(workspace)
        self.classes = ClassesPanel(workspace)
        self.objects = ObjectsPanel(workspace)
        self.scores = ScoresPanel(workspace)
        self.history = HistoryPanel(workspace)
        self.jobs = JobsPanel(workspace)
        self._tabs = QTabBar()
        self._tabs.setExpanding(True)
        self._tabs.setDrawBase(False)
        self._tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._pages = QStackedWidget()
        self._column = QWidget()
        self._column.setProperty("ground", "panel")
        self._column_layout = QVBoxLayout(self._column)
        self._column_layout.setContentsMargins(0, 0, 0, 0)
        self._column_layout.setSpacing(0)
        for section in self.sections[:-1]:
            self._column_layout.addWidget(section)
        self._column_layout.addWidget(self.history, 1)
        self._spring = QWidget()
        self._column_layout.addWidget(self._spring, 0)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._column)
        self._scroll.viewport().installEventFilter(self)
        self._pages.addWidget(self._scroll)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self._tabs)
        outer.addWidget(self._pages, 1)
        outer.addWidget(line())
        outer.addWidget(self.jobs)
        self._tabs.hide()
        self._tabs.currentChanged.connect(self._pages.setCurrentIndex)
        self._guests: list[QWidget] = []
        self.fit_width()
        theme().changed.connect(self.fit_width)
        self._restore_folds()

    def fit_width(self) -> None:
        """As wide as was chosen, and wider for larger text."""
        settings = self._workspace.settings
        width = settings.get("memory.panel_width") * max(1.0, settings.get("look.text_size"))
        self.setFixedWidth(round(min(MOST, max(LEAST, width))))

    @property
    def sections(self) -> tuple[Section, ...]:
        return (
            self.view,
            self.window_level,
            self.refine,
            self.classes,
            self.objects,
            self.scores,
            self.history,
        )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            # A part that asks for more room than there is, beside the scroll bar, must not push
            # the others out of sight.
            self._column.setMaximumWidth(self._scroll.viewport().width())
        return False

    def _restore_folds(self) -> None:
        folded = self._workspace.settings.get("memory.folded")
        for section in self.sections:
            if section.key in folded:
                section.set_folded(True)
            section.folded.connect(self._remember_fold)

    def _remember_fold(self, key: str, folded: bool) -> None:
        keys = [k for k in self._workspace.settings.get("memory.folded") if k != key]
        self._workspace.settings.set("memory.folded", [*keys, key] if folded else keys)
        self._column_layout.setStretch(self._column_layout.indexOf(self._spring), int(
            self.history.is_folded))  # fmt: skip

    def set_tabs(self, guests: list[tuple[str, QWidget]]) -> None:
        """Have these parts as tabs beside the sections; none: the plain column with History."""
        chosen = self._tabs.tabText(self._tabs.currentIndex()) if self._tabs.count() else ""
        self._tabs.blockSignals(True)
        while self._tabs.count():
            self._tabs.removeTab(0)
        for guest in self._guests:
            self._pages.removeWidget(guest)
        self._guests = [widget for _, widget in guests]
        self.view.header.setVisible(not guests)
        self.view.body_layout.setContentsMargins(8, 8 if guests else 0, 8, 8)
        if not guests:
            if self._column_layout.indexOf(self.history) < 0:
                at = self._column_layout.indexOf(self._spring)
                self._column_layout.insertWidget(at, self.history, 1)
            self.history.header.show()
            self.history.show()
            self._spring.hide()
        else:
            self._spring.show()
            self._column_layout.setStretch(self._column_layout.indexOf(self._spring), 1)
        for title, widget in [("Correct", self._scroll), *guests]:
            if widget is not self._scroll:
                self._pages.addWidget(widget)
            self._tabs.addTab(title)
        self.history.header.setVisible(not guests)
        self._tabs.setVisible(bool(guests))
        self._tabs.blockSignals(False)
        titles = [self._tabs.tabText(i) for i in range(self._tabs.count())]
        self.choose_tab(chosen if chosen in titles else "Correct")

    @property
    def front(self) -> str:
        """Title of the tab in front, "" where there are none."""
        return self._tabs.tabText(self._tabs.currentIndex()) if self._tabs.count() > 1 else ""

    def choose_tab(self, title: str) -> None:
        """Bring a tab to the front."""
        for i in range(self._tabs.count()):
            if self._tabs.tabText(i) == title:
                self._tabs.setCurrentIndex(i)
                self._pages.setCurrentIndex(i)


class Grip(QWidget):
    """A divider of 4 px that is dragged to make the right side wider or narrower."""

    def __init__(self, side: RightSide, workspace: Workspace) -> None:
        super().__init__()
        self._side, self._workspace = side, workspace
        self._from: tuple[QPoint, int] | None = None
        self.setFixedWidth(4)
        self.setCursor(Qt.CursorShape.SplitHCursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().colour("canvas"))
        edge = self.width() - 1
        painter.fillRect(edge, 0, 1, self.height(), theme().colour("separator"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._from = (event.globalPosition().toPoint(), self._side.width())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is not None:
            moved = self._from[0].x() - event.globalPosition().toPoint().x()
            self._side.setFixedWidth(min(MOST, max(LEAST, self._from[1] + moved)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._from = None
        self._workspace.settings.set("memory.panel_width", self._side.width())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._side.setFixedWidth(USUAL)
        self._workspace.settings.set("memory.panel_width", USUAL)
