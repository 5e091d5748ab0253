"""A list of many choices that is searched by typing; greyed ones say why in their tooltip."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QResizeEvent
from PySide6.QtWidgets import QCompleter, QLineEdit, QListView, QWidget

from app.theme.controls import ComboBox

Row = tuple[str, str]
"""A value, and why it cannot be chosen or ""."""
Index = QModelIndex | QPersistentModelIndex


class Rows(QAbstractListModel):
    """The choices as a model that is exchanged at once; a standard one tells of every row."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}

    def show_rows(self, rows: Sequence[Row]) -> None:
        self.beginResetModel()
        self._rows = list(rows)
        self._places = {value: place for place, (value, _) in enumerate(self._rows)}
        self.endResetModel()

    def place(self, value: str) -> int:
        """Where a value stands; -1 for one that is not there."""
        return self._places.get(value, -1)

    def is_free(self, value: str) -> bool:
        """Whether a value is there and can be chosen."""
        place = self.place(value)
        return place >= 0 and not self._rows[place][1]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        value, why = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return value
        return why or None if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if index.isValid() and self._rows[index.row()][1]:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class SearchBox(ComboBox):
    """A combo box over many rows.

    What is typed narrows the list to the rows that hold it; only a row of the list can be chosen.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = Rows(self)
        self._value = self._shown = ""
        self.setEditable(True)
        self.setInsertPolicy(SearchBox.InsertPolicy.NoInsert)
        self.setMaxVisibleItems(16)
        # Fitting the box to its contents would ask every row for its width at each change of style.
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(20)
        # Rows are alike; else a change of style asks each row of the list what it looks like.
        rows = self.view()
        assert isinstance(rows, QListView)
        rows.setUniformItemSizes(True)
        self.setModel(self.rows)
        self._found = QSortFilterProxyModel(self)
        self._found.setSourceModel(self.rows)
        completer = QCompleter(self._found, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(completer)
        completer.activated.connect(self._take)
        self.activated.connect(lambda index: self._take(self.itemText(index)))
        self.line.returnPressed.connect(lambda: self._take(self.currentText()))
        self.line.editingFinished.connect(self._put_back)

    @property
    def line(self) -> QLineEdit:
        found = self.lineEdit()
        assert found is not None
        return found

    @property
    def value(self) -> str:
        return self._value

    def set_rows(self, rows: Sequence[Row], value: str) -> None:
        """Show these choices, with one of them chosen, without telling."""
        self.rows.show_rows(rows)
        self.set_value(value)

    def set_value(self, value: str) -> None:
        """Show a choice without telling."""
        self._value = value
        self.setCurrentIndex(self.rows.place(value))
        self.setToolTip(value)
        self._show_value()

    def _show_value(self) -> None:
        """The whole value while it is typed over, else both its ends where there is no room."""
        self._shown = self._value
        if not self.line.hasFocus():
            room = self.line.contentsRect().width() - 8
            middle = Qt.TextElideMode.ElideMiddle
            self._shown = self.line.fontMetrics().elidedText(self._value, middle, room)
        self.line.setText(self._shown)
        self.line.setCursorPosition(0)

    def _take(self, text: str) -> None:
        if not self.rows.is_free(text):
            self.set_value(self._value)
        elif text != self._value:
            self.set_value(text)
            self.chosen.emit(text)

    def _put_back(self) -> None:
        """What was left in the field counts if it is a row, else the choice stays."""
        if self.line.text() not in (self._value, self._shown):
            self._take(self.line.text())

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_value()
        self.line.selectAll()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_value()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self.line.hasFocus():
            self._show_value()
