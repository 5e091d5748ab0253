"""Undo and redo show the place that they change."""

from __future__ import annotations

from collections.abc import Callable

from canvas_stage import Stage

MakeStage = Callable[..., Stage]


def test_undo_and_redo_bring_their_place_into_sight(stage: MakeStage) -> None:
    s = stage(shape=(400, 600))
    s.view_at(8.0, (60, 80))
    s.drag((60, 80), (62, 90))
    s.settle()
    s.qtbot.waitUntil(lambda: s.workspace.waiting_strokes == 0, timeout=10_000)
    painted = s.painted()
    for turn in (s.workspace.undo, s.workspace.redo):
        s.view_at(8.0, (340, 500))
        before = s.canvas.view
        turn()
        s.qtbot.waitUntil(lambda before=before: s.canvas.view != before, timeout=10_000)
        seen = s.canvas.view.visible_image
        assert all(seen.contains(y, x) for y, x in painted)
        assert s.canvas.view.scale == before.scale


def test_undo_leaves_the_view_where_something_of_it_is_seen(stage: MakeStage) -> None:
    s = stage(shape=(400, 600))
    s.view_at(8.0, (60, 80))
    s.drag((60, 80), (62, 90))
    s.settle()
    s.view_at(8.0, (70, 100))
    before = s.canvas.view
    s.workspace.undo()
    s.qtbot.waitUntil(lambda: not s.painted(), timeout=10_000)
    s.settle()
    assert s.canvas.view == before


def test_undo_goes_to_the_slice_that_it_changes(stage: MakeStage) -> None:
    s = stage(shape=(6, 40, 50))
    s.workspace.set_slice(1)
    s.drag((20, 20), (22, 24))
    s.settle()
    s.workspace.set_slice(5)
    s.workspace.undo()
    s.qtbot.waitUntil(lambda: s.workspace.z == 1, timeout=10_000)
    assert not s.painted()
