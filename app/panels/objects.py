"""The objects of the open item: from which score on those that a model found are kept, and that
some lie in further layers, where they overlap others."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QSlider

from app.theme.controls import label
from app.theme.section import Section
from app.workspace import Workspace

_HUNDREDTHS = 100
_LOWEST = 5  # no model here gives an object that scores less
_HELP = (
    "<b>Least score</b><br>Objects that the model is less sure of are left out, and what was "
    "beneath them shows."
)


class ObjectsPanel(Section):
    """A slider over the scores, and how many objects are kept; hidden where there is nothing to
    say."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("objects", "Objects")
        self._workspace = workspace
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(_LOWEST, _HUNDREDTHS)
        self.slider.setPageStep(5)
        self.slider.setAccessibleName("Least score")
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._name, self._value = label("Least score"), label()
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("0.00") + 4)
        self.count = label(kind="small", tone="muted")
        grid = QGridLayout()
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        for column, part in enumerate((self._name, self.slider, self._value)):
            grid.addWidget(part, 0, column)
        self.body_layout.addLayout(grid)
        self.further = label(kind="small", tone="muted")
        self.further.setWordWrap(True)
        self.further.setToolTip(
            "<b>Further layers</b><br>Objects that overlap others are whole in a layer of their "
            "own. Their outlines are shown faintly; tools work on the first layer. Models that "
            "find objects learn all of them, and the export to COCO has them."
        )
        self.body_layout.addWidget(self.count)
        self.body_layout.addWidget(self.further)
        score = workspace.object_score
        self.slider.valueChanged.connect(self._move)
        self.slider.sliderReleased.connect(score.settle)
        score.changed.connect(self.refresh)
        workspace.proposal_changed.connect(self.refresh)
        workspace.labels_changed.connect(self.refresh)
        workspace.look_changed.connect(self.refresh)
        self.refresh()

    def _move(self, value: int) -> None:
        score = self._workspace.object_score
        # A drag rests when the button is let go; keys and the wheel when they have stopped.
        if self.slider.isSliderDown():
            score.look(value / _HUNDREDTHS)
        else:
            score.look_and_rest(value / _HUNDREDTHS)

    def refresh(self, *_: object) -> None:
        """Show what is chosen."""
        score = self._workspace.object_score
        layers = len(self._workspace.further_labels)
        self.setVisible(score.layer is not None or layers > 0)
        self.further.setVisible(layers > 0)
        self.further.setText(
            f"{layers} further {'layer' if layers == 1 else 'layers'} of overlapping objects, "
            "shown faintly. Tools work on the first."
        )
        for part in (self._name, self.slider, self._value, self.count):
            part.setVisible(score.layer is not None)
        if score.layer is None:
            return
        why = score.why_not
        self.slider.blockSignals(True)
        self.slider.setValue(round(score.score * _HUNDREDTHS))
        self.slider.blockSignals(False)
        self._value.setText(f"{score.score:.2f}")
        self.count.setText(
            f"{score.kept:,} of {score.total:,} {'object' if score.total == 1 else 'objects'}"
            f" from {score.layer.model}"
        )
        for part in (self._name, self.slider, self._value):
            part.setEnabled(not why)
            part.setToolTip(f"{_HELP}<br>{why}" if why else _HELP)
