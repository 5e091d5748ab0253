"""Buttons that say their shortcut, and a button with an arrow beside it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QWidget,
)

from app.theme.controls import set_tone
from app.theme.icons import pixmap
from app.theme.theme import theme


class KeyButton(QPushButton):
    """Icon, words, and the shortcut in muted letters.

    Parameters
    ----------
    icon_name : drawing at the left, or "".
    key : text of the shortcut, or "".
    spread : the shortcut stands at the right end (welcome page) instead of after the words.
    """

    def __init__(
        self, text: str, icon_name: str = "", key: str = "", *, tone: str = "", spread: bool = False
    ) -> None:
        super().__init__(text)
        self._icon_name, self.key, self._spread = icon_name, key, spread
        self._compact = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if tone:
            self.setProperty("tone", tone)

    def set_icon_name(self, name: str) -> None:
        self._icon_name = name
        self.update()

    def set_compact(self, compact: bool) -> None:
        """Only the icon, where there is little room; the tooltip still has the words."""
        if compact != self._compact:
            self._compact = compact
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        height = max(28, theme().line() + 12)
        if self._compact:
            return QSize(height, height)
        words = theme().font("group" if self._is_primary else "text")
        metrics = self.fontMetrics()
        width = 20 + metrics.horizontalAdvance(self.text()) + (8 if words.bold() else 4)
        width += 22 if self._icon_name else 0
        width += metrics.horizontalAdvance(self.key) + 8 if self.key else 0
        return QSize(width, height)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @property
    def _is_primary(self) -> bool:
        return bool(self.property("tone") == "primary")

    def paintEvent(self, event: QPaintEvent) -> None:
        frame = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        frame.drawControl(QStyle.ControlElement.CE_PushButton, option)
        frame.end()
        painter = QPainter(self)
        role, quiet = "text", "muted"
        if self._is_primary:
            role = quiet = "on_accent"
        if not self.isEnabled():
            role = quiet = "disabled"
        x, middle = 10, self.height() // 2
        if self._icon_name:
            drawn = pixmap(self._icon_name, role, 16, self.devicePixelRatioF())
            if self._compact:
                painter.drawPixmap((self.width() - 16) // 2, middle - 8, drawn)
                return
            painter.drawPixmap(x, middle - 8, drawn)
            x += 22
        painter.setFont(theme().font("group" if self._is_primary else "text"))
        painter.setPen(theme().colour(role))
        centre = int(Qt.AlignmentFlag.AlignVCenter)
        width = painter.fontMetrics().horizontalAdvance(self.text())
        painter.drawText(QRect(x, 0, self.width() - x, self.height()), centre, self.text())
        if self.key:
            painter.setFont(theme().font("small"))
            painter.setPen(theme().colour(quiet))
            left = x + width + 8
            if self._spread:
                left = self.width() - 10 - painter.fontMetrics().horizontalAdvance(self.key)
            painter.drawText(QRect(left, 0, self.width() - left, self.height()), centre, self.key)


class SplitButton(QWidget):
    """A button that acts at once, and an arrow beside it that opens what is behind it."""

    clicked = Signal()
    opened = Signal()

    def __init__(self, text: str, icon_name: str, tip: str, arrow_tip: str) -> None:
        super().__init__()
        self.main = KeyButton(text, icon_name, tone="primary")
        self.main.setToolTip(tip)
        self.arrow = KeyButton("", "chevron-down", tone="primary")
        self.arrow.set_compact(True)
        self.arrow.setToolTip(arrow_tip)
        self.arrow.setAccessibleName(arrow_tip)
        self.arrow.setFixedWidth(24)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.main)
        layout.addWidget(self.arrow)
        self.main.clicked.connect(self.clicked)
        self.arrow.clicked.connect(self.opened)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        # The gap between the two belongs to the button that acts.
        if event.button() == Qt.MouseButton.LeftButton and self.main.isEnabled():
            self.main.click()

    def show_state(self, text: str, icon_name: str, tone: str, enabled: bool) -> None:
        """Other words, icon and tone; the arrow stays usable."""
        self.main.setText(text)
        self.main.set_icon_name(icon_name)
        self.main.setEnabled(enabled)
        for part in (self.main, self.arrow):
            set_tone(part, tone)
        self.main.updateGeometry()


def connect(button: QPushButton, run: Callable[[], object]) -> None:
    """Run something on a click, whatever arguments the signal has."""
    button.clicked.connect(lambda _checked=False: run())


def below(widget: QWidget) -> QPoint:
    """The place under a widget where its menu opens."""
    return widget.mapToGlobal(QPoint(0, widget.height() + 2))
