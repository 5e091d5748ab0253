"""Hands for tests of the whole window: they press, drag and type where a person would.

Nothing here calls the program's own functions to change anything; it only looks at them to know
where to click and when the program has come to rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QWidget
from shiboken6 import isValid

from app.settings.settings import Settings
from app.window.start import make_window
from segcore.base import ClassId, ClassSet, SegClass

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier

CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "background", 0, None),
        SegClass(ClassId(2), "nucleus", 1, "#E69F00", thing=True),
    )
)


class Hands:
    """A window on a project, and a person in front of it.

    Parameters
    ----------
    qtbot : waits.
    project : the folder to open.
    settings : file of this person's settings.
    """

    def __init__(self, qtbot: Any, project: Path, settings: Path) -> None:
        self.qtbot = qtbot
        self.window = make_window(project, Settings(settings))
        self.window.resize(1600, 960)
        self.window.show()
        self.workspace = self.window.workspace
        self.canvas = self.window.canvas
        self.wait(lambda: self.workspace.item is not None)
        self.settle()

    # -- looking ------------------------------------------------------------------------------

    def wait(self, reached: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something is so."""
        self.qtbot.waitUntil(reached, timeout=int(seconds * 1000))

    def settle(self) -> None:
        """Wait until the item that was asked for is there, its strokes stored and on screen."""
        self.wait(
            lambda: (
                self.workspace.labels is not None
                and self.workspace.requested == self.workspace.item.id
                and self.canvas.is_settled
                and self.workspace.waiting_strokes == 0
            )
        )
        QApplication.processEvents()

    def stored(self) -> NDArray[np.uint16]:
        """The open item's label as the store has it, (y, x)."""
        item = self.workspace.project.items.by_id(self.workspace.item.id)
        classes: NDArray[np.uint16] = item.labels.read()
        return classes

    def truth(self) -> NDArray[np.uint16]:
        classes: NDArray[np.uint16] = self.workspace.item.truth.read()
        return classes

    def shown_score(self) -> float:
        """The mean IoU that the scores panel has been told; NaN before it is known."""
        value = self.workspace.scores.mean_iou
        return math.nan if value is None else float(value)

    def screen(self) -> NDArray[np.uint8]:
        """The canvas as it is on the screen, (y, x, 3)."""
        image = (
            self.canvas.grab()
            .toImage()
            .convertToFormat(self.canvas.grab().toImage().Format.Format_RGB888)
        )
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
        return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()

    def place(self, y: float, x: float) -> QPoint:
        """The screen pixel of an image point."""
        view = self.canvas.view
        assert view is not None
        sy, sx = view.to_screen(y, x)
        return QPoint(math.floor(sx), math.floor(sy))

    def largest_error(self) -> tuple[int, float, float, float]:
        """Where the label is most wrong: true class, (y, x) deep inside it, and its radius."""
        label, truth = self.stored(), self.truth()
        best = (0, 0.0, 0.0, 0.0)
        for class_id in np.unique(truth[(truth > 0) & (label != truth)]).tolist():
            wrong = ((truth == class_id) & (label != class_id)).astype(np.uint8)
            depth = cv2.distanceTransform(np.pad(wrong, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
            y, x = np.unravel_index(int(depth.argmax()), depth.shape)
            if depth[y, x] > best[3]:
                best = (class_id, float(y) + 0.5, float(x) + 0.5, float(depth[y, x]))
        return best

    # -- doing --------------------------------------------------------------------------------

    def key(self, key: Qt.Key, held: Any = NONE, on: QWidget | None = None) -> None:
        QTest.keyClick(on or self.canvas, key, held)
        QApplication.processEvents()

    def click(self, widget: QWidget) -> None:
        """Click the middle of a control that a person can see and use."""
        assert widget.isVisible(), f"{widget} is not on the screen"
        assert widget.isEnabled(), f"{widget} is disabled: {widget.toolTip()}"
        QTest.mouseClick(widget, LEFT, NONE, widget.rect().center())
        QApplication.processEvents()

    def drag(self, points: Iterable[tuple[float, float]], button: Any = LEFT) -> None:
        """Press at the first image point, move over the others, release at the last."""
        places = [self.place(y, x) for y, x in points]
        QTest.mousePress(self.canvas, button, NONE, places[0])
        for place in places[1:]:
            QTest.mouseMove(self.canvas, place)
            QApplication.processEvents()
        QTest.mouseRelease(self.canvas, button, NONE, places[-1])
        QApplication.processEvents()

    def choose_class(self, class_id: int) -> None:
        """Choose a class with its digit."""
        shown = [int(c.id) for c in self.workspace.classes.active if not c.ignore]
        digit = (shown.index(class_id) + 1) % 10
        held = SHIFT if shown.index(class_id) >= 10 else NONE
        self.key(Qt.Key(Qt.Key.Key_0 + digit), held)
        assert self.workspace.active_class == class_id

    def set_brush(self, diameter: float) -> None:
        """Make the brush as small as wanted with the bracket keys."""
        for _ in range(80):
            size = float(self.workspace.tool_options["size"])
            if size <= diameter:
                return
            self.key(Qt.Key.Key_BracketLeft)

    def dialog(self) -> QDialog:
        """The dialog that is open now."""
        self.wait(lambda: any(d.isVisible() for d in self.window.findChildren(QDialog)))
        return next(d for d in self.window.findChildren(QDialog) if d.isVisible())

    def button(self, parent: QWidget, text: str) -> QAbstractButton:
        """The visible button with this text."""
        for found in parent.findChildren(QAbstractButton):
            if found.text().replace("&", "") == text and found.isVisible():
                return found
        texts = sorted(b.text() for b in parent.findChildren(QAbstractButton) if b.isVisible())
        raise AssertionError(f'no button "{text}" among {texts}')

    def close(self) -> None:
        """Close the window as its frame's button does; once is enough."""
        if not isValid(self.window):
            return
        self.window.close()
        QApplication.processEvents()
        self.window.deleteLater()
        # Now: the next window's theme would dress what is left as well.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
