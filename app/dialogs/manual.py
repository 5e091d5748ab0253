"""The manual, read in the program: its Markdown pages, the list of them, links between them.

A browser would need them as HTML, and a program for Markdown is on few computers.
"""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QDesktopServices,
    QFont,
    QFontDatabase,
    QPixmap,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextTable,
)
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QTextBrowser

from app.dialogs.host import DialogHost
from app.dialogs.sheet import Sheet
from app.theme.controls import icon_button, line
from app.theme.theme import theme
from segcore.base import MaskwrightError

FIRST = "README.md"
_FILE = Qt.ItemDataRole.UserRole
_PICTURE_WIDTH = 560  # logical pixels


def manual_folder() -> Path:
    """Where the pages are: in the wheel, or in the checkout.

    Raises
    ------
    MaskwrightError : in neither.
    """
    root = Path(__file__).resolve().parents[2]
    for folder in (root / "resources" / "manual", root / "docs" / "manual"):
        if (folder / FIRST).is_file():
            return folder
    raise MaskwrightError(
        "The manual is not installed.", "Install Maskwright from its wheel, which has it."
    )


def pages(folder: Path) -> list[tuple[str, str]]:
    """(file, title) of each page in the order of the first one, which comes itself first."""
    text = (folder / FIRST).read_text(encoding="utf-8")
    links = re.findall(r"\[([^]]+)\]\((\w\S*\.md)\)", text)
    return [(FIRST, "Contents"), *((file, title) for title, file in links)]


class ManualDialog(Sheet):
    """The pages at the left, the one that is read at the right."""

    def __init__(self, host: DialogHost) -> None:
        folder = manual_folder()
        super().__init__(host, "Manual")
        self.text = Page(folder)
        self.list = QListWidget()
        self.list.setAccessibleName("Pages")
        self.list.setFixedWidth(176)
        for file, title in pages(folder):
            row = QListWidgetItem(title, self.list)
            row.setData(_FILE, file)
            row.setSizeHint(QSize(0, max(24, theme().line() + 8)))
        self.back = icon_button("chevron-left", "Back to the page before", run=self.text.go_back)
        columns = QHBoxLayout()
        columns.setSpacing(12)
        columns.addWidget(self.list)
        columns.addWidget(line(vertical=True))
        columns.addWidget(self.text, 1)
        self.body.addLayout(columns, 1)
        self.foot.insertWidget(0, self.back)
        self.list.currentItemChanged.connect(self._choose)
        self.text.turned.connect(self._follow)
        self.text.read(FIRST)
        window = host.widget.window()
        larger = max(1.0, theme().line() / 16)
        wide = min(round(920 * larger), window.width() - 32)
        self.resize(wide, min(round(760 * larger), window.height() - 64))
        self.list.setFocus()

    def _choose(self, row: QListWidgetItem | None) -> None:
        if row is not None and row.data(_FILE) != self.text.file:
            self.text.read(row.data(_FILE))

    def _follow(self, file: str) -> None:
        self.back.setEnabled(self.text.can_go_back)
        for number in range(self.list.count()):
            if self.list.item(number).data(_FILE) == file:
                self.list.setCurrentRow(number)


class Page(QTextBrowser):
    """One Markdown page in the theme's fonts and colours.

    Parameters
    ----------
    folder : of the pages; links between them are followed here, others by the system.
    """

    turned = Signal(str)
    """Another page is shown; its file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.file = ""
        self._before: list[str] = []
        self.setOpenLinks(False)
        self.setAccessibleName("Page")
        self.anchorClicked.connect(self._go)
        theme().changed.connect(self._again)

    @property
    def can_go_back(self) -> bool:
        return bool(self._before)

    def read(self, file: str, anchor: str = "") -> None:
        """Show a page, at a heading of it."""
        if self.file and file != self.file:
            self._before.append(self.file)
        self._show(file)
        self._scroll_to(anchor)

    def go_back(self) -> None:
        """The page that was read before."""
        if self._before:
            self._show(self._before.pop())

    def _go(self, url: QUrl) -> None:
        if url.scheme():
            QDesktopServices.openUrl(url)
            return
        self.read(url.path() or self.file, url.fragment())

    def _again(self) -> None:
        at = self.verticalScrollBar().value()
        self._show(self.file)
        self.verticalScrollBar().setValue(at)

    def _show(self, file: str) -> None:
        self.file = file
        text = (self._folder / file).read_text(encoding="utf-8")
        self.setFont(theme().font())
        self.setMarkdown(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
        self._dress()
        self.verticalScrollBar().setValue(0)
        self.turned.emit(file)

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """A picture of the page, no wider than a page is."""
        url = QUrl(name) if isinstance(name, str) else name
        if kind != QTextDocument.ResourceType.ImageResource.value or not url.isRelative():
            return super().loadResource(kind, url)
        picture = QPixmap(str(self._folder / url.path()))
        ratio = self.devicePixelRatioF()
        if picture.width() > _PICTURE_WIDTH * ratio:
            smooth = Qt.TransformationMode.SmoothTransformation
            picture = picture.scaledToWidth(round(_PICTURE_WIDTH * ratio), smooth)
            picture.setDevicePixelRatio(ratio)
        return picture

    def _scroll_to(self, anchor: str) -> None:
        block = self.document().begin()
        while anchor and block.isValid():
            if block.blockFormat().headingLevel() and anchor_of(block.text()) == anchor:
                top = self.document().documentLayout().blockBoundingRect(block).top()
                self.verticalScrollBar().setValue(round(top))
                return
            block = block.next()

    # -- the look -----------------------------------------------------------------------------

    def _dress(self) -> None:
        """Three sizes of text; code on the ground of fields; tables with quiet lines."""
        block = self.document().begin()
        while block.isValid():
            self._dress_block(block)
            block = block.next()
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                form = frame.format()
                form.setBorderBrush(theme().colour("separator"))
                form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
                form.setBorderCollapse(True)
                form.setBorder(1)
                form.setCellPadding(4)
                form.setTopMargin(4)
                form.setBottomMargin(12)
                frame.setFormat(form)
                self._mend_first_cell(frame)

    def _mend_first_cell(self, table: QTextTable) -> None:
        """Qt begins a table that follows a block of code with an empty line."""
        cell = table.cellAt(0, 0)
        cursor = cell.firstCursorPosition()
        if not cursor.block().text() and cursor.block() != cell.lastCursorPosition().block():
            cursor.deleteChar()
            end = cell.lastCursorPosition().position()
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            bold = QTextCharFormat()
            bold.setFontWeight(QFont.Weight.Bold)
            cursor.mergeCharFormat(bold)

    def _dress_block(self, block: QTextBlock) -> None:
        cursor = QTextCursor(block)
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        form, chars = block.blockFormat(), QTextCharFormat()
        level = form.headingLevel()
        if level:
            chars.setFont(theme().font("page" if level == 1 else "group"))
            chars.setForeground(theme().colour("text"))
            form.setTopMargin(0 if level == 1 else 16)
            form.setBottomMargin(8)
            cursor.setCharFormat(chars)  # not merged: Markdown's own sizes go
        elif form.hasProperty(QTextFormat.Property.BlockCodeFence):
            fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
            chars.setFontFamilies([fixed.family()])
            cursor.mergeCharFormat(chars)
            form.setBackground(theme().colour("field"))
        cursor.setBlockFormat(form)


def anchor_of(heading: str) -> str:
    """The name by which links know a heading: small letters, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
