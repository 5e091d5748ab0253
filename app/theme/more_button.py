"""The button behind which stands what had no room: a dot says that something in there is on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolButton

from app.theme.icons import icon
from app.theme.theme import theme


class MoreButton(QToolButton):
    """An ellipsis.

    Parameters
    ----------
    tip : what stands behind it.
    """

    def __init__(self, tip: str) -> None:
        super().__init__()
        self._tip = tip
        self.on: tuple[str, ...] = ()
        self.setIcon(icon("ellipsis"))
        self.setIconSize(QSize(16, 16))
        self.setFixedSize(24, 24)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.show_on(())

    def show_on(self, on: Sequence[str]) -> None:
        """Name what is on in there."""
        self.on = tuple(on)
        self.setToolTip("<br>".join([self._tip, *(f"<b>On: {text}</b>" for text in self.on)]))
        self.setAccessibleName(self._tip)
        self.setAccessibleDescription(", ".join(self.on))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.on:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().colour("window"), 1))
        painter.setBrush(theme().colour("accent"))
        painter.drawEllipse(QPointF(self.width() - 6, 6), 3.5, 3.5)
