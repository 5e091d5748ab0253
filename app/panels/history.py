"""History of the open item: newest first, undone steps dim, a ring where the disk is not there
yet; a click goes to that step. Behind a switch the project's own: changes of classes and steps
over many items, each undone by the word at its end, because a stray click must not reach them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from app.theme.controls import Segmented
from app.theme.icons import device_ratio, exists, pixmap
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Workspace

Index = QModelIndex | QPersistentModelIndex
ICONS: dict[str, str] = {
    "eraser": "eraser",
    "stroke": "brush",
    "brush": "brush",
    "polygon": "pentagon",
    "fill": "paint-bucket",
    "grabcut": "sprout",
    "adopt": "sparkles",
    "import": "import",
    "state": "circle-check",
    "paste": "copy",
    "score": "sparkles",
    "take": "check",
    "classes": "tag",
}


class HistoryModel(QAbstractListModel):
    """Steps, newest first; undone ones stand above the present."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Any] = []
        self._slices = 1

    def take(self, rows: list[Any], slices: int = 1) -> None:
        """Show these steps, oldest first, of an item with so many slices."""
        self._slices = slices
        fresh = list(reversed(rows))
        if len(fresh) != len(self.rows):
            self.beginResetModel()
            self.rows = fresh
            self.endResetModel()
        else:
            self.rows = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name + slices_text(row.bounds, self._slices)
        if role == Qt.ItemDataRole.ToolTipRole:
            when = time.strftime("%d %b %Y, %H:%M", time.localtime(row.time))
            durable = "" if row.durable else "<br>Not on the disk yet"
            if row.group is not None:
                durable = "<br>Undo leaves the items where later steps were built on it"
            return f"<b>{row.name}</b><br>{row.person}, {when}{durable}"
        return None

    @property
    def present(self) -> int:
        """The row of the last step that is done, or -1."""
        return next((i for i, r in enumerate(self.rows) if r.state == "done"), -1)


class _Delegate(QStyledItemDelegate):
    """Paints a step.

    Parameters
    ----------
    verb : what can be done with a step of the project ("Undo", "Redo" or ""); None for a step of
        the item.
    turn : does it.
    """

    def __init__(
        self,
        model: HistoryModel,
        verb: Callable[[Any], str | None],
        turn: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self._model, self._verb, self._turn = model, verb, turn

    def verb_rect(self, row: QRect, verb: str) -> QRect:
        """Where the word at the end of a row is clicked."""
        width = QFontMetrics(theme().font("text")).horizontalAdvance(verb) + 16
        return QRect(row.right() + 1 - width, row.y(), width, row.height())

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        if event.type() == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
            step = index.data(Qt.ItemDataRole.UserRole)
            verb = self._verb(step)
            if verb and self.verb_rect(option.rect, verb).contains(event.position().toPoint()):
                self._turn(step)
                return True
        return False

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, max(24, theme().line() + 8))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        step = index.data(Qt.ItemDataRole.UserRole)
        rect: QRect = option.rect
        verb = self._verb(step)
        present = verb is None and index.row() == self._model.present
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if present or hovered:
            painter.fillRect(rect, theme().colour("raised"))
        if present:
            painter.fillRect(rect.x(), rect.y(), 2, rect.height(), theme().colour("accent"))
        undone = step.state == "undone"
        role = "disabled" if undone else "text"
        ratio = device_ratio(painter)
        drawn = pixmap(icon_of(step), "disabled" if undone else "muted", 16, ratio)
        painter.drawPixmap(rect.x() + 8, rect.y() + (rect.height() - 16) // 2, drawn)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme().font("small"))
        note = "undone" if undone else pixels_text(step)
        painter.setPen(theme().colour("disabled" if undone else "muted"))
        if verb:
            note = verb
            painter.setFont(theme().font("text"))
            painter.setPen(theme().colour("accent"))
        taken = painter.fontMetrics().horizontalAdvance(note)
        end = rect.right() - 8
        painter.drawText(QRect(end - taken, rect.y(), taken + 1, rect.height()), int(middle), note)
        if not step.durable:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().colour("warning"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(end - taken - 10, rect.center().y() + 0.5), 3.5, 3.5)
            taken += 16
        painter.setFont(theme().font("text"))
        painter.setPen(theme().colour(role))
        room = end - taken - 8 - (rect.x() + 32)
        title = index.data(Qt.ItemDataRole.DisplayRole)
        name = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(rect.x() + 32, rect.y(), room, rect.height()), int(middle), name)


class HistoryPanel(Section):
    """The steps of the open item, or those of the project."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("history", "History")
        self._workspace = workspace
        self.model = HistoryModel()
        self.whose = Segmented([("item", "This item"), ("project", "Project")])
        self.whose.setAccessibleName("Whose history")
        self.view = QListView()
        self.view.setModel(self.model)
        self.delegate = _Delegate(self.model, self._verb, workspace.project_steps.turn)
        self.view.setItemDelegate(self.delegate)
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.view.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setMinimumHeight(96)
        self.view.setAccessibleName("History")
        self.body_layout.setContentsMargins(0, 0, 0, 0)
        switch = QHBoxLayout()
        switch.setContentsMargins(8, 0, 8, 0)
        switch.addWidget(self.whose)
        self.body_layout.addLayout(switch)
        self.body_layout.addWidget(self.view)
        self.view.clicked.connect(self._jump)
        self.view.activated.connect(self._jump)
        self.view.installEventFilter(self)
        self.whose.chosen.connect(self._choose)
        workspace.history_changed.connect(self._item_changed)
        workspace.project_steps.changed.connect(self.refresh)
        theme().changed.connect(self.view.doItemsLayout)
        self.refresh()

    def refresh(self) -> None:
        """Show the steps as they are now."""
        workspace = self._workspace
        if self.shows_project or workspace.labels is None:
            self.model.take(workspace.project_steps.rows if self.shows_project else [])
        else:
            self.model.take(workspace.history, workspace.labels.shape.z)
        count = len(self.model.rows)
        self.set_note(
            f"{count:,} step" if count == 1 else (f"{count:,} steps" if count else "None")
        )

    # -- whose --------------------------------------------------------------------------------

    @property
    def shows_project(self) -> bool:
        return self.whose.value == "project"

    def show_project(self) -> None:
        """Show the steps of the project itself."""
        self.set_folded(False)
        self.whose.set_value("project")
        self._choose("project")

    def _choose(self, whose: str) -> None:
        if whose == "project":
            self._workspace.project_steps.refresh()
        self.refresh()

    def _item_changed(self) -> None:
        if not self.shows_project:
            self.refresh()
        elif self._workspace.waiting_strokes == 0:
            # A step may have been one over many items.
            self._workspace.project_steps.refresh()

    # -- going to a step ----------------------------------------------------------------------

    def _verb(self, step: Any) -> str | None:
        return self._workspace.project_steps.verb(step) if self.shows_project else None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter on a step of the project is its word; `activated` is also a double click."""
        if (
            self.shows_project
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            and self.view.currentIndex().isValid()
        ):
            step = self.view.currentIndex().data(Qt.ItemDataRole.UserRole)
            self._workspace.project_steps.turn(step)
            return True
        return False

    def _jump(self, index: QModelIndex) -> None:
        step = index.data(Qt.ItemDataRole.UserRole)
        if step is not None and not self.shows_project:
            self._workspace.jump(step.event_id)


def icon_of(step: Any) -> str:
    """The drawing that stands for a step, by its tool."""
    for name in (str(step.tool), str(step.kind)):
        found = ICONS.get(name, name)
        if exists(found):
            return found
    return "circle-dot"


def slices_text(bounds: Any, slices: int) -> str:
    """Where in a volume a step was: ", slice 9"; nothing where it was in all of it."""
    if bounds is None or slices == 1 or (bounds[0] == 0 and bounds[1] == slices - 1):
        return ""
    first, last = bounds[0] + 1, bounds[1] + 1
    return f", slice {first}" if first == last else f", slices {first} to {last}"


def pixels_text(step: Any) -> str:
    """What a step did to the mask: pixels gained, or lost where nothing was gained."""
    gained = sum(pair[0] for class_id, pair in step.pixels.items() if class_id)
    lost = sum(pair[1] for class_id, pair in step.pixels.items() if class_id)
    if gained:
        return f"+{gained:,} px"
    return f"−{lost:,} px" if lost else ""
