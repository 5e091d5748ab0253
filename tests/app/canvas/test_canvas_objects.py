"""Objects painted with the mouse: their numbers, what the window says of them, their outlines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from canvas_stage import RIGHT, Stage
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from segcore.base import Rect

MakeStage = Callable[..., Stage]
SHIFT = Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier
CAR, TREE = 2, 3


@pytest.fixture
def s(stage: MakeStage) -> Stage:
    made = stage()
    made.view_at(6.0)
    made.workspace.set_tool_option("size", 8.0)
    made.said = []
    made.workspace.object_named.connect(made.said.append)
    return made


def objects(s: Stage, z: int = 0) -> np.ndarray:
    return s.project.items[0].labels.read(None, z, "instance")


def at(s: Stage, y: int, x: int) -> int:
    return int(objects(s)[y, x])


def settle(s: Stage) -> None:
    """Wait until every step is stored and shown, those too that no stroke on screen stands for."""
    s.qtbot.waitUntil(lambda: s.workspace.waiting_strokes == 0, timeout=10_000)
    s.settle()


def stroke(s: Stage, *points: tuple[float, float], held: Qt.KeyboardModifier | None = None) -> None:
    s.drag(*points, **({} if held is None else {"held": held}))
    settle(s)


def test_two_strokes_apart_are_two_objects_and_the_window_says_so(s: Stage) -> None:
    s.move(15, 20)
    assert s.said[-1] == "New car 1"
    stroke(s, (15, 20), (15, 24))
    assert s.said[-1] == "New car 1"
    s.move(15, 22)
    assert s.said[-1] == "Extends car 1"
    s.move(30, 40)
    assert s.said[-1] == "New car 2"
    stroke(s, (30, 40))
    assert (at(s, 15, 20), at(s, 30, 40)) == (1, 2)
    assert set(s.project.items[0].instances) == {1, 2}
    s.canvas.cursor_painter.leave()
    assert s.said[-1] == ""


def test_a_stroke_that_begins_on_an_object_extends_it(s: Stage) -> None:
    stroke(s, (15, 20))
    stroke(s, (15, 22), (15, 40))
    assert s.said[-1] == "Extends car 1"
    assert set(np.unique(objects(s))) == {0, 1}
    assert s.project.items[0].instances[1].bounds == (0, 11, 16, 1, 19, 44)


def test_shift_goes_on_with_the_object_painted_last_wherever_it_begins(s: Stage) -> None:
    stroke(s, (15, 20))
    stroke(s, (30, 40), held=SHIFT)
    assert s.said[-1] == "Extends car 1"
    assert at(s, 30, 40) == 1
    stroke(s, (40, 12))
    stroke(s, (15, 20), held=SHIFT)  # on the first, but with Shift
    assert at(s, 15, 20) == at(s, 40, 12) == 2


def test_shift_after_undo_begins_anew_instead_of_waking_what_is_gone(s: Stage) -> None:
    stroke(s, (15, 20))
    s.workspace.undo()
    settle(s)
    stroke(s, (30, 40), held=SHIFT)
    assert at(s, 30, 40) == 2
    assert set(s.project.items[0].instances) == {2}


def test_undo_and_redo_by_key_take_and_bring_the_object(s: Stage) -> None:
    stroke(s, (15, 20))
    before = objects(s)
    s.workspace.undo()
    settle(s)
    assert not objects(s).any()
    assert not s.project.items[0].instances
    s.workspace.redo()
    settle(s)
    assert (objects(s) == before).all()
    assert set(s.project.items[0].instances) == {1}


def test_a_class_that_is_no_thing_gets_no_numbers_and_no_words(s: Stage) -> None:
    s.workspace.set_active_class(TREE)
    s.move(15, 20)
    stroke(s, (15, 20), (15, 30))
    assert set(s.said) == {""}
    assert not s.project.items[0].labels.has_plane("instance")


def test_the_eraser_and_another_class_take_the_pixels_from_the_object(s: Stage) -> None:
    stroke(s, (20, 20), (20, 40))
    s.drag((20, 20), button=RIGHT)
    settle(s)
    assert at(s, 20, 20) == 0
    s.workspace.set_active_class(TREE)
    stroke(s, (20, 40))
    assert (at(s, 20, 40), at(s, 20, 30)) == (0, 1)
    assert ((s.classes() == CAR) == (objects(s) == 1)).all()


def test_a_polygon_and_a_fill_make_and_extend_objects(s: Stage) -> None:
    s.workspace.set_tool("polygon")
    for corner in ((10, 10), (10, 30), (30, 30), (30, 10)):
        s.drag(corner)
    s.key(Qt.Key.Key_Return)
    settle(s)
    assert s.said[-1] == "New car 1"
    s.workspace.set_tool("brush")
    s.drag((20, 20), button=RIGHT)  # a hole
    settle(s)
    assert at(s, 20, 20) == 0
    s.workspace.set_tool("fill")
    stroke(s, (20, 20))
    assert at(s, 20, 20) == 1
    s.workspace.set_active_class(TREE)
    stroke(s, (20, 20))
    assert not objects(s).any()
    s.workspace.set_active_class(CAR)
    stroke(s, (20, 20))
    assert set(np.unique(objects(s)[10:30, 10:30])) == {2}


def test_a_stroke_over_a_neighbouring_slice_goes_on_with_the_object(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64))
    s.view_at(6.0)
    s.workspace.set_tool_option("size", 8.0)
    first = 1
    s.workspace.set_slice(first)
    settle(s)
    stroke(s, (15, 20))
    s.workspace.set_slice(first + 1)
    settle(s)
    stroke(s, (16, 21), (16, 30))
    s.workspace.set_slice(first + 3)
    settle(s)
    stroke(s, (16, 21))
    assert [int(objects(s, z)[16, 21]) for z in range(first, first + 4)] == [1, 1, 0, 2]


# -- outlines ---------------------------------------------------------------------------------


def test_a_line_runs_between_touching_objects_of_one_class_also_while_painting(s: Stage) -> None:
    s.workspace.set_fill(0.0)
    s.workspace.set_outline(1.0)
    s.workspace.set_tool_option("shape", "square")
    stroke(s, (20.0, 20.0))  # 16 to 24
    s.press(20.0, 28.0)  # 24 to 32, a new one beside it
    s.move(20.0, 28.0)
    s.canvas.cursor_painter.leave()

    def is_line(y: float, x: float) -> bool:
        red, green, blue = s.colour(y, x)
        return QColor(red, green, blue).saturation() > 100

    assert is_line(20.0, 24.0), "between the object and the stroke"
    assert not is_line(20.0, 28.0)
    s.release(20.0, 28.0)
    settle(s)
    s.canvas.cursor_painter.leave()
    assert set(np.unique(objects(s))) == {0, 1, 2}
    assert is_line(20.0, 24.0)
    # Extending closes the gap without a line.
    s.press(20.0, 29.0)
    s.move(20.0, 36.0)
    s.canvas.cursor_painter.leave()
    assert not is_line(20.0, 32.0)
    s.release(20.0, 36.0)
    settle(s)
    assert s.project.items[0].labels.read(Rect(20, 39, 1, 1), plane="instance")[0, 0] == 2
