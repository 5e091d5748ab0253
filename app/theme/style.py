"""Metrics and behaviour of the widgets, set once over Fusion: 8 and 4 pixels, calm, precise."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import (
    QCheckBox,
    QProxyStyle,
    QRadioButton,
    QStyle,
    QStyleOption,
    QWidget,
)

from app.theme.theme import theme

_METRICS = {
    QStyle.PixelMetric.PM_LayoutLeftMargin: 8,
    QStyle.PixelMetric.PM_LayoutRightMargin: 8,
    QStyle.PixelMetric.PM_LayoutTopMargin: 8,
    QStyle.PixelMetric.PM_LayoutBottomMargin: 8,
    QStyle.PixelMetric.PM_LayoutHorizontalSpacing: 8,
    QStyle.PixelMetric.PM_LayoutVerticalSpacing: 4,
    QStyle.PixelMetric.PM_SmallIconSize: 16,
    QStyle.PixelMetric.PM_ButtonIconSize: 16,
    QStyle.PixelMetric.PM_ToolBarIconSize: 20,
    QStyle.PixelMetric.PM_ListViewIconSize: 16,
    QStyle.PixelMetric.PM_MenuButtonIndicator: 16,
    QStyle.PixelMetric.PM_ButtonShiftHorizontal: 0,
    QStyle.PixelMetric.PM_ButtonShiftVertical: 0,
}
TOOLTIP_MS = 600
# Qt asks for hints thousands of times a window, and a member of an enumeration is slow to fetch.
_HINTS = (
    (QStyle.StyleHint.SH_ToolTip_WakeUpDelay, TOOLTIP_MS),
    (QStyle.StyleHint.SH_EtchDisabledText, 0),
    (QStyle.StyleHint.SH_DitherDisabledText, 0),
    (QStyle.StyleHint.SH_UnderlineShortcut, 0),
    (QStyle.StyleHint.SH_Widget_Animation_Duration, 0),
    (QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons, 0),
    (QStyle.StyleHint.SH_Slider_AbsoluteSetButtons, 1),  # a click on the groove goes there
)


class Style(QProxyStyle):
    """Fusion with our distances, our ring for the focus, and tooltips after 600 ms."""

    def __init__(self) -> None:
        super().__init__("Fusion")

    def pixelMetric(
        self,
        metric: QStyle.PixelMetric,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> int:
        found = _METRICS.get(metric)
        return found if found is not None else super().pixelMetric(metric, option, widget)

    def styleHint(
        self,
        hint: QStyle.StyleHint,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
        returnData: Any = None,
    ) -> int:
        for ours, value in _HINTS:
            if hint is ours:
                return value
        return super().styleHint(hint, option, widget, returnData)

    def drawPrimitive(
        self,
        element: QStyle.PrimitiveElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        if element == QStyle.PrimitiveElement.PE_FrameFocusRect:
            # Buttons and fields have their ring from the style sheet; what stands free has ours.
            if isinstance(widget, QCheckBox | QRadioButton):
                draw_focus_ring(painter, QRectF(option.rect))
            return
        if element == QStyle.PrimitiveElement.PE_IndicatorCheckBox:
            state = option.state
            on = bool(state & QStyle.StateFlag.State_On)
            enabled = bool(state & QStyle.StateFlag.State_Enabled)
            draw_check_box(painter, QRectF(option.rect), on, enabled=enabled)
            return
        super().drawPrimitive(element, option, painter, widget)


def draw_check_box(painter: QPainter, rect: QRectF, on: bool, *, enabled: bool = True) -> None:
    """A box with a rim that is seen, and a tick in the accent's own text colour when on."""
    from app.theme.icons import device_ratio, pixmap

    box = QRectF(0, 0, 14, 14)
    box.moveCenter(rect.center())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    rim = "border" if enabled else "separator"
    painter.setPen(QPen(theme().colour("accent" if on and enabled else rim), 1))
    painter.setBrush(theme().colour("accent" if on and enabled else "field"))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
    if on:
        ratio = device_ratio(painter)
        drawn = pixmap("check", "on_accent" if enabled else "disabled", 12, ratio)
        painter.drawPixmap(QPointF(box.x() + 1, box.y() + 1), drawn)
    painter.restore()


def draw_focus_ring(painter: QPainter, rect: QRectF, radius: float = 4) -> None:
    """A ring of 2 px just inside `rect`."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().colour("focus"), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), radius, radius)
    painter.restore()
