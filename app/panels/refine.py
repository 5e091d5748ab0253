"""The dense CRF's sliders and what they gain, while its tool is chosen."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

from app.theme.buttons import KeyButton
from app.theme.controls import icon_button, label
from app.theme.section import Section
from app.tools.crf import DenseCrf
from app.tools.tool import Number
from app.workspace import Workspace
from app.workspace.refine_work import Change

NUMBERS = tuple(o for o in DenseCrf.options if isinstance(o, Number) and o.beside)


class RefinePanel(Section):
    """One slider for each number of the tool; the change against truth; before and after."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("refine", "Dense CRF")
        self._workspace = workspace
        self.reset = icon_button("rotate-ccw", "Back to the usual values", role="muted")
        self.add_corner(self.reset)
        self.sliders: dict[str, QSlider] = {}
        self._values: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        for row, option in enumerate(NUMBERS):
            name = label(option.title)
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(int(option.low), int(option.high))
            slider.setAccessibleName(option.title)
            slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            slider.valueChanged.connect(lambda value, key=option.name: self._choose(key, value))
            value = label()
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setMinimumWidth(value.fontMetrics().horizontalAdvance("100 px") + 4)
            parts: tuple[QWidget, ...] = (name, slider, value)
            for column, part in enumerate(parts):
                part.setToolTip(f"<b>{option.title}</b><br>{option.help}")
                grid.addWidget(part, row, column)
            self.sliders[option.name], self._values[option.name] = slider, value
        self.body_layout.addLayout(grid)
        self.scores = label()
        self.extremes = label(kind="small", tone="muted")
        self.extremes.setWordWrap(True)
        self.before = KeyButton("Show before", "history", "C")
        self.before.setCheckable(True)
        self.before.setToolTip("Show before (C)\nHold C to peek at the mask as it was.")
        self.hint = label(
            "Drag a rectangle, or click for all that is visible.", kind="small", tone="muted"
        )
        self.hint.setWordWrap(True)
        below: tuple[QWidget, ...] = (self.scores, self.extremes, self.before, self.hint)
        for part in below:
            self.body_layout.addWidget(part)
        self.before.clicked.connect(lambda on: workspace.refining.set_compared(bool(on)))
        self.reset.clicked.connect(self._reset)
        workspace.tool_changed.connect(self.refresh)
        workspace.tool_options_changed.connect(self.refresh)
        workspace.refining.changed.connect(self.refresh)
        self.refresh()

    def _choose(self, name: str, value: int) -> None:
        self._workspace.set_tool_option(name, value)

    def _reset(self) -> None:
        for option in NUMBERS:
            self._workspace.set_tool_option(option.name, int(option.default))

    def refresh(self, *_: object) -> None:
        """Show what is chosen and what came of it; nothing with another tool."""
        workspace = self._workspace
        self.setVisible(workspace.tool_id == DenseCrf.id)
        if workspace.tool_id != DenseCrf.id:
            return
        for option in NUMBERS:
            value = int(workspace.tool_options.get(option.name, option.default))
            slider = self.sliders[option.name]
            slider.blockSignals(True)
            slider.setValue(value)
            slider.blockSignals(False)
            self._values[option.name].setText(f"{value} {option.unit}".strip())
        refining = workspace.refining
        result = refining.result if refining.is_open else None
        self.before.setVisible(result is not None)
        self.before.setChecked(refining.compared)
        self.hint.setVisible(not refining.is_open)
        measured = result is not None and not math.isnan(result.dice.after)
        self.scores.setVisible(measured)
        self.extremes.setVisible(measured)
        if result is not None and measured:
            self.scores.setText(result.iou.words("Mean IoU"))
            self.extremes.setText(self._extremes(result.classes))

    def _extremes(self, classes: dict[int, Change]) -> str:
        """Which class gains most and which loses most, in words."""
        known = self._workspace.classes
        gains = sorted((c.gain, i) for i, c in classes.items() if not math.isnan(c.gain))
        if not gains or known is None:
            return ""
        said = []
        for word, (gain, class_id) in (("Gains most", gains[-1]), ("Loses most", gains[0])):
            row = known.get(class_id)
            if row is not None and (gain > 0) == (word == "Gains most") and abs(gain) >= 0.0005:
                said.append(f"{word}: {row.name} {gain:+.3f}".replace("-", "\N{MINUS SIGN}"))
        return "\n".join(said)
