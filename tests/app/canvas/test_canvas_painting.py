"""Painting with the mouse: what is under the cursor gets painted, and what is seen is what is."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from canvas_stage import RIGHT, Stage
from PySide6.QtCore import QPoint, Qt

from segcore.edits import Fill, stroke_mask

MakeStage = Callable[..., Stage]
ORANGE = (0xE6, 0x9F, 0x00)


def disk(stage: Stage, points: list[tuple[float, float]], size: float) -> set[tuple[int, int]]:
    """Pixels whose centre is within size / 2 of the path of the mouse, the slow way."""
    path = [stage.image_point(stage.place(*p)) for p in points]
    shape = stage.canvas.view.shape
    inside = set()
    for row in range(shape[0]):
        for column in range(shape[1]):
            centre = np.array([row + 0.5, column + 0.5])
            for a, b in zip(path, [*path[1:], path[-1]], strict=True):
                a_, b_ = np.array(a), np.array(b)
                length = float((b_ - a_) @ (b_ - a_))
                t = 0.0 if length == 0 else float(np.clip((centre - a_) @ (b_ - a_) / length, 0, 1))
                if float(np.hypot(*(centre - a_ - t * (b_ - a_)))) <= size / 2:
                    inside.add((row, column))
    return inside


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.63, 8.0, 24.0])
@pytest.mark.parametrize("size", [1.0, 5.0])
def test_what_is_under_the_cursor_gets_painted(stage: MakeStage, scale: float, size: float) -> None:
    s = stage()
    s.view_at(scale)
    s.workspace.set_tool_option("size", size)
    points = [(20.3, 30.2), (24.6, 35.7)]
    s.drag(*points)
    s.settle()
    assert s.painted() == disk(s, points, size)


def test_one_click_with_a_brush_of_one_paints_the_pixel_under_the_mouse(stage: MakeStage) -> None:
    s = stage()
    s.view_at(8.0)
    s.workspace.set_tool_option("size", 1.0)
    s.drag((20.5, 30.5))
    s.settle()
    assert s.painted() == {(20, 30)}


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_picture_is_painted_where_it_is_seen(
    stage: MakeStage, quarters: int, mirrored: bool
) -> None:
    s = stage()
    s.canvas.turn_by(quarters)
    if mirrored:
        s.canvas.flip()
    s.view_at(4.0)
    s.workspace.set_tool_option("size", 6.0)
    before = s.colour(20.5, 30.5)
    s.drag((20.5, 30.5))
    s.settle()
    assert (20, 30) in s.painted()
    assert s.painted() == disk(s, [(20.5, 30.5)], 6.0)
    assert s.colour(20.5, 30.5) != before


def test_a_painted_pixel_shows_its_class_over_the_picture(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.workspace.set_tool_option("size", 16.0)
    s.move(2, 2)
    picture = np.array(s.colour(20.5, 30.5))
    s.drag((20.5, 30.5), (20.5, 31.0))
    s.move(2, 2)
    s.settle()
    expected = picture * 0.65 + np.array(ORANGE) * 0.35
    assert np.allclose(s.colour(20.5, 30.5), expected, atol=1.5)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.63, 8.0])
def test_the_preview_equals_the_result_but_for_one_screen_pixel_at_the_rim(
    stage: MakeStage, scale: float
) -> None:
    s = stage(shape=(200, 240), size=(500, 400))
    s.view_at(scale)
    s.workspace.set_outline(0.0)
    s.workspace.set_tool_option("size", 30.0)
    s.press(60, 60)
    for step in range(1, 9):
        s.move(60 + 3.3 * step, 60 + 7.1 * step)
    s.canvas.cursor_painter.leave()
    preview = s.pixels()
    s.release(60 + 3.3 * 8, 60 + 7.1 * 8)
    s.settle()
    s.canvas.cursor_painter.leave()
    result = s.pixels()
    differs = (preview != result).any(axis=2)
    # A place may differ only if it lies within one screen pixel of the stroke's edge.
    view = s.canvas.view
    path = [s.image_point(s.place(60 + 3.3 * n, 60 + 7.1 * n)) for n in range(9)]
    from segcore.base import Rect

    rect = Rect(0, 0, *view.zoomed)
    wide = stroke_mask(path, 15 + 1.5 / scale, rect, scale=1 / scale)
    narrow = stroke_mask(path, 15 - 1.5 / scale, rect, scale=1 / scale)
    place = view.screen_rect(rect)
    rim = np.zeros(differs.shape, bool)
    top, left = max(place.y, 0), max(place.x, 0)
    part = (wide & ~narrow)[top - place.y :, left - place.x :]
    part = part[: rim.shape[0] - top, : rim.shape[1] - left]
    rim[top : top + part.shape[0], left : left + part.shape[1]] = part
    assert not (differs & ~rim).any()
    if scale >= 1:
        assert not differs.any()


def test_a_second_stroke_may_begin_before_the_first_is_applied(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.workspace.set_tool_option("size", 6.0)
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        go_on.wait()

    holder = threading.Thread(target=lambda: s.project.scribe.call(hold))
    holder.start()
    held.wait()
    s.drag((10, 10), (10, 20))
    s.drag((30, 10), (30, 20))
    assert len(s.canvas.frame.strokes) == 2
    shown = s.colour(30, 15), s.colour(10, 15)
    go_on.set()
    holder.join()
    s.settle()
    assert (s.colour(30, 15), s.colour(10, 15)) == shown
    assert {(10, 15), (30, 15)} <= s.painted()


def test_escape_drops_the_stroke_and_leaves_no_step(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.move(2, 2)
    clean = s.pixels()
    s.press(20, 30)
    s.move(24, 36)
    s.key(Qt.Key.Key_Escape)
    s.release(24, 36)
    s.move(2, 2)
    assert not s.painted()
    assert s.workspace.history == []
    assert np.array_equal(s.pixels(), clean)


def test_undo_in_the_middle_of_a_stroke_drops_that_stroke_only(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.workspace.set_tool_option("size", 6.0)
    s.drag((10, 10), (10, 20))
    s.settle()
    first = s.painted()
    s.press(30, 30)
    s.move(34, 36)
    s.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    s.release(34, 36)
    s.settle()
    assert s.painted() == first != set()


def test_another_item_ends_the_stroke_without_an_edit(stage: MakeStage) -> None:
    s = stage(items=2)
    s.press(20, 30)
    s.move(24, 36)
    with s.qtbot.waitSignal(s.workspace.item_opened):
        s.workspace.step(1)
    s.release(24, 36)
    s.settle()
    assert not s.canvas.gestures.is_running
    for item in s.project.items:
        assert not item.labels.planes


def test_a_locked_class_is_untouched_on_the_screen_and_in_the_store(stage: MakeStage) -> None:
    labels = np.zeros((48, 64), np.uint16)
    labels[:, 32:] = 3
    s = stage(labels=labels)
    s.view_at(4.0)
    s.workspace.set_class_locked(3, True)
    s.workspace.set_outline(0.0)
    s.workspace.set_tool_option("size", 10.0)
    s.settle()
    s.move(2, 2)
    before = s.colour(24, 40), s.colour(24, 26)
    s.press(24, 20)
    s.move(24, 44)
    s.canvas.cursor_painter.leave()
    assert s.colour(24, 40) == before[0]
    assert s.colour(24, 26) != before[1]
    s.release(24, 44)
    s.settle()
    s.canvas.cursor_painter.leave()
    assert s.colour(24, 40) == before[0]
    assert (s.classes()[:, 32:] == 3).all()
    assert (24, 26) in s.painted()


def test_only_over_one_class_shows_and_paints_only_there(stage: MakeStage) -> None:
    labels = np.zeros((48, 64), np.uint16)
    labels[:, 32:] = 3
    s = stage(labels=labels)
    s.view_at(4.0)
    s.workspace.set_outline(0.0)
    s.workspace.set_tool_option("only_over", 3)
    s.workspace.set_tool_option("size", 10.0)
    s.settle()
    s.canvas.cursor_painter.leave()
    before = s.colour(24, 26)
    s.drag((24, 20), (24, 44))
    s.settle()
    s.canvas.cursor_painter.leave()
    assert s.colour(24, 26) == before
    assert {column for _, column in s.painted()} <= set(range(32, 64))
    assert (24, 40) in s.painted()


def test_the_eraser_takes_pixels_out_of_their_class(stage: MakeStage) -> None:
    s = stage(labels=np.full((48, 64), 2, np.uint16))
    s.view_at(4.0)
    s.workspace.set_tool("eraser")
    s.workspace.set_tool_option("size", 6.0)
    s.drag((20, 30), (20, 40))
    s.settle()
    assert {(r, c) for r, c in zip(*np.nonzero(s.classes() == 0), strict=True)} == disk(
        s, [(20, 30), (20, 40)], 6.0
    )


def test_the_right_button_erases_an_8_bit_picture(stage: MakeStage) -> None:
    s = stage(labels=np.full((48, 64), 2, np.uint16))
    s.view_at(4.0)
    s.workspace.set_tool_option("size", 6.0)
    s.drag((20, 30), (20, 40), button=RIGHT)
    s.settle()
    assert s.classes()[20, 35] == 0
    assert s.workspace.tool_id == "brush"


def test_undo_brings_back_the_screen_as_it_was(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.canvas.cursor_painter.leave()
    clean = s.pixels()
    s.drag((20, 30), (30, 50))
    s.settle()
    s.canvas.cursor_painter.leave()
    assert not np.array_equal(s.pixels(), clean)
    s.qtbot.waitUntil(lambda: s.workspace.can_undo)
    with s.qtbot.waitSignal(s.workspace.labels_changed):
        s.workspace.undo()
    s.settle()
    assert np.array_equal(s.pixels(), clean)


def test_a_stroke_that_changes_nothing_leaves_nothing_on_the_screen(stage: MakeStage) -> None:
    s = stage()
    s.workspace.set_class_locked(2, True)
    s.view_at(4.0)
    s.drag((20, 30), (30, 50))
    s.settle()
    assert s.canvas.frame.strokes == []
    assert not s.painted()


def test_unlabelled_pixels_are_hatched_where_they_are_the_exception(stage: MakeStage) -> None:
    s = stage(shape=(64, 96), size=(480, 360))
    s.view_at(4.0)
    s.workspace.set_tool("eraser")
    s.canvas.cursor_painter.leave()
    blank = s.pixels()
    background = np.ones((64, 96), np.uint16)
    s.workspace.submit(Fill(0, (5, 5), 1, origin=s.workspace.person_origin()))
    s.qtbot.waitUntil(lambda: np.array_equal(s.classes(), background), timeout=10_000)
    s.settle()
    # A class without a colour looks like the picture.
    assert np.array_equal(s.pixels(), blank)
    s.workspace.set_tool_option("size", 12.0)
    s.drag((30, 30), (30, 60))
    s.qtbot.waitUntil(lambda: not s.classes().all(), timeout=10_000)
    s.qtbot.waitUntil(lambda: s.canvas.frame.scene.hatched, timeout=10_000)
    s.settle()
    s.canvas.cursor_painter.leave()
    erased = s.classes() == 0
    differs = (s.pixels() != blank).any(axis=2)
    for y, x in zip(*np.nonzero(differs), strict=True):
        row, column = s.image_point(QPoint(int(x), int(y)))
        assert erased[int(row), int(column)]
    share = differs.sum() / (erased.sum() * 16)
    assert 0.05 < share < 0.25  # thin lines: the picture is seen between them
    assert np.abs(s.pixels().astype(int) - blank).max() <= 40
    s.workspace.settings.set("overlay.unlabelled", False)
    s.settle()
    assert np.array_equal(s.pixels(), blank)


def test_the_hatch_comes_everywhere_once_most_of_an_item_is_labelled(stage: MakeStage) -> None:
    half = np.zeros((600, 800), np.uint16)
    half[:301] = 1
    half[:2] = 0
    s = stage(shape=(600, 800), size=(900, 700), labels=half)
    s.view_at(1.0)
    s.qtbot.waitUntil(lambda: s.workspace.scores.areas.get(0) == 301 * 800, timeout=10_000)
    s.canvas.cursor_painter.leave()
    before = s.pixels()
    # From nothing, what is unlabelled is the ground: no lines over it.
    assert not s.canvas.frame.scene.hatched
    s.workspace.set_tool_option("size", 40.0)
    s.drag((400, 100), (400, 700))
    s.qtbot.waitUntil(lambda: s.canvas.frame.scene.hatched, timeout=10_000)
    s.settle()
    s.canvas.cursor_painter.leave()
    far = s.place(550, 700)
    corner = (slice(far.y(), far.y() + 40), slice(far.x(), far.x() + 40))
    assert not np.array_equal(s.pixels()[corner], before[corner])
    s.qtbot.waitUntil(lambda: s.workspace.waiting_strokes == 0, timeout=10_000)
    s.workspace.undo()
    s.qtbot.waitUntil(lambda: not s.canvas.frame.scene.hatched, timeout=10_000)
    s.settle()
    s.canvas.cursor_painter.leave()
    assert np.array_equal(s.pixels(), before)


def test_truth_has_solid_outlines_where_a_prediction_is_dashed(stage: MakeStage) -> None:
    disk = np.ones((48, 64), np.uint16)
    disk[12:36, 16:48] = 2
    s = stage()
    item = s.project.items[0]
    s.project.import_layer(item, "truth", disk)
    s.project.store_prediction(item, "unet", "digest", disk)
    s.workspace.reload_item()
    s.qtbot.waitUntil(lambda: s.workspace.truth is not None, timeout=10_000)
    s.workspace.set_fill(0.0)
    s.view_at(5.0)
    s.canvas.cursor_painter.leave()
    drawn = {}
    for mode in ("model", "truth"):
        s.workspace.set_view_mode(mode)
        s.settle()
        pixels = s.pixels().astype(int)
        drawn[mode] = int((np.abs(pixels - ORANGE).max(axis=2) == 0).sum())
    edge = 2 * (24 + 32) * 5
    assert drawn["truth"] > 2 * edge
    assert drawn["model"] < 0.8 * drawn["truth"]
