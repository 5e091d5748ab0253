"""Small controls that Qt lacks or draws badly: choices in a row, combo box, swatch, sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QLocale, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QIcon,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QValidator,
)
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from app.theme.icons import icon, pixmap
from app.theme.style import draw_focus_ring
from app.theme.theme import theme


def label(text: str = "", *, kind: str = "text", tone: str = "") -> ThemedLabel:
    """A label with a font of the theme and a tone (muted, warning, danger, success)."""
    made = ThemedLabel(text, kind)
    if tone:
        made.setProperty("tone", tone)
    return made


class ThemedLabel(QLabel):
    """A label that keeps the theme's font of its kind when the theme changes."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self._kind = kind
        self._dress()
        theme().changed.connect(self._dress)

    def _dress(self) -> None:
        self.setFont(theme().font(self._kind))

    def set_tone(self, tone: str) -> None:
        """Another colour of text; "" is plain."""
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            self.style().unpolish(self)
            self.style().polish(self)


class ElidedLabel(ThemedLabel):
    """A label that ends in an ellipsis where there is no room, and tells all in its tooltip."""

    def __init__(self, text: str = "", kind: str = "text") -> None:
        super().__init__(text, kind)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(theme().colour(self.property("tone") or "text"))
        shown = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width()
        )
        painter.drawText(self.rect(), int(self.alignment()), shown)
        self.setToolTip(self.text() if shown != self.text() else "")


def line(vertical: bool = False) -> QFrame:
    """A line of 1 px between parts."""
    made = QFrame()
    made.setProperty("line", True)
    if vertical:
        made.setFixedWidth(1)
    else:
        made.setFixedHeight(1)
    return made


def button(
    text: str,
    icon_name: str = "",
    *,
    tone: str = "",
    run: Callable[[], object] | None = None,
) -> QPushButton:
    """A push button; `tone` is primary, flat, link or "" (plain)."""
    made = QPushButton(text)
    if tone:
        made.setProperty("tone", tone)
    if icon_name:
        made.setProperty("icon_name", icon_name)
        _tint(made)
    if run is not None:
        made.clicked.connect(lambda _checked=False: run())
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


def _tint(made: QPushButton) -> None:
    role = "on_accent" if made.property("tone") == "primary" else "text"
    made.setIcon(icon(made.property("icon_name"), role))


def set_tone(widget: QWidget, tone: str) -> None:
    """Change the tone of a control that is already on screen."""
    if widget.property("tone") != tone:
        widget.setProperty("tone", tone)
        if isinstance(widget, QPushButton) and widget.property("icon_name"):
            _tint(widget)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def icon_button(
    icon_name: str,
    tip: str,
    *,
    size: int = 16,
    checkable: bool = False,
    role: str = "text",
    run: Callable[[], object] | None = None,
) -> QToolButton:
    """A button that is only an icon; the tooltip names it."""
    made = QToolButton()
    if icon_name:
        made.setIcon(icon(icon_name, role, size))
    made.setIconSize(QSize(size, size))
    made.setToolTip(tip)
    made.setAccessibleName(tip)
    made.setCheckable(checkable)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    side = 28 if size >= 20 else 24
    made.setFixedSize(side, side)
    if run is not None:
        made.clicked.connect(lambda _checked=False: run())
    return made


class ComboBox(QComboBox):
    """A combo box whose arrow has the theme's colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        role = "text" if self.isEnabled() else "disabled"
        arrow = pixmap("chevron-down", role, 16, self.devicePixelRatioF())
        painter.drawPixmap(self.width() - 22, (self.height() - 16) // 2, arrow)


class _Scrubbing(QObject):
    """Scrubs a spin box sideways, a step for two pixels; a click without a move is for typing."""

    def __init__(self, field: QSpinBox | QDoubleSpinBox) -> None:
        super().__init__(field)
        self._field = field
        self._from: tuple[float, float] | None = None
        self._entered = False
        field.setAlignment(Qt.AlignmentFlag.AlignRight)
        field.setFocusPolicy(Qt.FocusPolicy.ClickFocus | Qt.FocusPolicy.TabFocus)
        field.setKeyboardTracking(False)
        field.lineEdit().setTextMargins(0, 0, 8, 0)
        field.installEventFilter(self)
        field.lineEdit().installEventFilter(self)
        field.lineEdit().setCursor(Qt.CursorShape.SizeHorCursor)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        field = self._field
        if isinstance(event, QFocusEvent) and watched is field:
            # Qt gives the focus before it delivers the press that asked for it.
            self._entered = event.gotFocus() and event.reason() == Qt.FocusReason.MouseFocusReason
        elif isinstance(event, QMouseEvent) and watched is not field:
            kind = event.type()
            if kind == QEvent.Type.MouseButtonPress and self._entered:
                self._from = (event.globalPosition().x(), field.value())
                self._entered = False
                return True
            if kind == QEvent.Type.MouseMove and self._from is not None:
                steps = round((event.globalPosition().x() - self._from[0]) / 2)
                field.setValue(self._from[1] + steps * field.singleStep())  # type: ignore[arg-type]
                return True
            if kind == QEvent.Type.MouseButtonRelease and self._from is not None:
                still = abs(event.globalPosition().x() - self._from[0]) < 3
                self._from = None
                if still:
                    field.selectAll()
                else:
                    field.clearFocus()  # the next drag scrubs again
                return True
        return False


class NumberField(QSpinBox):
    """A whole number that can be typed, stepped with the arrows, and scrubbed sideways."""

    def __init__(
        self, low: int, high: int, suffix: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setRange(low, high)
        self.setSuffix(f" {suffix}" if suffix else "")
        self._scrubbing = _Scrubbing(self)


class DecimalField(QDoubleSpinBox):
    """As `NumberField`, of any magnitude: shown with as many decimals as it is given, typed with
    some more."""

    _MORE = 3

    def __init__(self, low: float, high: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._places = 0
        self.setLocale(QLocale.c())  # as all numbers of the window: a point, no groups
        self.setRange(low, high)
        self._scrubbing = _Scrubbing(self)

    def show_value(self, value: float, places: int) -> None:
        """Show a value with so many decimals; a step is one of the last of them."""
        self._places = places
        self.setDecimals(places + self._MORE)
        self.setSingleStep(10.0**-places)
        self.setValue(value)

    def textFromValue(self, value: float) -> str:
        text = f"{round(value, self._places) + 0.0:.{self._places}f}"  # no minus before nought
        return text.replace("-", "−")

    def valueFromText(self, text: str) -> float:
        return super().valueFromText(text.replace("−", "-"))

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        state = super().validate(text.replace("−", "-"), place)[0]
        return state, text, place  # what else is given back is shown


class Segmented(QWidget):
    """A few choices in a row, one of them on; arrow keys change it."""

    chosen = Signal(str)

    def __init__(
        self,
        choices: Sequence[tuple[str, str]],
        *,
        icons: dict[str, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._choices = list(choices)
        self._icons = icons or {}
        self._value = self._choices[0][0] if self._choices else ""
        self._hovered = -1
        self._off: dict[str, str] = {}
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    @property
    def value(self) -> str:
        return self._value

    def set_value(self, value: str) -> None:
        """Show a choice without telling."""
        if value != self._value:
            self._value = value
            self.update()

    def set_available(self, value: str, available: bool, why: str = "") -> None:
        """Grey a choice out; its tooltip says why."""
        if available:
            self._off.pop(value, None)
        else:
            self._off[value] = why
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        widths = [
            28 if value in self._icons else metrics.horizontalAdvance(text) + 24
            for value, text in self._choices
        ]
        if self._icons:
            return QSize(sum(widths) + 2, max(28, metrics.height() + 12))
        return QSize(max(widths, default=0) * len(widths) + 2, max(28, metrics.height() + 12))

    def minimumSizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(t) + 8 for _, t in self._choices), default=0)
        hint = self.sizeHint()
        return hint if self._icons else QSize(widest * len(self._choices) + 2, hint.height())

    def _cell(self, index: int) -> QRectF:
        inner = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        width = inner.width() / max(1, len(self._choices))
        return QRectF(inner.x() + index * width, inner.y(), width, inner.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().colour("separator"), 1))
        painter.setBrush(theme().colour("field"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        for index, (value, text) in enumerate(self._choices):
            cell = self._cell(index)
            on, off = value == self._value, value in self._off or not self.isEnabled()
            if on or (index == self._hovered and not off):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme().colour("selection" if on else "raised"))
                painter.drawRoundedRect(cell.adjusted(1, 1, -1, -1), 3, 3)
            role = "disabled" if off else ("text" if on else "muted")
            if value in self._icons:
                drawn = pixmap(self._icons[value], role, 16, self.devicePixelRatioF())
                at = cell.center() - QPointF(8, 8)
                painter.drawPixmap(at.toPoint(), drawn)
                continue
            painter.setPen(theme().colour(role))
            painter.setFont(theme().font("group" if on else "text"))
            painter.drawText(cell, int(Qt.AlignmentFlag.AlignCenter), text)
        if self.hasFocus():
            draw_focus_ring(painter, QRectF(self.rect()))

    def _at(self, x: float) -> int:
        for index in range(len(self._choices)):
            if self._cell(index).left() <= x <= self._cell(index).right():
                return index
        return -1

    def _choose(self, index: int) -> None:
        value = self._choices[index][0]
        if value in self._off or value == self._value:
            return
        self._value = value
        self.update()
        self.chosen.emit(value)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position().x())
        if index >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._choose(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hovered = self._at(event.position().x())
        if hovered != self._hovered:
            self._hovered = hovered
            value = self._choices[hovered][0] if hovered >= 0 else ""
            self.setToolTip(self._off.get(value, self._choices[hovered][1] if hovered >= 0 else ""))
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = -1
        self.update()

    def keyPressEvent(self, event: object) -> None:
        key = event.key()  # type: ignore[attr-defined]
        index = next((i for i, (v, _) in enumerate(self._choices) if v == self._value), 0)
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if key == Qt.Key.Key_Right else -1
            self._choose((index + step) % len(self._choices))
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]


def draw_swatch(painter: QPainter, rect: QRectF, colour: str | None) -> None:
    """A class's colour with a rim that is seen on both themes; a class without one is crossed."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().colour("border"), 1))
    painter.setBrush(QColor(colour) if colour else theme().colour("field"))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
    if colour is None:
        painter.drawLine(rect.bottomLeft() + QPointF(2, -2), rect.topRight() + QPointF(-2, 2))
    painter.restore()


def swatch_icon(colour: str | None, size: int = 12, ratio: float = 2.0) -> QIcon:
    """A swatch as an icon for combo boxes."""
    drawn = QPixmap(round(16 * ratio), round(16 * ratio))
    drawn.setDevicePixelRatio(ratio)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    margin = (16 - size) / 2
    draw_swatch(painter, QRectF(margin, margin, size, size), colour)
    painter.end()
    return QIcon(drawn)


def row_of(*widgets: QWidget | int, spacing: int = 8) -> QWidget:
    """Widgets side by side; a number is a stretch."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for widget in widgets:
        if isinstance(widget, int):
            layout.addStretch(widget)
        else:
            layout.addWidget(widget)
    return holder
