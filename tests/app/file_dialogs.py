"""A person at Qt's own file dialog: a path typed into its field, then Enter."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QWidget


def open_dialog_of(window: QWidget) -> QFileDialog:
    """The one file dialog that is open."""
    (dialog,) = (d for d in window.findChildren(QFileDialog) if d.isVisible())
    return dialog


def field_of(dialog: QFileDialog) -> QLineEdit:
    """Its field, with the focus: Qt marks other rows while a field without it is written in."""
    found = dialog.findChild(QLineEdit, "fileNameEdit")
    assert isinstance(found, QLineEdit)
    dialog.activateWindow()
    found.setFocus()
    for _ in range(100):
        if found.hasFocus():
            return found
        QTest.qWait(20)
    focused = QApplication.focusWidget()
    raise AssertionError(f"the focus is on {focused}, the window is {QApplication.activeWindow()}")


def choose(window: QWidget, path: Path) -> None:
    """Type a path and press Enter."""
    field = field_of(open_dialog_of(window))
    field.clear()
    QTest.keyClicks(field, str(path))
    QTest.keyClick(field, Qt.Key.Key_Return)
