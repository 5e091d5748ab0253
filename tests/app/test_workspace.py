"""The workspace on a real project: opening, stepping, undoing, accepting, scoring."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.workspace import Message, Workspace, opening
from app.workspace import workspace as workspace_module
from segcore.base import NotAProject, Rect
from segcore.edits import Stroke
from segcore.projects.new import NewProject, create_project
from segcore.store import Project


def stroke(workspace: Workspace, y: float, x: float, class_id: int = 11) -> Stroke:
    return Stroke(
        0,
        ((y, x), (y, x + 8)),
        6,
        class_id,
        origin=workspace.person_origin(),
        guard=workspace.guard(),
    )


def settle(workspace: Workspace, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: workspace.waiting_strokes == 0, timeout=20_000)


def wrong_place(workspace: Workspace) -> tuple[float, float, int]:
    """A pixel in the middle of something that the label has wrong, and its true class."""
    assert workspace.truth is not None
    assert workspace.labels is not None
    truth, label = workspace.truth.read(), workspace.labels.read()
    rows, columns = np.nonzero((truth == 2) & (label != 2))
    return float(rows[0]) + 0.5, float(columns[0]) + 0.5, 2


def test_an_opened_item_comes_whole(open_workspace: Workspace) -> None:
    w = open_workspace
    assert w.item.name == "0016E5_07959"
    assert w.image is not None
    assert (w.image.shape.y, w.image.shape.x) == (360, 480)
    assert w.labels is not None
    assert w.truth is not None
    assert w.shown_labels is w.labels
    w.set_view_mode("truth")
    assert w.shown_labels is w.truth
    with pytest.raises(ValueError, match="elsewhere"):
        w.set_view_mode("elsewhere")


def test_the_item_before_stays_until_the_next_is_read(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    w._shelf.clear()
    first = w.item
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.step(1)
        assert w.item is first  # a stroke that comes now belongs to what is on screen
        assert w.requested != first.id
    assert w.item.name == "0016E5_07961"


def test_the_next_item_is_prepared_and_opens_without_waiting(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    following = w.queue.neighbour(w.item.id, 1)
    assert following is not None
    qtbot.waitUntil(lambda: w._shelf.take(following) is not None, timeout=20_000)
    w.step(1)
    assert w.item.id == following


def test_a_stroke_changes_scores_history_and_state(open_workspace: Workspace, qtbot: Any) -> None:
    w = open_workspace
    before, steps = w.scores.mean_iou, len(w.history)
    y, x, class_id = wrong_place(w)
    w.submit(stroke(w, y, x, class_id))
    assert w.waiting_strokes == 1
    qtbot.waitUntil(lambda: w.scores.mean_iou != before, timeout=20_000)
    qtbot.waitUntil(lambda: len(w.history) == steps + 1, timeout=20_000)
    settle(w, qtbot)
    assert w.queue.state(w.item.id) == "corrected"
    assert w.scores.since_opened == pytest.approx(w.scores.mean_iou - before)
    assert w.scores.trend[0] == pytest.approx(before)


def open_without_mask(w: Workspace, qtbot: Any) -> None:
    """Open the item that nobody and no model has worked on."""
    without = next(i for i in w.queue.order if w.queue.state(i) == "new")
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.open_item(without)
    qtbot.waitUntil(lambda: w.scores.has_truth and w.scores.mean_iou == 0.0, timeout=20_000)


def test_a_proposal_taken_into_an_empty_label_is_a_gain(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    open_without_mask(w, qtbot)
    assert w.scores.trend == (0.0,)
    proposed = np.roll(w.truth.read(), 6, axis=1)
    layer = w.project.store_prediction(w.item, "unet", "digest", proposed)
    w.show_prediction(layer, proposal=True)
    w.take_proposal()
    qtbot.waitUntil(lambda: len(w.scores.trend) == 2, timeout=20_000)
    taken = w.scores.mean_iou
    assert taken > 0.1
    assert w.scores.since_opened == taken
    for number, x in enumerate((200.5, 300.5), start=3):
        w.submit(stroke(w, 340.5, x, 4))
        qtbot.waitUntil(lambda wanted=number: len(w.scores.trend) == wanted, timeout=20_000)
    assert w.scores.trend == (0.0, taken, *w.scores.trend[2:])
    assert w.scores.since_opened == w.scores.mean_iou
    settle(w, qtbot)


def test_the_first_mask_is_no_gain_where_a_model_made_it_by_itself(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    open_without_mask(w, qtbot)
    proposed = np.roll(w.truth.read(), 6, axis=1)
    layer = w.project.store_prediction(w.item, "unet", "digest", proposed)
    w.project.adopt(w.item, layer)
    qtbot.waitUntil(lambda: w.scores.mean_iou > 0, timeout=20_000)
    assert w.scores.trend == (w.scores.mean_iou,)
    assert w.scores.since_opened == 0.0
    w.submit(stroke(w, 340.5, 200.5, 4))
    qtbot.waitUntil(lambda: len(w.scores.trend) == 2, timeout=20_000)
    settle(w, qtbot)


def test_undo_and_redo_walk_back_and_forth(open_workspace: Workspace, qtbot: Any) -> None:
    w = open_workspace
    assert w.labels is not None
    before = w.labels.read()
    w.submit(stroke(w, 100.5, 200.5))
    settle(w, qtbot)
    painted = w.labels.read()
    assert (painted != before).any()
    assert w.can_undo
    assert not w.can_redo
    w.undo()
    settle(w, qtbot)
    assert (w.labels.read() == before).all()
    assert w.can_redo
    w.redo()
    settle(w, qtbot)
    assert (w.labels.read() == painted).all()


def test_a_stroke_that_changes_nothing_does_not_wait_for_ever(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    assert w.labels is not None
    here = int(w.labels.read(Rect(100, 200, 1, 1))[0, 0])
    w.set_class_locked(here, True)
    edit = stroke(w, 100.5, 200.5)
    before = w.labels
    w.submit(edit)
    w.submit(edit)
    settle(w, qtbot)
    # Either nothing changed, or only what the lock allows.
    assert w.labels.read()[100, 200] == before.read()[100, 200]


def test_locked_classes_only_over_and_keep_mine_reach_the_guard(
    open_workspace: Workspace,
) -> None:
    w = open_workspace
    w.declare_tool("brush", {"only_over": "any", "keep_mine": False, "size": 24.0})
    assert w.guard().is_open
    w.set_class_locked(4, True)
    w.set_tool_option("only_over", 2)
    w.set_tool_option("keep_mine", True)
    mine = w.person_origin()
    guard = w.guard()
    assert guard.locked == {4}
    assert guard.only_over == {2}
    assert mine in guard.keep_origins


def test_accept_marks_goes_on_and_can_be_taken_back(open_workspace: Workspace, qtbot: Any) -> None:
    w = open_workspace
    first = w.item.id
    said: list[Message] = []
    w.message_posted.connect(said.append)
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.accept()
    assert w.queue.state(first) == "accepted"  # at once, before the store has it
    assert w.item.id != first
    settle(w, qtbot)
    assert w.project.items.by_id(first).state == "accepted"
    toast = next(m for m in said if m.text.startswith("Accepted"))
    assert toast.remedy is not None
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        toast.remedy.run()
    settle(w, qtbot)
    assert w.project.items.by_id(first).state == "predicted"


def test_accepting_an_item_before_its_pixels_are_counted_asks_what_fills_them(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    w.settings.set("correct.accept_fill", "ask")
    asked: list[int] = []
    w.fill_asked.connect(asked.append)
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.open_item(w.queue.order[2])  # nobody predicted this one
    assert w.scores.areas == {}
    w.accept()
    qtbot.waitUntil(lambda: bool(asked), timeout=20_000)
    assert asked == [360 * 480]
    assert (w.item.id, w.queue.state(w.item.id)) == (w.queue.order[2], "new")
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.open_item(w.queue.order[0])
    first = w.item
    w.accept()  # nothing of it is unlabelled, which is known when it is counted
    qtbot.waitUntil(lambda: first.state == "accepted", timeout=20_000)
    assert len(asked) == 1


def test_accepting_asks_once_what_fills_unlabelled_pixels(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    w.settings.set("correct.accept_fill", "ask")
    w.open_item(w.queue.order[2])  # nobody predicted this one
    qtbot.waitUntil(lambda: w.item.id == w.queue.order[2], timeout=20_000)
    qtbot.waitUntil(lambda: w.scores.areas.get(0, 0) > 0, timeout=20_000)
    with qtbot.waitSignal(w.fill_asked) as asked:
        w.accept()
    assert asked.args == [360 * 480]
    assert w.queue.state(w.item.id) == "new"
    w.settings.set("memory.accept_fill", {str(w.project.path): 4})
    item = w.item
    w.accept()
    settle(w, qtbot)
    qtbot.waitUntil(lambda: item.state == "accepted", timeout=20_000)
    assert set(np.unique(item.labels.read())) == {4}
    w.project.scribe.undo(item.id).durable.result(timeout=20)
    settle(w, qtbot)
    assert (item.state, item.labels.read().any()) == ("new", False)


def test_worst_first_puts_the_lowest_score_on_top(open_workspace: Workspace, qtbot: Any) -> None:
    w = open_workspace
    with qtbot.waitSignal(w.queue.changed, timeout=20_000):
        w.queue.set_sort("worst")
    scores = [w.queue.score(i) for i in w.queue.order[:2]]
    assert scores == sorted(scores)
    assert w.queue.state(w.queue.order[-1]) == "new"  # nothing to score comes last


def test_the_score_of_a_row_is_read_again_when_its_item_was_left_before_it_was_counted(
    open_workspace: Workspace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = open_workspace
    item, before = w.item, w.scores.mean_iou
    assert w.queue.score(item.id) == pytest.approx(before)
    monkeypatch.setattr(w.scorekeeper, "follow", lambda patch: None)
    w.submit(stroke(w, *wrong_place(w)))
    settle(w, qtbot)
    w.queue.score_changed(item.id, before)  # that of the label before comes late
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.step(1)
    assert item.mean_iou != before
    w.queue.want_score(item.id)  # as the row does when it is painted
    qtbot.waitUntil(lambda: w.queue.score(item.id) == item.mean_iou, timeout=20_000)


def test_a_second_accept_waits_for_the_item_that_is_still_being_read(
    open_workspace: Workspace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = open_workspace
    may_read = threading.Event()
    prepare = w._shelf.prepare

    def prepare_late(item_id: str) -> Any:
        assert may_read.wait(20)
        return prepare(item_id)

    monkeypatch.setattr(w._shelf, "take", lambda item_id: None)  # nothing is ready ahead
    monkeypatch.setattr(w._shelf, "prepare", prepare_late)
    first, second, third = w.queue.order
    w.accept()
    w.accept()  # nobody has seen the second item yet
    w.reject()
    assert w.requested == second
    may_read.set()
    qtbot.waitUntil(lambda: w.item.id == second, timeout=20_000)
    settle(w, qtbot)
    assert [w.project.items.by_id(i).state for i in (first, second)] == ["accepted", "predicted"]
    w.accept()
    qtbot.waitUntil(lambda: w.requested == third, timeout=20_000)


def test_an_item_without_truth_counts_pixels(open_workspace: Workspace, qtbot: Any) -> None:
    assert sum(open_workspace.scores.areas.values()) == 360 * 480


def test_a_missing_picture_is_said_and_the_rest_works(
    workspace: Workspace, project_path: Path, qtbot: Any
) -> None:
    (project_path.parent / "images" / "0016E5_07959.jpg").unlink()
    with qtbot.waitSignal(workspace.image_failed, timeout=20_000) as failed:
        workspace.open_project(project_path)
    assert "0016E5_07959" in failed.args[0].message
    assert workspace.labels is not None
    with qtbot.waitSignal(workspace.image_loaded, timeout=20_000):
        workspace.step(1)


def test_a_project_that_is_open_elsewhere_opens_for_reading(
    open_workspace: Workspace, qtbot: Any
) -> None:
    second = Workspace()
    said: list[Message] = []
    second.message_posted.connect(said.append)
    try:
        with qtbot.waitSignal(second.item_opened, timeout=20_000):
            second.open_project(open_workspace.project.path)
        assert second.read_only
        assert any(m.key == "read-only" and m.kind == "banner" for m in said)
        assert second.submit(object()) is None
        assert not second.can_undo
    finally:
        second.shut_down()


@pytest.fixture
def reader(
    open_workspace: Workspace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """A second window on the project that `open_workspace` writes to; it looks quickly."""
    monkeypatch.setattr(workspace_module, "_FOLLOW_MS", 20)
    second = Workspace()
    with qtbot.waitSignal(second.item_opened, timeout=20_000):
        second.open_project(open_workspace.project.path)
    assert second.read_only
    yield second
    second.shut_down()


def banners(w: Workspace) -> list[Message]:
    """What is said of reading and writing from now on."""
    said: list[Message] = []
    w.message_posted.connect(lambda m: said.append(m) if m.key == "read-only" else None)
    return said


def test_a_reader_is_told_when_it_may_write_and_opens_for_writing_when_asked(
    open_workspace: Workspace, reader: Workspace, qtbot: Any
) -> None:
    said = banners(reader)
    other = reader.queue.neighbour(reader.item.id, 1)
    with qtbot.waitSignal(reader.item_opened, timeout=20_000):
        reader.open_item(other)
    open_workspace.close_project()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    told = said[-1]
    assert told.text == "streets can be written now: nobody else has it open."
    assert (told.kind, told.hint) == ("banner", "")
    assert reader.read_only  # not by itself
    assert told.remedy is not None
    assert told.remedy.title == "Open for writing"
    with qtbot.waitSignal(reader.item_opened, timeout=20_000):
        told.remedy.run()
    assert not reader.read_only
    assert reader.item.id == other
    assert said[-1].withdrawn
    reader.submit(stroke(reader, 100.5, 200.5))
    settle(reader, qtbot)
    assert len(said) == 2


def test_the_usual_banner_comes_where_somebody_else_was_first(
    open_workspace: Workspace, reader: Workspace, qtbot: Any
) -> None:
    said = banners(reader)
    path = open_workspace.project.path
    open_workspace.close_project()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    free = said[-1]
    with Project.open(path, person="Grace"):
        # The banner takes its word back without being asked.
        qtbot.waitUntil(lambda: len(said) == 2, timeout=20_000)
        assert said[-1].text.startswith("streets is open for reading: Grace has it open on")
        with qtbot.waitSignal(reader.item_opened, timeout=20_000):
            free.remedy.run()
        assert reader.read_only
        assert said[-1].text.startswith("streets is open for reading: Grace has it open on")
        assert said[-1].hint == "Close it there to write here."
        assert said[-1].remedy is None


def test_a_project_that_is_gone_when_it_is_to_be_written_is_said(
    open_workspace: Workspace, reader: Workspace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = banners(reader)
    open_workspace.close_project()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)

    def refuse(*_: Any, **__: Any) -> None:
        raise NotAProject("streets is no project.", "Choose another folder.")

    monkeypatch.setattr(Project, "open", refuse)
    with qtbot.waitSignal(reader.message_posted, timeout=20_000) as posted:
        said[-1].remedy.run()
    assert posted.args[0].text == "streets is no project."
    assert reader.item is not None  # still open for reading


def test_a_volume_opens_for_writing_at_the_slice_that_was_on_screen(
    workspace: Workspace,
    shared_data: Path,
    tmp_path: Path,
    qtbot: Any,
) -> None:
    workspace._follower.setInterval(20)
    path = tmp_path / "ct.maskwright"
    create_project(NewProject(path=path, images=shared_data / "ct_dicom"))
    said = banners(workspace)
    with Project.open(path):
        with qtbot.waitSignal(workspace.image_loaded, timeout=30_000):
            workspace.open_project(path)
        wanted = workspace.z + 2
        workspace.set_slice(wanted)
    qtbot.waitUntil(lambda: bool(said) and said[-1].remedy is not None, timeout=20_000)
    with qtbot.waitSignal(workspace.item_opened, timeout=30_000):
        said[-1].remedy.run()
    assert not workspace.read_only
    assert workspace.z == wanted


def test_the_last_item_is_open_again_next_time(
    workspace: Workspace, project_path: Path, qtbot: Any
) -> None:
    with qtbot.waitSignal(workspace.item_opened, timeout=20_000):
        workspace.open_project(project_path)
    workspace.step(1)
    qtbot.waitUntil(lambda: workspace.item.name == "0016E5_07961", timeout=20_000)
    workspace.close_project()
    assert workspace.item is None
    assert workspace.labels is None
    with qtbot.waitSignal(workspace.item_opened, timeout=20_000):
        workspace.open_project(project_path)
    assert workspace.item.name == "0016E5_07961"
    assert workspace.settings.get("memory.recent")[0] == str(project_path)


def test_classes_change_and_come_back_with_the_project(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    assert w.classes is not None
    with qtbot.waitSignal(w.classes_changed):
        w.set_classes(w.classes.changed(1, name="Heaven", colour="#123456"))
    assert w.project.classes[1].name == "Heaven"


def test_swap_exchanges_class_and_background(workspace: Workspace) -> None:
    workspace.set_active_class(3)
    workspace.swap_classes()
    assert workspace.active_class == 3  # nothing behind it yet
    workspace.set_background_class(5)
    workspace.swap_classes()
    assert (workspace.active_class, workspace.background_class) == (5, 3)


@pytest.mark.parametrize("picture_comes", [True, False])
def test_scores_are_counted_behind_the_picture_or_when_it_takes_its_time(
    workspace: Workspace,
    project_path: Path,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
    picture_comes: bool,
) -> None:
    monkeypatch.setattr(opening, "_PICTURE_MS", 600_000 if picture_comes else 1)
    with qtbot.waitSignal(workspace.labels_changed, timeout=20_000):
        workspace.open_project(project_path)
    if picture_comes:
        qtbot.wait(100)
        assert not workspace.scores.has_truth
        workspace.picture_shown()
    qtbot.waitUntil(lambda: workspace.scores.has_truth, timeout=20_000)


def test_no_scores_before_anything_is_open(workspace: Workspace) -> None:
    assert not workspace.scores.has_truth
    assert math.isnan(workspace.scores.mean_iou)
    workspace.undo()
    workspace.redo()
    workspace.step(1)
    workspace.set_slice(3)
    workspace.accept()
    assert workspace.item is None


def test_a_window_that_only_reads_follows_the_one_that_writes(
    open_workspace: Workspace, qtbot: Any
) -> None:
    writer, reader = open_workspace, Workspace()
    try:
        with qtbot.waitSignal(reader.item_opened, timeout=20_000):
            reader.open_project(writer.project.path, item=writer.item.id)
        assert reader.labels is not None
        before = reader.labels.read()
        writer.submit(stroke(writer, 100.5, 200.5))
        settle(writer, qtbot)
        assert writer.labels is not None
        painted = writer.labels.read()
        assert (painted != before).any()
        qtbot.waitUntil(
            lambda: reader.labels is not None and (reader.labels.read() == painted).all(),
            timeout=20_000,
        )
        assert reader.queue.state(writer.item.id) == "corrected"
    finally:
        reader.shut_down()


def test_what_is_undone_leaves_the_trend(open_workspace: Workspace, qtbot: Any) -> None:
    w = open_workspace
    first = w.scores.trend
    y, x, class_id = wrong_place(w)
    w.submit(stroke(w, y, x, class_id))
    qtbot.waitUntil(lambda: len(w.scores.trend) == 2, timeout=20_000)
    settle(w, qtbot)
    painted = w.scores.trend
    w.undo()
    qtbot.waitUntil(lambda: w.scores.trend == first, timeout=20_000)
    assert w.scores.since_opened == 0.0
    w.redo()
    qtbot.waitUntil(lambda: w.scores.trend == painted, timeout=20_000)


def test_a_class_that_was_added_counts_among_the_classes(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    assert len(w.scores.iou) == 11
    w.set_classes(w.classes.added("Lorry", "#112233"))
    qtbot.waitUntil(lambda: len(w.scores.iou) == 12, timeout=20_000)
    added = int(w.classes.classes[-1].id)
    w.submit(stroke(w, 40.5, 40.5, added))
    qtbot.waitUntil(lambda: w.scores.iou[added] == 0.0, timeout=20_000)
    assert w.scores.counted <= len(w.scores.iou)
    assert len(w.scores.trend) == 2


def test_what_is_painted_while_areas_are_counted_is_in_them(
    open_workspace: Workspace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = open_workspace
    counted, may_count = threading.Event(), threading.Event()
    count = type(w.labels).counts

    def counts_late(labels: Any) -> dict[int, int]:
        found = count(labels)
        counted.set()
        assert may_count.wait(20)
        return found

    monkeypatch.setattr(type(w.labels), "counts", counts_late)
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.step(1)
    qtbot.waitUntil(counted.is_set, timeout=20_000)
    w.submit(stroke(w, 100.5, 200.5))
    settle(w, qtbot)
    may_count.set()
    monkeypatch.undo()
    assert w.labels is not None
    now = {k: v for k, v in w.labels.counts().items() if v}
    qtbot.waitUntil(lambda: {k: v for k, v in w.scores.areas.items() if v} == now, timeout=20_000)
