"""Window and level: presets, histogram, width and level, and whether contrast is automatic.

Shown for pictures that are looked at through a window; see `app.workspace.windowing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.theme.controls import (
    DecimalField,
    ElidedLabel,
    Segmented,
    button,
    icon_button,
    label,
    row_of,
)
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.windowing import decimals, value_text
from segcore.images import ImageSource, full_window, sample

# (level, width) in Hounsfield units.
PRESETS: dict[str, tuple[float, float]] = {
    "Brain": (40, 80),
    "Lung": (-600, 1500),
    "Bone": (400, 1800),
    "Abdomen": (50, 400),
}
_BINS = 128


class WindowPanel(Section):
    """Shown only where the open picture needs it."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("window", "Window")
        self._workspace = workspace
        self._may_switch = False
        self.presets = Segmented([(name, name) for name in PRESETS])
        self.histogram = Histogram(workspace)
        self.width_field = DecimalField(0, 1e12)
        self.level_field = DecimalField(-1e12, 1e12)
        for field in (self.width_field, self.level_field):
            # Room for the largest number there could be would be wider than the panel.
            field.setMinimumWidth(48)
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.width_field.setAccessibleName("Width")
        self.level_field.setAccessibleName("Level")
        self.fit = icon_button("rotate-ccw", "Fit the window to this slice", role="muted")
        self.add_corner(self.fit)
        self.mark = ElidedLabel(kind="small")
        self.mark.setProperty("tone", "muted")
        self.switch = button("Show as stored", run=self._switch)
        self.contrast = row_of(self.mark, self.switch)
        fields = QHBoxLayout()
        fields.setContentsMargins(0, 4, 0, 0)
        fields.setSpacing(8)
        fields.addWidget(label("Width"))
        fields.addWidget(self.width_field, 1)
        fields.addWidget(label("Level"))
        fields.addWidget(self.level_field, 1)
        self.body_layout.addWidget(self.contrast)
        self.body_layout.addWidget(self.presets)
        self.body_layout.addWidget(self.histogram)
        self.body_layout.addLayout(fields)
        self.presets.chosen.connect(self._use_preset)
        self.width_field.valueChanged.connect(self._typed)
        self.level_field.valueChanged.connect(self._typed)
        self.fit.clicked.connect(workspace.fit_window)
        workspace.image_loaded.connect(self._take_image)
        workspace.image_refined.connect(self._take_image)
        workspace.image_failed.connect(lambda _: self.hide())
        workspace.project_closed.connect(self.hide)
        workspace.window_changed.connect(self.show_window)
        self.hide()

    def _take_image(self, image: ImageSource) -> None:
        self.setVisible(self._workspace.windowed)
        if self.isHidden():
            return
        self.set_note(image.unit)
        self._may_switch = not image.presets
        self.presets.setVisible(image.family == "dicom")
        self.histogram.load(image, self._workspace.z)
        self.show_window(*self._workspace.window)

    def show_window(self, low: float, high: float) -> None:
        """Show the chosen window."""
        level, width = (low + high) / 2, high - low
        places = decimals(self._workspace.image, width)
        for field, value in ((self.width_field, width), (self.level_field, level)):
            field.blockSignals(True)
            field.show_value(value, places)
            field.blockSignals(False)
        fitting = [
            n for n, (lv, w) in PRESETS.items() if abs(lv - level) < 1 and abs(w - width) < 1
        ]
        self.presets.set_value(fitting[0] if fitting else "")
        self._show_contrast()
        self.histogram.update()

    def _use_preset(self, name: str) -> None:
        level, width = PRESETS[name]
        self._workspace.set_window(level - width / 2, level + width / 2)

    def _typed(self, _value: float) -> None:
        level, width = self.level_field.value(), self.width_field.value()
        self._workspace.set_window(level - width / 2, level + width / 2)

    def _show_contrast(self) -> None:
        """Whether the values are shown as they are stored, and the way to the other."""
        image = self._workspace.image
        self.contrast.setVisible(image is not None and self._may_switch)
        if image is None:
            return
        stored = self._workspace.window == full_window(image)
        automatic = self._workspace.contrast_is_automatic
        self.mark.setText(
            "Shown as stored" if stored else "Automatic contrast" if automatic else "Own contrast"
        )
        self.switch.setText("Automatic" if stored else "Show as stored")

    def _switch(self) -> None:
        image = self._workspace.image
        if image is None:
            return
        if self._workspace.window == full_window(image):
            self._workspace.fit_window()
        else:
            self._workspace.set_window(*full_window(image))


class Histogram(QWidget):
    """How often each value occurs, with the window's ends to drag."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._counts: Any = None
        self._range = (0.0, 1.0)
        self._dragged = ""
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Histogram")

    def sizeHint(self) -> QSize:
        return QSize(200, 56 + theme().line())

    def load(self, image: ImageSource, z: int) -> None:
        """Count the values of a slice beside the GUI thread."""

        def count() -> tuple[Any, tuple[float, float]]:
            values = sample(image, z).astype(np.float64)
            values = values[np.isfinite(values)]
            if values.size == 0:
                return np.zeros(_BINS), (0.0, 1.0)
            low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
            # More bins than whole numbers would be a comb.
            whole = image.dtype.kind in "iu"
            if whole or high <= low:
                high = max(high, low + 1)
            bins = min(_BINS, int(high - low) + 1) if whole else _BINS
            half = 0.5 if whole and bins < _BINS else 0.0
            counts, _ = np.histogram(values, bins, (low - half, high + half))
            return np.log1p(counts), (low, high)

        def show(result: tuple[Any, tuple[float, float]]) -> None:
            self._counts, self._range = result
            self.update()

        self._workspace.background.run_latest("histogram", count, show)

    def _x(self, value: float) -> float:
        low, high = self._range
        return (value - low) / (high - low) * (self.width() - 1)

    def _value(self, x: float) -> float:
        low, high = self._range
        return low + x / max(1, self.width() - 1) * (high - low)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        bottom = self.height() - theme().line() - 4
        painter.fillRect(0, 0, self.width(), bottom, theme().colour("field"))
        if self._counts is not None and self._counts.max() > 0:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            heights = self._counts / self._counts.max() * (bottom - 8)
            step = self.width() / len(heights)
            points = [QPointF(0, bottom)]
            points += [QPointF((i + 0.5) * step, bottom - float(h)) for i, h in enumerate(heights)]
            points.append(QPointF(self.width(), bottom))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().colour("separator"))
            painter.drawPolygon(QPolygonF(points))
        for value in self._workspace.window:
            x = min(max(self._x(value), 1), self.width() - 2)
            painter.setPen(QPen(theme().colour("accent"), 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, bottom))
            painter.fillRect(QRectF(x - 3, bottom / 2 - 6, 6, 12), theme().colour("accent"))
        painter.setFont(theme().font("small"))
        painter.setPen(theme().colour("muted"))
        foot = QRectF(0, bottom + 4, self.width(), theme().line())
        low, high = self._range
        places = decimals(self._workspace.image, high - low)
        unit = "" if self._workspace.image is None else self._workspace.image.unit
        texts = [value_text(value, places, unit) for value in self._range]
        painter.drawText(foot, int(Qt.AlignmentFlag.AlignLeft), texts[0])
        painter.drawText(foot, int(Qt.AlignmentFlag.AlignRight), texts[1])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        low, high = self._workspace.window
        x = event.position().x()
        self._dragged = "low" if abs(self._x(low) - x) <= abs(self._x(high) - x) else "high"
        self._drag(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged:
            self._drag(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged = ""

    def _drag(self, x: float) -> None:
        low, high = self._workspace.window
        value = self._value(x)
        least = 1e-4 * (self._range[1] - self._range[0])
        if self._dragged == "low":
            low = min(value, high - least)
        else:
            high = max(value, low + least)
        self._workspace.set_window(low, high)
