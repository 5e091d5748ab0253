"""Drawing an architecture's diagram: maps as bars, joins as dots, the family's idea in accent."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme.theme import theme
from segcore.models.diagrams import Diagram, Part

# Share of a column that a part takes, and how much narrower a map of half the size is.
_WIDE, _NARROWER = 0.72, 0.07


def draw_diagram(painter: QPainter, rect: QRectF, drawing: Diagram, ground: str = "panel") -> None:
    """Fit a diagram into a rectangle of the panel.

    Parameters
    ----------
    ground : the role that the drawing stands on; parts without a fill have it inside.
    """
    lowest = max(part.y for part in drawing.parts)
    right = max(part.x for part in drawing.parts)
    step_x, step_y = rect.width() / (right + 1), rect.height() / (lowest + 1)
    step_x = min(step_x, 2.4 * step_y)  # a short row must not be drawn out
    left = rect.x() + (rect.width() - step_x * (right + 1)) / 2

    def middle(part: Part) -> QPointF:
        return QPointF(left + (part.x + 0.5) * step_x, rect.y() + (part.y + 0.5) * step_y)

    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    thick = max(1.0, step_y / 12)
    for link in drawing.links:
        pen = QPen(theme().colour("accent" if link.idea else "border"), thick)
        if link.line == "positions":
            pen.setStyle(Qt.PenStyle.DotLine)
        painter.setPen(pen)
        painter.drawLine(middle(drawing.parts[link.start]), middle(drawing.parts[link.end]))
    for part in drawing.parts:
        _draw_part(painter, part, middle(part), step_x, step_y, thick, ground)
    painter.restore()


def _draw_part(
    painter: QPainter,
    part: Part,
    at: QPointF,
    step_x: float,
    step_y: float,
    thick: float,
    ground: str,
) -> None:
    """One part: a filled bar, a hollow box for a step, a dot for a join."""
    colour = theme().colour("accent" if part.idea else "muted")
    tall = step_y * 0.62
    if part.kind == "join":
        radius = min(step_x, step_y) * 0.24
        painter.setPen(QPen(colour, thick))
        painter.setBrush(colour if part.idea else theme().colour(ground))
        painter.drawEllipse(at, radius, radius)
        return
    wide = step_x * max(0.3, _WIDE - (_NARROWER * part.y if part.kind == "map" else 0.14))
    box = QRectF(at.x() - wide / 2, at.y() - tall / 2, wide, tall)
    if part.kind == "step":
        painter.setPen(QPen(colour, thick))
        painter.setBrush(theme().colour(ground))
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
    painter.drawRoundedRect(box, min(2.0, tall / 4), min(2.0, tall / 4))


class DiagramView(QWidget):
    """One diagram, as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Diagram | None = None
        self.setFixedHeight(112)
        theme().changed.connect(self.update)

    def show_diagram(self, drawing: Diagram | None, words: str) -> None:
        """Show a drawing; `words` say the same to somebody who does not see it."""
        self._drawing = drawing
        self.setVisible(drawing is not None)
        self.setAccessibleName(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._drawing is not None:
            painter = QPainter(self)
            draw_diagram(painter, QRectF(self.rect()).adjusted(4, 4, -4, -4), self._drawing)
