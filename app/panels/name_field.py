"""A field in a row in which a name is written: Enter or leaving takes it, Escape does not."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget


class NameField(QLineEdit):
    """Lies over its row until it is taken or dropped, then goes by itself.

    Parameters
    ----------
    name : to begin with, all of it marked.
    area : of the row, in `parent`.
    """

    taken = Signal(str)

    def __init__(self, name: str, area: QRect, parent: QWidget) -> None:
        super().__init__(name, parent)
        self._open = True
        self.setStyleSheet("min-height: 0; padding: 0 2px;")
        self.setAccessibleName("Name")
        self.setGeometry(area)
        self.selectAll()
        self.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def take(self) -> None:
        """The name as it is written now."""
        if self._close():
            self.taken.emit(self.text().strip())

    def drop(self) -> None:
        """Nothing is taken."""
        self._close()

    def _close(self) -> bool:
        was_open, self._open = self._open, False
        if was_open:
            self.hide()
            self.deleteLater()
        return was_open

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.drop()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.take()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        # Its own menu and another program's window only borrow the focus.
        borrowed = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)
        if event.reason() not in borrowed:
            self.take()
