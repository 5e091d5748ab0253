"""A section of a side panel: a header that folds, something at its right end, a body."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.theme.controls import line
from app.theme.icons import pixmap
from app.theme.style import draw_focus_ring
from app.theme.theme import theme


class Section(QWidget):
    """Title, fold mark, a note at the right, and a body below.

    Parameters
    ----------
    key : remembered under this name when folded.
    title : a word or two.
    """

    folded = Signal(str, bool)

    def __init__(self, key: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self.header = _Header(title)
        self.body = QWidget()
        self.body_layout = QVBoxLayout(self.body)
        self.body_layout.setContentsMargins(8, 0, 8, 8)
        self.body_layout.setSpacing(4)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.header)
        outer.addWidget(self.body)
        outer.addWidget(line())
        self.header.toggled.connect(self._toggle)

    def set_note(self, text: str) -> None:
        """The words at the right end of the header."""
        self.header.note = text
        self.header.update()

    def add_corner(self, widget: QWidget) -> None:
        """A small control at the right end of the header."""
        self.header.add_corner(widget)

    def set_folded(self, folded: bool) -> None:
        self.header.is_folded = folded
        self.header.update()
        self.body.setVisible(not folded)

    @property
    def is_folded(self) -> bool:
        return self.header.is_folded

    def _toggle(self) -> None:
        self.set_folded(not self.header.is_folded)
        self.folded.emit(self.key, self.header.is_folded)


class _Header(QWidget):
    toggled = Signal()

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title, self.note, self.is_folded = title, "", False
        self._hovered = False
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._corner: list[QWidget] = []
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(8, 0, 8, 0)
        self.row.setSpacing(4)
        self.row.addStretch(1)

    def sizeHint(self) -> QSize:
        return QSize(120, max(28, theme().line() + 12))

    def add_corner(self, widget: QWidget) -> None:
        self._corner.append(widget)
        self.row.addWidget(widget)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._hovered:
            painter.fillRect(self.rect(), theme().colour("raised"))
        mark = "chevron-right" if self.is_folded else "chevron-down"
        y = (self.height() - 16) // 2
        painter.drawPixmap(8, y, pixmap(mark, "muted", 16, self.devicePixelRatioF()))
        painter.setFont(theme().font("group"))
        painter.setPen(theme().colour("text"))
        text_area = QRectF(28, 0, self.width() - 36, self.height())
        centre = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(text_area, int(Qt.AlignmentFlag.AlignLeft | centre), self.title)
        if self.note:
            taken = painter.fontMetrics().horizontalAdvance(self.title) + 16
            corner = sum(w.width() + 4 for w in self._corner if w.isVisible())
            painter.setFont(theme().font("small"))
            painter.setPen(theme().colour("muted"))
            area = text_area.adjusted(taken, 0, -corner, 0)
            shown = painter.fontMetrics().elidedText(
                self.note, Qt.TextElideMode.ElideRight, int(area.width())
            )
            painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | centre), shown)
        if self.hasFocus():
            draw_focus_ring(painter, QRectF(self.rect()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.toggled.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggled.emit()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEvent) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()
