"""Scores of the open item: means with how many classes they cover, and how they have moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from app.theme.controls import label
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Scores, Workspace
from app.workspace.scores import has_objects

# Smaller changes of a mean are noise of a single stroke's rim; they are not coloured.
_WORTH_COLOUR = 0.001
_GAP = 8
_PQ_TIP = (
    "Panoptic quality of the classes with objects: how many are found, times how well they fit. "
    "Background does not count."
)


class ScoresPanel(Section):
    """Mean IoU, mean Dice, pixel accuracy; the change since the item was opened; the trend."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("scores", "Scores")
        self._workspace = workspace
        self._iou, self._dice, self._accuracy = label(kind="page"), label(), label()
        self._since = label(kind="small", tone="muted")
        self._covered = label(kind="small", tone="muted")
        self._left_out = label(kind="small", tone="muted")
        self._pq, self._ap50 = label(), label()
        self._found = label(kind="small", tone="muted")
        self._empty = label("No truth to compare with", tone="muted")
        self._trend = Trend()
        rows = (
            (label("Mean IoU"), self._iou, None),
            (label("Mean Dice"), self._dice, self._covered),
            (label("Pixel accuracy"), self._accuracy, self._left_out),
            (label("Panoptic quality"), self._pq, self._found),
            (label("AP50"), self._ap50, None),
        )
        self._of_objects = [part for row in rows[3:] for part in row if part is not None]
        for part in rows[3]:
            part.setToolTip(_PQ_TIP)
        self._rows = NotedRows(rows)
        self.body_layout.addWidget(self._rows)
        self.body_layout.addWidget(self._trend)
        self.body_layout.addWidget(self._since)
        self.body_layout.addWidget(self._empty)
        workspace.scores_changed.connect(self.refresh_scores)
        workspace.project_closed.connect(lambda: self.refresh_scores(Scores()))
        self.refresh_scores(workspace.scores)

    def refresh_scores(self, scores: Scores) -> None:
        """Show these scores."""
        self._rows.setVisible(scores.has_truth)
        # One point is no trend yet, and the place is dear on a small screen.
        for widget in (self._trend, self._since):
            widget.setVisible(scores.has_truth and len(scores.trend) > 1)
        # While the first scores are read there is nothing to say yet.
        self._empty.setVisible(not scores.has_truth and self._workspace.truth is None)
        self.set_note("against truth" if scores.has_truth else "")
        if not scores.has_truth:
            return
        self._iou.setText(number(scores.mean_iou))
        self._dice.setText(number(scores.mean_dice))
        self._accuracy.setText(number(scores.pixel_accuracy))
        total = len(scores.iou)
        self._covered.setText(f"{scores.counted} of {total} classes")
        self._left_out.setText(f"{100 * scores.left_out:.1f} % left out")
        self._show_change(scores.since_opened)
        self._trend.show_values(scores.trend)
        objects, item = scores.objects, self._workspace.item
        # They are compared when the hand rests; until then their place is kept.
        for part in self._of_objects:
            part.setVisible(objects is not None or (item is not None and has_objects(item)))
        self._pq.setText("" if objects is None else number(objects.pq))
        self._ap50.setText("" if objects is None else number(objects.ap50))
        found = "" if objects is None else f"{objects.found:,} of {objects.objects:,} found"
        self._found.setText(found)

    def _show_change(self, change: float) -> None:
        if math.isnan(change):
            self._since.setText("")
            return
        self._since.setText(f"{signed(change)} since opened")
        worth = abs(change) >= _WORTH_COLOUR
        self._since.set_tone(("success" if change > 0 else "danger") if worth else "muted")


class NotedRows(QWidget):
    """Lines of name, value and note; where the width is too small for a note it goes below.

    Parameters
    ----------
    rows : (name, value, note or None) of each line.
    """

    def __init__(self, rows: Sequence[tuple[QLabel, QLabel, QLabel | None]]) -> None:
        super().__init__()
        self._rows = tuple(rows)
        self._stacked: bool | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(_GAP)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(2, 1)
        for number, (name, value, note) in enumerate(self._rows):
            if note is not None:
                note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._grid.addWidget(name, 2 * number, 0)
            self._grid.addWidget(value, 2 * number, 1)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        named, below = self._widths()
        return QSize(max(named, below), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # another text, another font
            self._arrange()
        return super().event(event)

    def _widths(self) -> tuple[int, int]:
        """What names with values need, and the widest note."""
        names, values, notes = (
            max((w.sizeHint().width() for w in column if w and not w.isHidden()), default=0)
            for column in zip(*self._rows, strict=True)
        )
        return names + _GAP + values, notes

    def _arrange(self) -> None:
        named, notes = self._widths()
        stacked = named + _GAP + notes > self.width()
        if stacked == self._stacked:
            return
        self._stacked = stacked
        for number, (_, _, note) in enumerate(self._rows):
            if note is None:
                continue
            self._grid.removeWidget(note)
            if stacked:
                self._grid.addWidget(note, 2 * number + 1, 0, 1, 3)
            else:
                self._grid.addWidget(note, 2 * number, 2)


class Trend(QWidget):
    """Mean IoU of the states since the item was opened, as a line with its last point."""

    def __init__(self) -> None:
        super().__init__()
        self._values: tuple[float, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Trend of the mean IoU")

    def show_values(self, values: tuple[float, ...]) -> None:
        self._values = tuple(v for v in values if not math.isnan(v))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 36)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 36)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(0.5, 4, self.width() - 8, self.height() - 8)
        values = self._values
        painter.setPen(QPen(theme().colour("separator"), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if not values:
            return
        low, high = min(values), max(values)
        span = max(high - low, 0.02)  # a stroke's worth of noise must not look like a cliff
        step = area.width() / max(1, len(values) - 1)
        points = [
            QPointF(area.left() + i * step, area.bottom() - (v - low) / span * area.height())
            for i, v in enumerate(values)
        ]
        path = QPainterPath(points[0])
        for before, here in pairwise(points):
            path.lineTo(QPointF(here.x(), before.y()))  # a step changes the score at once
            path.lineTo(here)
        ground = QPainterPath(path)
        ground.lineTo(points[-1].x(), area.bottom())
        ground.lineTo(points[0].x(), area.bottom())
        tint = theme().colour("accent").toRgb()
        tint.setAlphaF(0.15)
        painter.fillPath(ground, tint)
        painter.setPen(QPen(theme().colour("accent"), 1.5))
        painter.drawPath(path)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("accent"))
        painter.drawEllipse(points[-1], 3, 3)


def number(value: float) -> str:
    """Three digits, or n/a."""
    return "n/a" if math.isnan(value) else f"{value:.3f}"


def signed(value: float) -> str:
    """A change with its sign and a true minus."""
    return f"{value:+.3f}".replace("-", "−")


__all__ = ["NotedRows", "ScoresPanel", "Trend", "number", "signed"]
