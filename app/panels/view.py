"""What the canvas shows: which mask, and how strongly."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QSlider

from app.theme.controls import Segmented, ThemedLabel, button, icon_button, label
from app.theme.icons import icon
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.at_hand import NO_MODEL

_HIDE, _SHOW = "Hide the mask (S)", "Show the mask (S)"


class ViewPanel(Section):
    """Label, Model or Truth; fill and outline."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("view", "View")
        self._workspace = workspace
        self.mode = Segmented([("label", "Label"), ("model", "Model"), ("truth", "Truth")])
        self.eye = icon_button("eye", _HIDE, role="muted", run=self._turn_mask)
        self.add_corner(self.eye)
        self.fill, self._fill_text = _slider("Fill"), _Number()
        self.outline, self._outline_text = _slider("Outline"), _Number()
        grid = QGridLayout()
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, 48)
        rows = (
            (label("Fill"), self.fill, self._fill_text),
            (label("Outline"), self.outline, self._outline_text),
        )
        for number, (name, slider, text) in enumerate(rows):
            grid.addWidget(name, number, 0)
            grid.addWidget(slider, number, 1)
            grid.addWidget(text, number, 2)
        self.predict = button("Predict this item", "sparkles", run=workspace.predict)
        self.body_layout.addWidget(self.mode)
        self.body_layout.addLayout(grid)
        self.body_layout.addWidget(self.predict)
        self._connect()
        self.refresh()

    def _connect(self) -> None:
        workspace = self._workspace
        self.mode.chosen.connect(workspace.set_view_mode)
        self.fill.valueChanged.connect(lambda v: workspace.set_fill(v / 100))
        self.outline.valueChanged.connect(lambda v: workspace.set_outline(v / 100))
        workspace.look_changed.connect(self.refresh)
        workspace.item_opened.connect(self.refresh)
        workspace.proposal_changed.connect(self.refresh)
        workspace.item_state_changed.connect(self.refresh)
        workspace.jobs_changed.connect(self.refresh)
        workspace.at_hand.changed.connect(self.refresh)
        workspace.project_closed.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Show what is chosen."""
        workspace = self._workspace
        # Offered here only while there is no mask yet and nobody is making one.
        item = workspace.item
        blank = item is not None and workspace.queue.state(item.id) == "new"
        asked = item is not None and any(r.item_id == item.id for r in workspace.jobs.running)
        self.predict.setVisible(blank and not asked and not workspace.read_only)
        able = workspace.at_hand.can_predict
        self.predict.setEnabled(able)
        self.predict.setToolTip("" if able else NO_MODEL)
        self.mode.set_value(workspace.view_mode)
        has_model = workspace.model is not None or workspace.proposal is not None
        self.mode.set_available("model", has_model, "No model has predicted this item.")
        self.mode.set_available("truth", workspace.truth is not None, "This item has no truth.")
        self._show_eye(workspace.mask_hidden)
        for slider, text, share in (
            (self.fill, self._fill_text, workspace.fill_opacity),
            (self.outline, self._outline_text, workspace.outline_opacity),
        ):
            slider.blockSignals(True)
            slider.setValue(round(share * 100))
            slider.blockSignals(False)
            text.setText(f"{round(share * 100)} %")

    def _turn_mask(self) -> None:
        self._workspace.set_mask_hidden(not self._workspace.mask_hidden)

    def _show_eye(self, hidden: bool) -> None:
        """The mark says what is, as in the rows of classes; the tooltip what a click does."""
        self.eye.setIcon(icon("eye-off", "text") if hidden else icon("eye", "muted"))
        tip = _SHOW if hidden else _HIDE
        self.eye.setToolTip(tip)
        self.eye.setAccessibleName(tip)


def _slider(name: str) -> QSlider:
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(0, 100)
    made.setSingleStep(5)
    made.setPageStep(10)
    made.setAccessibleName(name)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


class _Number(ThemedLabel):
    """A number at the right, with room for the widest there is."""

    def __init__(self) -> None:
        super().__init__("100 %", "text")
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._widen()
        theme().changed.connect(self._widen)

    def _widen(self) -> None:
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("100 %") + 4)
