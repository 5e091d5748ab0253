"""The picture turned and mirrored with keys: what is seen, what is painted, how long it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from canvas_stage import LEFT, NONE, Stage
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

MakeStage = Callable[..., Stage]
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

# Keys, what they make of the picture, and where its corner (0, 0) is then: (lower, right).
TURNS: dict[str, tuple[list[tuple[Qt.Key, Any]], Callable[[Any], Any], tuple[int, int]]] = {
    "right": ([(Qt.Key.Key_BracketRight, CTRL)], lambda a: np.rot90(a, -1), (0, 1)),
    "left": ([(Qt.Key.Key_BracketLeft, CTRL)], np.rot90, (1, 0)),
    "mirrored": ([(Qt.Key.Key_M, NONE)], np.fliplr, (0, 1)),
    "right, then mirrored": (
        [(Qt.Key.Key_BracketRight, CTRL), (Qt.Key.Key_M, NONE)],
        lambda a: np.fliplr(np.rot90(a, -1)),
        (0, 0),
    ),
    "mirrored, then left": (
        [(Qt.Key.Key_M, NONE), (Qt.Key.Key_BracketLeft, CTRL)],
        lambda a: np.rot90(np.fliplr(a)),
        (0, 0),
    ),
}


@pytest.mark.parametrize("how", TURNS)
def test_keys_turn_what_is_seen_and_painting_lands_under_the_mouse(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any, how: str
) -> None:
    keys, turned, (lower, right) = TURNS[how]
    window = make_window(project_path)
    canvas, w = window.canvas, window.workspace
    w.set_view_mode("truth")
    w.set_mask_hidden(True)
    straight = canvas.view.zoomed_at(200, 200, 1.0)
    canvas.set_view(straight.moved_to(180, 240, (400, 500)))
    qtbot.waitUntil(lambda: canvas.is_settled, timeout=20_000)
    before = _picture(canvas)
    for key, held in keys:
        QTest.keyClick(canvas, key, held)
    qtbot.waitUntil(lambda: canvas.is_settled, timeout=20_000)
    assert w.turned
    assert np.array_equal(_picture(canvas), turned(before))
    # The corner's place on the screen is known without asking the view.
    w.set_view_mode("label")
    w.set_active_class(11)
    w.set_tool_option("size", 8.0)
    top, left, height, width = _place(canvas)
    at = QPoint(left + right * (width - 1), top + lower * (height - 1))
    QTest.mouseClick(canvas, LEFT, NONE, at)
    assert (w.cursor.y, w.cursor.x) == (0, 0)
    qtbot.waitUntil(lambda: w.waiting_strokes == 0, timeout=20_000)
    rows, columns = np.nonzero(w.item.labels.read(plane="origin") == w.person_origin())
    assert (rows.min(), columns.min()) == (0, 0)
    assert set(w.item.labels.read()[rows, columns]) == {11}
    assert max(rows.max(), columns.max()) <= 4
    w.set_active_class(2)
    QTest.keyClick(canvas, Qt.Key.Key_L)
    QTest.mouseClick(canvas, LEFT, NONE, at)
    assert w.active_class == 11
    QTest.keyClick(canvas, Qt.Key.Key_M, SHIFT)
    assert w.turned == ""
    assert not window.actions_set.rows["view.straight"].when.holds(w)


def _place(canvas: Any) -> tuple[int, int, int, int]:
    view = canvas.view
    height, width = view.shape
    if view.rotation % 180:
        height, width = width, height
    corners = [view.to_screen(y, x) for y in (0, view.shape[0]) for x in (0, view.shape[1])]
    return int(min(c[0] for c in corners)), int(min(c[1] for c in corners)), height, width


def _picture(canvas: Any) -> Any:
    """The picture as it is on the screen, at one screen pixel for each of its own."""
    canvas.cursor_painter.leave()
    top, left, height, width = _place(canvas)
    image = canvas.grab().toImage().convertToFormat(canvas.grab().toImage().Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return pixels[top : top + height, left : left + width].copy()


def test_a_turn_holds_for_pictures_of_the_same_size_and_is_said(stage: MakeStage) -> None:
    s = stage(items=2)
    s.canvas.turn_by(1)
    s.canvas.flip()
    assert s.workspace.turned == "mirrored, 90° left"
    s.workspace.step(1)
    s.qtbot.waitUntil(lambda: s.workspace.item.id == s.workspace.queue.order[1], timeout=10_000)
    s.settle()
    assert s.workspace.turned == "mirrored, 90° left"
    assert s.canvas.view.orientation == (3, False, True)
    s.workspace.close_project()
    assert s.workspace.turned == ""


def test_turning_the_same_way_four_times_changes_nothing(stage: MakeStage) -> None:
    s = stage()
    before = s.canvas.view
    for _ in range(4):
        s.canvas.turn_by(1)
    assert s.canvas.view == before
    s.canvas.flip()
    s.canvas.flip()
    assert s.canvas.view == before
