"""Curves of a training, painted: steps along, values up, a dot at the newest point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme.theme import theme

Points = Sequence[tuple[int, float]]


class Curve(QWidget):
    """One curve; noisy values are drawn thin with their running mean over them.

    Parameters
    ----------
    name : for people who do not see it.
    smooth : draw the running mean too.
    digits : after the point on the axis.
    """

    def __init__(self, name: str, *, smooth: bool = False, digits: int = 2) -> None:
        super().__init__()
        self._smooth, self._digits = smooth, digits
        self._points: list[tuple[int, float]] = []
        self._steps = 1
        self._level: float | None = None
        self._level_name = ""
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_points(
        self, points: Points, steps: int, level: float | None = None, level_name: str = ""
    ) -> None:
        """Show points over an axis of `steps`, and a dashed level to compare with."""
        self._points = [p for p in points if math.isfinite(p[1])]
        self._steps, self._level, self._level_name = max(1, steps), level, level_name
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, 96 + theme().line())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme().font("small"))
        metrics = painter.fontMetrics()
        low, high, ticks = self._scale()
        shown = axis_texts(ticks, self._digits)
        left = max(metrics.horizontalAdvance(text) for text in ("0.00", *shown)) + 8
        area = QRectF(left, 6, self.width() - left - 8, self.height() - theme().line() - 14)

        def y(value: float) -> float:
            return area.bottom() - (value - low) / (high - low) * area.height()

        def x(step: float) -> float:
            return area.left() + step / self._steps * area.width()

        middle = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for tick, text in zip(ticks, shown, strict=True):
            painter.setPen(QPen(theme().colour("separator"), 1))
            painter.drawLine(QPointF(area.left(), y(tick)), QPointF(area.right(), y(tick)))
            painter.setPen(theme().colour("muted"))
            painter.drawText(QRectF(0, y(tick) - 10, left - 6, 20), middle, text)
        self._paint_steps(painter, area, x)
        if self._level is not None:
            self._paint_level(painter, area, y(self._level))
        self._paint_curve(painter, [QPointF(x(s), y(v)) for s, v in self._points])

    def _scale(self) -> tuple[float, float, list[float]]:
        values = [v for _, v in self._points]
        if self._level is not None:
            values.append(self._level)
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if high - low < 0.02:
            low, high = low - 0.01, high + 0.01
        step = _nice((high - low) / 3)
        # A score or a loss is never below nought, so its axis is not either.
        low = max(low, 0.0) if min(values, default=0.0) >= 0 else low
        first, last = math.floor(low / step), math.ceil(high / step)
        ticks = [n * step for n in range(first, last + 1)]
        return ticks[0], ticks[-1], ticks

    def _paint_steps(self, painter: QPainter, area: QRectF, x: object) -> None:
        step = max(1, round(_nice(self._steps / 4)))
        painter.setPen(theme().colour("muted"))
        for at in range(0, self._steps + 1, step):
            wide = painter.fontMetrics().horizontalAdvance(f"{at:,}") + 2
            left = min(x(at) - wide / 2, self.width() - wide)  # type: ignore[operator]
            place = QRectF(left, area.bottom() + 4, wide, theme().line())
            painter.drawText(place, int(Qt.AlignmentFlag.AlignHCenter), f"{at:,}")

    def _paint_level(self, painter: QPainter, area: QRectF, y: float) -> None:
        pen = QPen(theme().colour("muted"), 1.5)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        above = bool(self._points) and self._level is not None
        above = above and self._points[-1][1] < (self._level or 0.0)
        top = y - theme().line() - 2 if above else y + 2
        place = QRectF(area.left(), top, area.width(), theme().line())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignRight), self._level_name)

    def _paint_curve(self, painter: QPainter, points: list[QPointF]) -> None:
        if not points:
            return
        strong = points
        if self._smooth and len(points) > 8:
            painter.setPen(QPen(theme().colour("disabled"), 1))
            painter.drawPolyline(QPolygonF(points))
            strong = running_mean(points)
        painter.setPen(QPen(theme().colour("accent"), 1.8))
        if len(strong) > 1:
            painter.drawPolyline(QPolygonF(strong))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("accent"))
        painter.drawEllipse(strong[-1], 3, 3)


def axis_texts(ticks: Sequence[float], digits: int) -> list[str]:
    """The numbers of an axis, with as many digits as tell them apart, at least `digits`."""
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    needed = max(digits, -math.floor(math.log10(max(step, 1e-9)) + 1e-9))
    return [f"{tick:.{needed}f}" for tick in ticks]


def running_mean(points: list[QPointF], share: float = 0.12) -> list[QPointF]:
    """Points with their heights smoothed by an exponential mean, begun without bias."""
    smoothed, mean, weight = [], 0.0, 0.0
    for point in points:
        mean = (1 - share) * mean + share * point.y()
        weight = (1 - share) * weight + share
        smoothed.append(QPointF(point.x(), mean / weight))
    return smoothed


def _nice(step: float) -> float:
    """The next larger of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(step, 1e-9)))
    return next((m * power for m in (1, 2, 5, 10) if m * power >= step - 1e-12), 10 * power)
