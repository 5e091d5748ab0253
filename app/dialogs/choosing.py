"""Choosing a folder or a file: the system's dialog where there is one, else Qt's in our dress.

The dialog never stops the window: what was chosen is handed to `then`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFileInfo, QSize
from PySide6.QtGui import QAbstractFileIconProvider, QIcon
from PySide6.QtWidgets import QFileDialog, QLineEdit, QToolButton, QWidget

from app.theme.icons import icon
from app.theme.theme import theme

_BUTTONS = {
    "backButton": "chevron-left",
    "forwardButton": "chevron-right",
    "toParentButton": "arrow-up",
    "newFolderButton": "folder-plus",
}
_SPARED = ("listModeButton", "detailModeButton")


def choose_folder(
    parent: QWidget, title: str, start: Path, then: Callable[[Path], None], *, verb: str = "Choose"
) -> None:
    """Ask for a folder that exists."""
    dialog = QFileDialog(parent, title, str(start))
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    _ask(dialog, verb, then)


def choose_file(
    parent: QWidget, title: str, start: Path, kind: str, then: Callable[[Path], None]
) -> None:
    """Ask for a file that exists.

    Parameters
    ----------
    kind : what is shown, such as "COCO annotations (*.json)".
    """
    dialog = QFileDialog(parent, title, str(start), kind)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    _ask(dialog, "Choose", then)


def _ask(dialog: QFileDialog, verb: str, then: Callable[[Path], None]) -> None:
    theme().finish()
    dialog.setLabelText(QFileDialog.DialogLabel.Accept, verb)
    _dress(dialog)
    dialog.accepted.connect(lambda: then(_chosen(dialog)))
    dialog.finished.connect(lambda _: dialog.deleteLater())
    dialog.open()


def _chosen(dialog: QFileDialog) -> Path:
    """What the person named: the words in the field, else the row.

    `selectedFiles` begins with the folder that is shown when a path is typed whose row the
    completer has marked as well, so its first entry is not what was asked for.
    """
    field = dialog.findChild(QLineEdit, "fileNameEdit")  # the system's own dialog has none
    typed = field.text().strip() if field is not None else ""
    if typed:
        named = Path(dialog.directory().absolutePath()) / Path(typed).expanduser()
        if named.exists():
            return named
    return Path(dialog.selectedFiles()[-1])


def _dress(dialog: QFileDialog) -> None:
    dialog.setIconProvider(_icons())
    for name, drawing in _BUTTONS.items():
        made = dialog.findChild(QToolButton, name)
        if made is not None:
            made.setIcon(icon(drawing))
            made.setIconSize(QSize(16, 16))
    for name in _SPARED:
        spared = dialog.findChild(QToolButton, name)
        if spared is not None:
            spared.hide()
    field = dialog.findChild(QLineEdit, "fileNameEdit")
    completer = field.completer() if field is not None else None
    popup = completer.popup() if completer is not None else None
    if popup is not None:
        popup.setProperty("popup", True)  # a window of its own: it needs a ground


class _Icons(QAbstractFileIconProvider):
    """Folders and files in the colours of the theme."""

    def __init__(self) -> None:
        super().__init__()
        # Made once on the GUI thread: Qt asks from a thread of its own.
        self._folder, self._file = icon("folder-open", "muted"), icon("image", "muted")

    def icon(self, what: QAbstractFileIconProvider.IconType | QFileInfo) -> QIcon:
        """The icon of a place or of a file."""
        if isinstance(what, QFileInfo):
            return self._folder if what.isDir() else self._file
        is_file = what == QAbstractFileIconProvider.IconType.File
        return self._file if is_file else self._folder


@functools.cache
def _icons() -> _Icons:
    """One for all dialogs, as long as the program runs: Qt does not own it."""
    return _Icons()
