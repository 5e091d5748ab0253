"""A stage for tests of the canvas: project, workspace and widget, and a hand to use them with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.canvas import Canvas
from app.tools import TOOLS
from app.workspace import Workspace
from segcore.base import ClassSet, Shape
from segcore.store import NewItem, Project

LEFT, RIGHT, MIDDLE = (
    Qt.MouseButton.LeftButton,
    Qt.MouseButton.RightButton,
    Qt.MouseButton.MiddleButton,
)
NONE = Qt.KeyboardModifier.NoModifier


class Stage:
    """See the fixture `stage`."""

    def __init__(
        self,
        qtbot: Any,
        folder: Path,
        classes: ClassSet,
        shape: Shape,
        labels: np.ndarray | None,
        size: tuple[int, int],
        dtype: type,
        items: int,
        missing: int | None,
    ) -> None:
        self.qtbot = qtbot
        self._held = Qt.MouseButton.NoButton
        self.project = Project.create(folder / "stage.maskwright", classes, person="tester")
        self.paths = [write_image(folder, shape, dtype, number) for number in range(items)]
        self.project.add_items([NewItem(p.stem, (p,), shape) for p in self.paths])
        if labels is not None:
            for item in self.project.items:
                self.project.import_layer(item, "label", labels)
        if missing is not None:
            self.paths[missing].unlink()
        self.workspace = Workspace()
        self.canvas = Canvas(self.workspace, TOOLS)
        qtbot.addWidget(self.canvas)
        self.canvas.resize(*size)
        self.canvas.show()
        self.workspace.take_project(self.project)
        self.workspace.set_active_class(2)
        self.settle()

    def close(self) -> None:
        self.canvas.shut_down()
        self.workspace.shut_down()

    # -- state --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until the store has done what was asked and the screen shows it."""
        self.qtbot.waitUntil(
            lambda: self.workspace.labels is not None and self.canvas.is_settled, timeout=10_000
        )
        QApplication.processEvents()

    def view_at(self, scale: float, centre: tuple[float, float] | None = None) -> None:
        """Zoom, with an image point (the middle) in the middle of the canvas."""
        view = self.canvas.view
        assert view is not None
        y, x = centre or (view.shape[0] / 2, view.shape[1] / 2)
        middle = view.size[0] / 2, view.size[1] / 2
        self.canvas.set_view(view.zoomed_at(*middle, scale).moved_to(y, x, middle))
        self.settle()

    def classes(self, z: int = 0) -> np.ndarray:
        """The classes that the store has, (y, x)."""
        return self.project.items[0].labels.read(None, z)

    def painted(self, class_id: int = 2) -> set[tuple[int, int]]:
        rows, columns = np.nonzero(self.classes(self.workspace.z) == class_id)
        return set(zip(rows.tolist(), columns.tolist(), strict=True))

    def grab(self) -> QImage:
        return self.canvas.grab().toImage()

    def colour(self, y: float, x: float) -> tuple[int, int, int]:
        """Red, green, blue on the screen at an image point."""
        at = self.place(y, x)
        return self.grab().pixelColor(at).getRgb()[:3]

    def pixels(self) -> np.ndarray:
        """The whole canvas, (y, x, 3) uint8 red, green, blue."""
        image = self.grab().convertToFormat(QImage.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
        return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()

    # -- hands --------------------------------------------------------------------------------

    def place(self, y: float, x: float) -> QPoint:
        """The screen pixel in which an image point lies."""
        assert self.canvas.view is not None
        sy, sx = self.canvas.view.to_screen(y, x)
        return QPoint(math.floor(sx), math.floor(sy))

    def image_point(self, at: QPoint) -> tuple[float, float]:
        """The image point of a mouse event at a screen pixel."""
        assert self.canvas.view is not None
        return self.canvas.view.to_image(at.y(), at.x())

    def press(self, y: float, x: float, button: Any = LEFT, held: Any = NONE) -> None:
        self._held = button
        QTest.mousePress(self.canvas, button, held, self.place(y, x))

    def move(self, y: float, x: float) -> None:
        # QTest.mouseMove drives the platform's cursor, which press and release do not move, and
        # says nothing when it believes to be there already.
        at = QPointF(self.place(y, x))
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            at,
            self.canvas.mapToGlobal(at),
            Qt.MouseButton.NoButton,
            self._held,
            NONE,
        )
        QApplication.sendEvent(self.canvas, event)
        QApplication.processEvents()

    def release(self, y: float, x: float, button: Any = LEFT, held: Any = NONE) -> None:
        self._held = Qt.MouseButton.NoButton
        QTest.mouseRelease(self.canvas, button, held, self.place(y, x))

    def drag(self, *points: tuple[float, float], button: Any = LEFT, held: Any = NONE) -> None:
        """Press at the first point, move over the others, release at the last."""
        self.press(*points[0], button, held)
        for point in points[1:]:
            self.move(*point)
        self.release(*points[-1], button, held)

    def wheel(self, y: float, x: float, notches: float, held: Any = NONE) -> None:
        at = QPointF(self.place(y, x))
        event = QWheelEvent(
            at,
            self.canvas.mapToGlobal(at),
            QPoint(),
            QPoint(0, round(notches * 120)),
            Qt.MouseButton.NoButton,
            held,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.canvas, event)

    def key(self, key: Qt.Key, held: Any = NONE) -> None:
        QTest.keyClick(self.canvas, key, held)


def write_image(folder: Path, shape: Shape, dtype: type, number: int) -> Path:
    """A smooth picture, or a NIfTI volume where there are several slices."""
    rows, columns = np.mgrid[0 : shape.y, 0 : shape.x]
    top = np.iinfo(dtype).max
    picture = ((rows * 3 + columns * 2 + 40 * number) % 200 / 255 * top).astype(dtype)
    if shape.z == 1:
        path = folder / f"picture{number}.png"
        cv2.imwrite(str(path), picture)
        return path
    import nibabel

    path = folder / f"volume{number}.nii.gz"
    volume = np.stack([picture + np.asarray(z, dtype) for z in range(shape.z)])
    nibabel.save(nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.eye(4)), path)
    return path
