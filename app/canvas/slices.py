"""The slider at the canvas's right edge that goes through the slices of a volume."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider, QWidget

from app.workspace import Workspace

_WIDTH, _EDGE = 20, 16


class SliceSlider(QSlider):
    """Slices of the open volume; hidden for pictures."""

    def __init__(self, workspace: Workspace, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self._workspace = workspace
        self.setObjectName("sliceSlider")
        self.setAccessibleName("Slice")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.valueChanged.connect(self._choose)
        workspace.labels_changed.connect(self._follow)
        workspace.slice_changed.connect(self._show_slice)
        workspace.project_closed.connect(self.hide)
        self.hide()

    def _follow(self, labels: Any, patch: Any) -> None:
        if patch is not None:
            return
        is_volume = labels is not None and labels.shape.is_volume
        if is_volume:
            self.blockSignals(True)
            self.setRange(0, labels.shape.z - 1)
            self.blockSignals(False)
            self._show_slice(self._workspace.z)
            self.place()
        self.setVisible(is_volume)

    def _show_slice(self, z: int) -> None:
        self.blockSignals(True)
        self.setValue(z)
        self.blockSignals(False)
        self.setToolTip(f"Slice {z + 1} of {self.maximum() + 1}\nThe wheel goes through slices.")

    def _choose(self, z: int) -> None:
        self._workspace.set_slice(z)

    def place(self) -> None:
        """Where it belongs on a canvas of this size."""
        canvas = self.parentWidget()
        if canvas is not None:
            height = max(80, canvas.height() - 2 * _EDGE - 48)
            left = canvas.width() - _WIDTH - 8
            self.setGeometry(left, (canvas.height() - height) // 2, _WIDTH, height)
