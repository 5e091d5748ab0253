"""A list of many choices that is searched by typing; greyed ones say why in their tooltip."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QFocusEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QCompleter, QLineEdit, QWidget

from app.theme.controls import ComboBox


class SearchBox(ComboBox):
    """A combo box over rows of (value, why it cannot be chosen or "").

    What is typed narrows the list to the rows that hold it; only a row of the list can be chosen.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = QStandardItemModel(self)
        self._value = ""
        self.setEditable(True)
        self.setInsertPolicy(SearchBox.InsertPolicy.NoInsert)
        self.setMaxVisibleItems(16)
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

    def set_rows(self, rows: Sequence[tuple[str, str]], value: str) -> None:
        """Show these choices, with one of them chosen, without telling."""
        self.rows.clear()
        for name, why in rows:
            item = QStandardItem(name)
            item.setEditable(False)
            item.setEnabled(not why)
            item.setToolTip(why)
            self.rows.appendRow(item)
        self.set_value(value)

    def set_value(self, value: str) -> None:
        """Show a choice without telling."""
        self._value = value
        self.setCurrentIndex(self.findText(value))
        self.line.setText(value)
        self.line.setCursorPosition(0)
        self.setToolTip(value)

    def _take(self, text: str) -> None:
        found = self.rows.findItems(text)
        if not found or not found[0].isEnabled():
            self._put_back()
            return
        if text != self._value:
            self.set_value(text)
            self.chosen.emit(text)

    def _put_back(self) -> None:
        if self.line.text() != self._value:
            self._take_typed()

    def _take_typed(self) -> None:
        """What was left in the field counts if it is a row, else the choice stays."""
        text = self.line.text()
        found = self.rows.findItems(text)
        if found and found[0].isEnabled():
            self._take(text)
        else:
            self.set_value(self._value)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.line.selectAll()
