"""GrabCut by mouse and keys, with the real refiner in its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from canvas_stage import LEFT, RIGHT, Stage
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.theme.buttons import KeyButton
from app.workspace import SolvedRegion
from segcore.base import Rect

MakeStage = Callable[..., Stage]


@pytest.fixture
def disk(stage: MakeStage, tmp_path: object) -> Iterator[Stage]:
    """A bright disk of radius 12 at (30, 40) on a dark ground, and the tool chosen."""
    s = stage(shape=(96, 128), size=(700, 560))
    rows, columns = np.mgrid[0:96, 0:128]
    picture = np.where((rows - 47.5) ** 2 + (columns - 63.5) ** 2 < 24**2, 200, 40)
    noise = np.random.default_rng(2).integers(0, 12, picture.shape)
    cv2.imwrite(str(s.paths[0]), (picture + noise).astype(np.uint8))
    s.workspace.reload_item()
    with s.qtbot.waitSignal(s.workspace.labels_changed):
        pass
    s.settle()
    s.workspace.set_tool("grabcut")
    s.workspace.set_tool_option("size", 4.0)
    return s


def seed(s: Stage) -> None:
    s.drag((44, 60), (48, 68))
    s.drag((12, 30), (14, 90), button=RIGHT)
    s.qtbot.waitUntil(lambda: s.workspace.pending is not None, timeout=30_000)


def is_disk(mask: np.ndarray) -> bool:
    rows, columns = np.mgrid[0:96, 0:128]
    disk = (rows - 47.5) ** 2 + (columns - 63.5) ** 2 < 24**2
    return bool((mask & disk).sum() / (mask | disk).sum() > 0.95)


def test_two_strokes_find_an_object_and_enter_takes_it(disk: Stage) -> None:
    seed(disk)
    assert disk.canvas.bar.isVisible()
    assert disk.canvas.bar.height() == 44
    assert "car" in disk.canvas.bar.detail.text()
    disk.key(Qt.Key.Key_Return)
    disk.qtbot.waitUntil(lambda: bool(disk.painted()))
    disk.settle()
    assert is_disk(disk.classes() == 2)
    assert not disk.canvas.bar.isVisible()
    assert disk.workspace.pending is None
    refined = disk.project.source("refined")
    origins = disk.project.items[0].labels.read(None, 0, "origin")
    assert (origins[disk.classes() == 2] == refined).all()


def test_the_bars_buttons_take_and_drop(disk: Stage) -> None:
    seed(disk)
    QTest.mouseClick(disk.canvas.bar.drop, LEFT)
    assert disk.workspace.pending is None
    assert disk.canvas.gestures.is_running  # the seeds are still there
    disk.drag((50, 60), (50, 68))
    disk.qtbot.waitUntil(lambda: disk.workspace.pending is not None, timeout=30_000)
    QTest.mouseClick(disk.canvas.bar.take, LEFT)
    disk.qtbot.waitUntil(lambda: bool(disk.painted()))
    assert is_disk(disk.classes() == 2)


def test_escape_drops_the_region_and_a_second_one_the_seeds(disk: Stage) -> None:
    disk.canvas.cursor_painter.leave()
    clean = disk.pixels()
    seed(disk)
    disk.key(Qt.Key.Key_Escape)
    assert disk.workspace.pending is None
    assert disk.canvas.gestures.is_running
    disk.canvas.cursor_painter.leave()
    assert not np.array_equal(disk.pixels(), clean)
    disk.key(Qt.Key.Key_Escape)
    assert not disk.canvas.gestures.is_running
    disk.canvas.cursor_painter.leave()
    assert np.array_equal(disk.pixels(), clean)
    assert not disk.painted()


def test_what_is_solved_stays_bright_and_the_rest_darkens(disk: Stage) -> None:
    disk.canvas.cursor_painter.leave()
    outside, inside = disk.colour(94, 2), disk.colour(60, 100)
    seed(disk)
    disk.canvas.cursor_painter.leave()
    region = disk.canvas.gestures.preview.region
    assert not region.contains(94, 2)
    assert disk.colour(94, 2)[0] < outside[0]
    if region.contains(60, 100):
        assert disk.colour(60, 100) == inside


def test_the_bar_gives_way_to_a_stroke_under_it(disk: Stage) -> None:
    seed(disk)
    bar = disk.canvas.bar
    low = bar.geometry()
    at = QPoint(low.center().x(), low.top() - 6)
    y, x = disk.image_point(at)
    disk.press(y - 20, x)
    disk.move(y, x)
    assert bar.geometry().top() < low.top()
    disk.release(y, x)


def test_another_tool_forgets_seeds_and_bar(disk: Stage) -> None:
    seed(disk)
    disk.workspace.set_tool("brush")
    assert disk.workspace.pending is None
    assert not disk.canvas.gestures.is_running
    assert not disk.canvas.bar.isVisible()


def test_solving_is_said_when_it_takes_long_and_not_before(
    disk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk.workspace.jobs, "solve_grabcut", lambda *_: 7)  # never answered
    said: list[str] = []
    solving = disk.canvas.solving
    solving.changed.connect(lambda: said.append(solving.text))
    disk.drag((44, 60), (48, 68))
    disk.canvas.cursor_painter.leave()
    quiet = disk.pixels()
    assert said == []
    disk.qtbot.waitUntil(lambda: said == ["Solving"], timeout=10_000)
    mark = (disk.pixels() != quiet).any(axis=2)
    rows, columns = np.nonzero(mark)
    near = disk.place(48, 68)
    assert abs(int(rows.mean()) - near.y()) < 80
    assert abs(int(columns.mean()) - near.x()) < 120
    disk.qtbot.waitUntil(lambda: said[-1] == "Solving; Esc stops it", timeout=10_000)
    disk.key(Qt.Key.Key_Escape)
    assert said[-1] == ""
    assert disk.workspace.has_seeds
    disk.canvas.cursor_painter.leave()


def test_a_quick_answer_is_not_announced(disk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    rects: list[Rect] = []
    monkeypatch.setattr(
        disk.workspace.jobs, "solve_grabcut", lambda z, rect, *_: rects.append(rect) or 7
    )
    said: list[str] = []
    disk.canvas.solving.changed.connect(lambda: said.append(disk.canvas.solving.text))
    disk.drag((44, 60), (48, 68))
    found = np.ones((rects[0].height, rects[0].width), bool)
    disk.workspace.region_solved.emit(SolvedRegion(7, 0, rects[0], found))
    assert disk.workspace.pending is not None
    assert not disk.canvas.solving._clock.isActive()
    assert said == []


def test_seeds_are_cleared_with_the_button_and_with_its_key(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path)
    canvas, w = window.canvas, window.workspace
    QTest.keyClick(canvas, Qt.Key.Key_Q)
    button = next(b for b in window.tool_bar.findChildren(KeyButton) if b.text() == "Clear seeds")
    assert button.isVisible()
    assert not button.isEnabled()
    assert "There are no seeds." in button.toolTip()

    def draw() -> None:
        for y, x in ((200.0, 330.0), (205.0, 350.0)):
            sy, sx = canvas.view.to_screen(y, x)
            QTest.mouseClick(canvas, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(int(sx), int(sy)))
        qtbot.waitUntil(button.isEnabled, timeout=10_000)

    draw()
    QTest.mouseClick(button, LEFT)
    assert not canvas.gestures.is_running
    assert not w.has_seeds
    assert w.pending is None
    qtbot.waitUntil(lambda: not button.isEnabled(), timeout=10_000)
    draw()
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert not canvas.gestures.is_running
    assert not w.project.scribe.history(w.item.id)[-1].name.startswith("GrabCut")
