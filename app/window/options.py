"""Controls for a tool's options, made from their descriptions."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider, QWidget

from app.actions.action_set import ActionSet
from app.theme.buttons import KeyButton, connect
from app.theme.controls import ComboBox, NumberField, Segmented, label, swatch_icon
from app.tools import Tool
from app.tools.tool import Choice, ClassChoice, Flag, Number
from app.workspace import Workspace

_SLIDER_STEPS = 200


def option_widgets(
    workspace: Workspace, tool: type[Tool], actions: ActionSet
) -> list[tuple[QWidget, ...]]:
    """The controls of each option in the order in which they stand; the tool's commands behind
    the first, because what has no room at the end is hidden."""
    made: list[tuple[QWidget, ...]] = []
    for option in tool.options:
        if isinstance(option, Number) and option.beside:
            continue
        if isinstance(option, Number):
            made.append(_number(workspace, option))
        elif isinstance(option, Flag):
            made.append(_flag(workspace, option))
        elif isinstance(option, Choice):
            made.append(_choice(workspace, option))
        elif isinstance(option, ClassChoice):
            made.append(_class_choice(workspace, option))
    made[1:1] = [_command(actions, action_id) for action_id in tool.commands]
    return made


def what_is_on(part: tuple[QWidget, ...]) -> list[str]:
    """The switches and restrictions of an option's controls that are on, in words."""
    said = []
    for widget in part:
        if isinstance(widget, KeyButton) and widget.isChecked():
            said.append(widget.text())
        elif isinstance(widget, ComboBox) and widget.currentIndex() > 0:
            said.append(f"{widget.accessibleName()} {widget.currentText()}")
    return said


def _command(actions: ActionSet, action_id: str) -> tuple[QWidget, ...]:
    row, qt = actions.rows[action_id], actions.qt[action_id]
    made = KeyButton(row.title, row.icon)
    made.setAccessibleName(row.title)
    connect(made, lambda: actions.run(action_id))

    def show() -> None:
        made.setEnabled(qt.isEnabled())
        made.setToolTip(qt.toolTip())

    qt.changed.connect(show)
    made.destroyed.connect(lambda: _disconnect(qt.changed, show))
    show()
    return (made,)


def _number(workspace: Workspace, option: Number) -> tuple[QWidget, ...]:
    field = NumberField(int(option.low), int(option.high), option.unit)
    field.setAccessibleName(option.title)
    field.setToolTip(option.help)
    field.setFixedWidth(max(64, field.fontMetrics().horizontalAdvance(f"{option.high:g} px") + 20))
    wide = option.high - option.low > 40
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, _SLIDER_STEPS)
    slider.setFixedWidth(96)
    slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    slider.setAccessibleName(option.title)

    def show() -> None:
        value = workspace.tool_options.get(option.name, option.default)
        for widget, shown in ((field, round(value)), (slider, _to_slider(option, value))):
            widget.blockSignals(True)
            widget.setValue(shown)
            widget.blockSignals(False)

    def choose(value: float) -> None:
        workspace.set_tool_option(option.name, int(value) if option.whole else float(value))

    field.valueChanged.connect(choose)
    slider.valueChanged.connect(lambda at: choose(_from_slider(option, at)))
    _follow(workspace, field, show)
    show()
    return (label(option.title), slider, field) if wide else (label(option.title), field)


def _to_slider(option: Number, value: float) -> int:
    """Sizes are felt as ratios, so the slider is logarithmic."""
    low = max(option.low, 1.0)
    share = math.log(max(value, low) / low) / math.log(option.high / low)
    return round(share * _SLIDER_STEPS)


def _from_slider(option: Number, at: int) -> int:
    low = max(option.low, 1.0)
    return int(low * math.exp(math.log(option.high / low) * at / _SLIDER_STEPS) + 0.5)


def _flag(workspace: Workspace, option: Flag) -> tuple[QWidget, ...]:
    made = KeyButton(option.title, option.icon)
    made.setCheckable(True)
    made.setToolTip(f"<b>{option.title}</b><br>{option.help}")

    def show() -> None:
        made.setChecked(bool(workspace.tool_options.get(option.name, option.default)))

    made.clicked.connect(lambda on: workspace.set_tool_option(option.name, bool(on)))
    _follow(workspace, made, show)
    show()
    return (made,)


def _choice(workspace: Workspace, option: Choice) -> tuple[QWidget, ...]:
    icons = {value: mark for value, _, mark in option.values if mark}
    drawn = icons if len(icons) == len(option.values) and option.name == "shape" else None
    made = Segmented([(value, title) for value, title, _ in option.values], icons=drawn)
    made.setFixedWidth(made.sizeHint().width())
    made.setAccessibleName(option.title)

    def show() -> None:
        made.set_value(str(workspace.tool_options.get(option.name, option.default)))

    made.chosen.connect(lambda value: workspace.set_tool_option(option.name, value))
    _follow(workspace, made, show)
    show()
    return (made,)


def _class_choice(workspace: Workspace, option: ClassChoice) -> tuple[QWidget, ...]:
    box = ComboBox()
    box.setAccessibleName(option.title)
    box.setToolTip(option.help)
    box.setMinimumWidth(112)

    def fill(*_: object) -> None:
        box.clear()
        box.addItem("Any class", "any")
        box.addItem("Unlabelled", 0)
        classes = workspace.classes
        for c in () if classes is None else classes.active:
            box.addItem(swatch_icon(c.colour), c.name, int(c.id))
        show()

    def show() -> None:
        row = box.findData(workspace.tool_options.get(option.name, option.default))
        box.setCurrentIndex(max(0, row))

    box.activated.connect(lambda _: workspace.set_tool_option(option.name, box.currentData()))
    workspace.classes_changed.connect(fill)
    box.destroyed.connect(lambda: _disconnect(workspace.classes_changed, fill))
    _follow(workspace, box, show)
    fill()
    return (label(option.title), box)


def _follow(workspace: Workspace, widget: QWidget, show: object) -> None:
    """Call `show` when an option changes, as long as the widget lives."""
    workspace.tool_options_changed.connect(show)
    widget.destroyed.connect(lambda: _disconnect(workspace.tool_options_changed, show))


def _disconnect(signal: object, slot: object) -> None:
    try:
        signal.disconnect(slot)  # type: ignore[attr-defined]
    except (RuntimeError, TypeError):
        return  # the workspace went first
