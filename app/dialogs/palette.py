"""The palette: type a few letters of an action's name, press Enter, it runs."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QRect, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)

from app.dialogs.host import DialogHost
from app.theme.icons import device_ratio, icon, pixmap
from app.theme.theme import theme

_WIDTH, _ROWS = 520, 12


class Palette(QDialog):
    """A field and a list over the window; Esc closes it."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__(host.widget)
        self._host = host
        self.setWindowTitle("Search actions")
        self.setWindowFlag(Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search actions")
        self.field.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.model = _Found(host)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(_Row(host))
        self.view.setUniformItemSizes(True)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.field)
        layout.addWidget(self.view)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.view.clicked.connect(self._run)
        self._search("")
        row = max(28, theme().line() + 12)
        self.resize(_WIDTH, _ROWS * row + 60)
        window = host.widget.window()
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - _WIDTH) // 2, corner.y() + 64)
        self.field.setFocus()

    def _search(self, text: str) -> None:
        self.model.search(text)
        self.view.setCurrentIndex(self.model.index(0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            row = self.view.currentIndex().row()
            if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                row = min(max(row + step, 0), self.model.rowCount() - 1)
                self.view.setCurrentIndex(self.model.index(row))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.view.currentIndex())
                return True
        return super().eventFilter(watched, event)

    def _run(self, index: QModelIndex) -> None:
        action_id = index.data(Qt.ItemDataRole.UserRole)
        if action_id is not None and self._host.actions_set.qt[action_id].isEnabled():
            self.close()
            self._host.actions_set.run(action_id)


class _Found(QAbstractListModel):
    def __init__(self, host: DialogHost) -> None:
        super().__init__()
        self._host = host
        self.ids: list[str] = []

    def search(self, text: str) -> None:
        """Actions that hold every word, those that begin with the text first."""
        words = text.casefold().split()
        actions = self._host.actions_set
        titles = {i: row.title_for(self._host.workspace) for i, row in actions.rows.items()}
        found = [
            i
            for i, title in titles.items()
            if all(w in f"{title} {actions.rows[i].tip}".casefold() for w in words)
        ]

        def order(i: str) -> tuple[bool, bool, int]:
            title = titles[i].casefold()
            enabled = bool(actions.qt[i].isEnabled())
            begins = bool(words) and title.startswith(words[0])
            named = all(w in title for w in words)
            return not enabled, not begins, 0 if named else 1

        self.beginResetModel()
        self.ids = sorted(found, key=order)
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.ids)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.ids):
            return None
        action_id = self.ids[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return action_id
        row = self._host.actions_set.rows[action_id]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title_for(self._host.workspace)
        if role == Qt.ItemDataRole.ToolTipRole:
            holds = row.when.holds(self._host.workspace)
            return self._host.actions_set.tooltip(action_id, holds=holds)
        return None


class _Row(QStyledItemDelegate):
    def __init__(self, host: DialogHost) -> None:
        super().__init__()
        self._host = host

    def sizeHint(self, option: QStyleOptionViewItem, index: Any) -> QSize:
        return QSize(200, max(28, theme().line() + 12))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        action_id = index.data(Qt.ItemDataRole.UserRole)
        actions = self._host.actions_set
        row, enabled = actions.rows[action_id], actions.qt[action_id].isEnabled()
        rect: QRect = option.rect
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme().colour("selection"))
        role = "text" if enabled else "disabled"
        ratio = device_ratio(painter)
        drawn = pixmap(row.icon, role, 16, ratio)
        painter.drawPixmap(rect.x() + 8, rect.y() + (rect.height() - 16) // 2, drawn)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme().font())
        painter.setPen(theme().colour(role))
        title = index.data(Qt.ItemDataRole.DisplayRole)
        painter.drawText(rect.adjusted(34, 0, -8, 0), int(middle), title)
        painter.setFont(theme().font("small"))
        painter.setPen(theme().colour("muted" if enabled else "disabled"))
        note = actions.keys_text(action_id) if enabled else row.when.why
        width = painter.fontMetrics().horizontalAdvance(title) + 80
        note = painter.fontMetrics().elidedText(
            note, Qt.TextElideMode.ElideRight, max(40, rect.width() - width)
        )
        area = rect.adjusted(34, 0, -8, 0)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | middle), note)
