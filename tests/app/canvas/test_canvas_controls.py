"""Moving about with wheel, mouse and keys, and what the canvas reports."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from canvas_stage import LEFT, MIDDLE, RIGHT, Stage
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

MakeStage = Callable[..., Stage]
CONTROL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


def test_a_picture_is_fitted_when_it_opens_and_follows_the_size_of_the_canvas(
    stage: MakeStage,
) -> None:
    s = stage()
    assert s.canvas.view.visible_image.area == 48 * 64
    before = s.canvas.view.scale
    s.canvas.resize(800, 600)
    s.settle()
    assert s.canvas.view.scale > before
    assert s.canvas.view.visible_image.area == 48 * 64


def test_the_wheel_zooms_to_the_mouse_on_a_picture(stage: MakeStage) -> None:
    s = stage()
    at = s.place(10, 50)
    under = s.image_point(at)
    with s.qtbot.waitSignal(s.workspace.zoom_changed):
        s.wheel(10, 50, 4)
    assert s.canvas.view.scale == s.workspace.zoom
    now = s.canvas.view.to_screen(*under)
    assert abs(now[0] - at.y()) <= 0.5
    assert abs(now[1] - at.x()) <= 0.5


def test_the_wheel_goes_through_the_slices_of_a_volume_and_control_zooms(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64), dtype=np.int16)
    assert s.workspace.z == 2
    scale = s.canvas.view.scale
    s.wheel(10, 10, 1)
    assert s.workspace.z == 3
    s.wheel(10, 10, -2)
    assert s.workspace.z == 1
    assert s.canvas.view.scale == scale
    s.wheel(10, 10, 1, CONTROL)
    assert s.workspace.z == 1
    assert s.canvas.view.scale > scale


def test_half_notches_of_a_fine_wheel_add_up_to_a_slice(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64), dtype=np.int16)
    s.wheel(10, 10, 0.5)
    assert s.workspace.z == 2
    s.wheel(10, 10, 0.5)
    assert s.workspace.z == 3


def test_each_slice_is_shown_and_painted_by_itself(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64), dtype=np.int16)
    s.workspace.set_tool_option("size", 6.0)
    s.drag((20, 30), (20, 34))
    s.settle()
    s.canvas.cursor_painter.leave()
    painted = s.pixels()
    s.workspace.set_slice(3)
    s.settle()
    assert not np.array_equal(s.pixels(), painted)
    assert (s.classes(2) == 2).any()
    assert not (s.classes(3) == 2).any()
    s.workspace.set_slice(2)
    s.settle()
    assert np.array_equal(s.pixels(), painted)


def test_scrolling_while_painting_ends_the_stroke_on_its_slice(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64), dtype=np.int16)
    s.press(20, 30)
    s.move(20, 34)
    s.wheel(20, 34, 1)
    s.release(20, 34)
    s.qtbot.waitUntil(lambda: bool((s.classes(2) == 2).any()))
    assert not (s.classes(3) == 2).any()


def test_the_slider_shows_and_chooses_the_slice(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64), dtype=np.int16)
    assert s.canvas.slider.isVisible()
    assert (s.canvas.slider.minimum(), s.canvas.slider.maximum()) == (0, 4)
    s.wheel(10, 10, 1)
    assert s.canvas.slider.value() == 3
    s.canvas.slider.setValue(0)
    assert s.workspace.z == 0


def test_a_picture_has_no_slider(stage: MakeStage) -> None:
    assert not stage().canvas.slider.isVisible()


@pytest.mark.parametrize("how", ["middle", "space", "tool"])
def test_middle_drag_space_and_the_hand_move_the_picture(stage: MakeStage, how: str) -> None:
    s = stage()
    s.view_at(8.0)
    start, end = s.place(20, 30), s.place(24, 33)
    under = s.image_point(start)
    button = MIDDLE if how == "middle" else LEFT
    if how == "space":
        QTest.keyPress(s.canvas, Qt.Key.Key_Space)
    if how == "tool":
        s.workspace.set_tool("pan")
    QTest.mousePress(s.canvas, button, Qt.KeyboardModifier.NoModifier, start)
    s._held = button
    s.move(24, 33)
    QTest.mouseRelease(s.canvas, button, Qt.KeyboardModifier.NoModifier, end)
    if how == "space":
        QTest.keyRelease(s.canvas, Qt.Key.Key_Space)
    now = s.canvas.view.to_screen(*under)
    assert (round(now[1]), round(now[0])) == (end.x(), end.y())
    s.settle()
    assert not s.painted()


def test_right_drag_changes_the_window_of_a_deep_picture(stage: MakeStage) -> None:
    s = stage(dtype=np.uint16)
    low, high = s.workspace.window
    before = s.pixels()
    with s.qtbot.waitSignal(s.workspace.window_changed):
        s.drag((10, 10), (10, 50), button=RIGHT)
    new_low, new_high = s.workspace.window
    assert new_high - new_low > high - low
    assert new_low + new_high == pytest.approx(low + high)
    s.settle()
    assert not np.array_equal(s.pixels(), before)
    assert not s.workspace.history


def test_a_tapped_s_toggles_the_mask_and_a_held_one_peeks(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(labels=np.full((48, 64), 2, np.uint16))
    now = [100.0]
    monkeypatch.setattr("app.canvas.controls.time.monotonic", lambda: now[0])
    s.canvas.cursor_painter.leave()
    masked = s.pixels()
    s.key(Qt.Key.Key_S)
    s.settle()
    assert s.workspace.mask_hidden
    assert not np.array_equal(s.pixels(), masked)
    s.key(Qt.Key.Key_S)
    assert not s.workspace.mask_hidden
    QTest.keyPress(s.canvas, Qt.Key.Key_S)
    assert s.workspace.mask_hidden
    now[0] += 1.0
    QTest.keyRelease(s.canvas, Qt.Key.Key_S)
    assert not s.workspace.mask_hidden
    s.settle()
    assert np.array_equal(s.pixels(), masked)


def test_shift_and_wheel_change_the_size_of_the_brush_within_its_limits(stage: MakeStage) -> None:
    s = stage()
    s.workspace.set_tool_option("size", 1.0)
    s.wheel(10, 10, 1, SHIFT)
    assert s.workspace.tool_options["size"] == 2
    s.wheel(10, 10, 100, SHIFT)
    assert s.workspace.tool_options["size"] == 4000
    s.wheel(10, 10, -1, SHIFT)
    assert s.workspace.tool_options["size"] < 4000
    s.wheel(10, 10, -200, SHIFT)
    assert s.workspace.tool_options["size"] == 1


def test_the_circle_of_the_cursor_encloses_what_gets_painted(stage: MakeStage) -> None:
    s = stage(size=(700, 560))
    s.view_at(10.0)
    s.workspace.set_outline(0.0)
    s.workspace.set_tool_option("size", 9.0)
    s.canvas.cursor_painter.leave()
    plain = s.pixels()
    s.move(20.5, 30.5)
    circle = (s.pixels() != plain).any(axis=2)
    rows, columns = np.nonzero(circle)
    at = s.place(20.5, 30.5)
    away = np.hypot(rows - at.y(), columns - at.x())
    assert 44 <= away.max() <= 48
    ring = away[away > 10]
    assert ring.min() >= 43


def test_a_brush_of_a_few_screen_pixels_is_a_crosshair(stage: MakeStage) -> None:
    s = stage()
    s.view_at(1.0)
    s.workspace.set_tool_option("size", 3.0)
    s.canvas.cursor_painter.leave()
    plain = s.pixels()
    s.move(20, 30)
    rows, columns = np.nonzero((s.pixels() != plain).any(axis=2))
    assert rows.max() - rows.min() >= 20
    assert columns.max() - columns.min() >= 20


def test_the_pixel_under_the_mouse_is_read_out(stage: MakeStage) -> None:
    labels = np.zeros((48, 64), np.uint16)
    labels[20, 30] = 3
    s = stage(labels=labels)
    s.view_at(8.0)
    s.move(20.5, 30.5)
    cursor = s.workspace.cursor
    assert (cursor.z, cursor.y, cursor.x, cursor.class_id) == (0, 20, 30, 3)
    assert cursor.values == (float((20 * 3 + 30 * 2) % 200),)
    assert cursor.origin in s.project.person_origins()
    s.canvas.cursor_painter.leave()
    assert s.workspace.cursor is None


def test_values_of_a_volume_are_read_out_without_waiting_for_them(stage: MakeStage) -> None:
    s = stage(shape=(5, 48, 64), dtype=np.int16)
    s.move(20.5, 30.5)
    assert (s.workspace.cursor.y, s.workspace.cursor.x) == (20, 30)
    s.qtbot.waitUntil(lambda: s.workspace.cursor.values is not None)
    expected = s.workspace.image.read(2)[20, 30, 0]
    assert s.workspace.cursor.values == (float(expected),)


def test_the_read_out_follows_a_stroke_without_a_move_of_the_mouse(stage: MakeStage) -> None:
    s = stage()
    s.view_at(8.0)
    s.drag((20.5, 30.5))
    s.settle()
    s.qtbot.waitUntil(lambda: s.workspace.cursor.class_id == 2)


def test_alt_and_click_pick_the_class_under_the_mouse(stage: MakeStage) -> None:
    labels = np.zeros((48, 64), np.uint16)
    labels[:, 32:] = 3
    s = stage(labels=labels)
    s.drag((20, 40), held=ALT)
    assert s.workspace.active_class == 3
    s.settle()
    assert not s.painted()


def test_escape_in_the_middle_of_a_polygon_forgets_it(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.workspace.set_tool("polygon")
    for point in ((10, 10), (10, 40), (40, 40)):
        s.drag(point)
    assert s.canvas.gestures.is_running
    s.key(Qt.Key.Key_Escape)
    assert not s.canvas.gestures.is_running
    s.key(Qt.Key.Key_Return)
    assert not s.painted()


def test_a_polygon_paints_what_it_encloses(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.workspace.set_tool("polygon")
    for point in ((10, 10), (10, 40), (40, 40), (40, 10)):
        s.drag(point)
    s.key(Qt.Key.Key_Return)
    s.qtbot.waitUntil(lambda: bool(s.painted()))
    assert s.painted() == {(y, x) for y in range(10, 40) for x in range(10, 40)}


def test_fill_paints_the_region_under_the_mouse(stage: MakeStage) -> None:
    labels = np.full((48, 64), 3, np.uint16)
    labels[:, 32] = 1
    s = stage(labels=labels)
    s.workspace.set_tool("fill")
    s.drag((20, 10))
    s.qtbot.waitUntil(lambda: bool(s.painted()))
    assert s.painted() == {(y, x) for y in range(48) for x in range(32)}


def test_losing_the_focus_drops_a_gesture(stage: MakeStage) -> None:
    s = stage()
    s.workspace.set_tool("polygon")
    s.drag((10, 10))
    s.canvas.controls.focus_lost(_focus_out())
    assert not s.canvas.gestures.is_running


def _focus_out():  # type: ignore[no-untyped-def]
    from PySide6.QtGui import QFocusEvent

    return QFocusEvent(QEvent.Type.FocusOut, Qt.FocusReason.TabFocusReason)


def test_undo_from_a_menu_in_the_middle_of_a_gesture_drops_the_gesture_only(
    stage: MakeStage,
) -> None:
    s = stage()
    s.drag((20, 30), (22, 34))
    s.settle()
    s.qtbot.waitUntil(lambda: s.workspace.can_undo)
    painted = s.painted()
    s.workspace.set_tool("polygon")
    s.drag((10, 10))
    s.workspace.undo()
    assert not s.canvas.gestures.is_running
    s.project.scribe.flush()
    assert s.painted() == painted != set()


def test_another_tool_drops_a_gesture(stage: MakeStage) -> None:
    s = stage()
    s.workspace.set_tool("polygon")
    s.drag((10, 10))
    s.workspace.set_tool("brush")
    assert not s.canvas.gestures.is_running


def test_keys_of_a_gesture_come_before_shortcuts_of_the_window(stage: MakeStage) -> None:
    s = stage()
    undo = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Z, CONTROL)
    undo.ignore()
    QApplication.sendEvent(s.canvas, undo)
    assert not undo.isAccepted()
    s.press(20, 30)
    QApplication.sendEvent(s.canvas, undo)
    assert undo.isAccepted()
    s.release(20, 30)


def test_an_image_that_is_missing_is_named_on_the_canvas_and_its_mask_still_shown(
    stage: MakeStage,
) -> None:
    s = stage(items=2, labels=np.full((48, 64), 2, np.uint16), missing=1)
    with s.qtbot.waitSignal(s.workspace.image_failed):
        s.workspace.step(1)
    s.settle()
    assert s.paths[1].name in s.canvas.accessibleDescription()
    mask = s.colour(4, 4)
    assert np.allclose(mask, np.array([0xE6, 0x9F, 0]) * 0.35, atol=2)
    s.workspace.step(-1)
    s.qtbot.waitUntil(lambda: s.workspace.item.id == s.project.items[0].id)
    s.settle()
    assert s.paths[1].name not in s.canvas.accessibleDescription()


def test_the_canvas_names_its_item_for_those_who_listen(stage: MakeStage) -> None:
    s = stage()
    assert s.canvas.accessibleName() == "Canvas, picture0"


def test_the_next_item_of_the_same_size_keeps_the_zoom(stage: MakeStage) -> None:
    s = stage(items=2)
    s.view_at(8.0, (10, 12))
    view = s.canvas.view
    with s.qtbot.waitSignal(s.workspace.labels_changed):
        s.workspace.step(1)
    s.settle()
    assert s.canvas.view == view


def test_a_canvas_that_the_keyboard_came_to_has_a_ring(stage: MakeStage) -> None:
    s = stage()
    s.canvas.clearFocus()
    plain = s.pixels()[0, 0]
    s.canvas.activateWindow()
    s.canvas.setFocus(Qt.FocusReason.TabFocusReason)
    s.qtbot.waitUntil(s.canvas.hasFocus)
    assert not np.array_equal(s.pixels()[0, 0], plain)


@pytest.mark.parametrize("held", [False, True], ids=["tapped", "held"])
def test_a_stroke_over_a_hidden_mask_shows_the_mask(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    s = stage()
    s.view_at(5.0)
    now = [100.0]
    monkeypatch.setattr("app.canvas.controls.time.monotonic", lambda: now[0])
    if held:
        QTest.keyPress(s.canvas, Qt.Key.Key_S)
    else:
        s.key(Qt.Key.Key_S)
    assert s.workspace.mask_hidden
    s.press(20, 20)
    assert not s.workspace.mask_hidden
    s.release(20, 24)
    now[0] += 1.0
    QTest.keyRelease(s.canvas, Qt.Key.Key_S)
    assert not s.workspace.mask_hidden
    s.qtbot.waitUntil(lambda: bool(s.painted()), timeout=10_000)


def test_a_hidden_class_is_shown_when_it_is_painted(stage: MakeStage) -> None:
    s = stage()
    s.view_at(5.0)
    s.workspace.set_class_visible(2, False)
    s.workspace.set_class_visible(3, False)
    s.drag((20, 20), (20, 30))
    assert s.workspace.hidden_classes == {3}


def test_what_is_under_the_cursor_is_told_again_when_the_labels_change(stage: MakeStage) -> None:
    s = stage()
    s.view_at(5.0)
    s.drag((20, 20), (20, 30), (20, 24))
    s.qtbot.waitUntil(lambda: s.workspace.cursor.class_id == 2, timeout=10_000)
    assert (s.workspace.cursor.y, s.workspace.cursor.x) == (20, 24)
    s.qtbot.waitUntil(lambda: s.workspace.waiting_strokes == 0, timeout=10_000)
    s.workspace.undo()
    s.qtbot.waitUntil(lambda: s.workspace.cursor.class_id == 0, timeout=10_000)
    s.workspace.redo()
    s.qtbot.waitUntil(lambda: s.workspace.cursor.class_id == 2, timeout=10_000)
