"""Undo and redo: named, unlimited, the same after a restart, one chain for each item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_kit import Block, block, random_classes

from segcore import images
from segcore.base import BadFile, MaskwrightError, Rect, Shape
from segcore.labels import Draft, Labels, Patch
from segcore.store import Applied, Committed, NewItem, Project, check


def test_undo_after_erase_brings_back_every_tile(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 300, 520, 2))
    project.apply(item, block(40, 200, 100, 120, 3))
    before = {plane: item.labels.read(plane=plane) for plane in ("class", "origin", "instance")}
    handles = dict(item.labels.tiles("class"))
    project.apply(item, block(0, 0, 300, 520, 0))
    assert not item.labels.read().any()
    project.scribe.undo(item.id).applied.result()
    for plane, array in before.items():
        assert np.array_equal(item.labels.read(plane=plane), array)
    assert dict(item.labels.tiles("class")) == handles


def test_undo_shares_tiles_it_does_not_copy_them(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(10, 10, 20, 20, 1))
    project.apply(item, block(5, 300, 20, 20, 2))
    project.scribe.undo(item.id).applied.result()
    project.scribe.redo(item.id).applied.result()
    project.scribe.flush()
    stored = project.database.rows("SELECT count(*) FROM blob")[0][0]
    assert stored == 4  # class and origin of two tiles, however often they come and go


def test_history_is_named_and_the_same_after_reopening(project: Project) -> None:
    item = project.items[0]
    for number, name in enumerate(("Brush car", "Polygon road", "Fill sky")):
        project.apply(item, block(10 * number, 0, 5, 5, number + 1, name=name))
    project.scribe.undo(item.id).applied.result()
    rows = [(r.event_id, r.name, r.state, r.pixels) for r in project.scribe.history(item.id)]
    assert [(name, state) for _, name, state, _ in rows] == [
        ("Brush car", "done"),
        ("Polygon road", "done"),
        ("Fill sky", "undone"),
    ]
    project.close()
    with Project.open(project.path, person="Grace") as again:
        history = again.scribe.history(item.id)
        assert [(r.event_id, r.name, r.state, r.pixels) for r in history] == rows
        assert {r.person for r in history} == {"Ada"}
        assert all(r.durable for r in history)
        again.scribe.redo(item.id).applied.result()
        assert again.items[0].labels.read()[22, 2] == 3


def test_a_new_step_takes_undone_ones_out_of_the_chain_but_not_out_of_the_log(
    project: Project,
) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 5, 5, 1, name="first"))
    project.apply(item, block(0, 0, 5, 5, 2, name="second"))
    project.scribe.undo(item.id)
    project.apply(item, block(0, 0, 5, 5, 3, name="third"))
    assert [r.name for r in project.scribe.history(item.id)] == ["first", "third"]
    assert project.scribe.redo(item.id).applied.result() is None
    project.scribe.flush()
    kinds = project.database.rows("SELECT kind FROM event WHERE item = ? ORDER BY seq", (item.id,))
    assert [kind for (kind,) in kinds] == ["do", "do", "undo", "do"]


def test_an_edit_that_changes_nothing_leaves_no_step(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 5, 5, 1))
    ticket = project.scribe.submit(item.id, block(0, 0, 5, 5, 1))
    applied = ticket.applied.result()
    assert applied is not None
    assert applied.patch.is_empty
    assert ticket.durable.result() == ""
    assert len(project.scribe.history(item.id)) == 1


def test_undo_with_nothing_to_undo_does_nothing(project: Project) -> None:
    assert project.scribe.undo(project.items[0].id).applied.result() is None


def test_undo_of_one_item_leaves_the_others_alone(project: Project) -> None:
    one, two = project.items[0], project.items[1]
    project.apply(one, block(0, 0, 5, 5, 1))
    project.apply(two, block(0, 0, 5, 5, 2))
    project.scribe.undo(one.id).applied.result()
    assert one.labels.counts() == {0: 300 * 520}
    assert two.labels.counts()[2] == 25


def test_listeners_hear_each_step_before_they_hear_that_it_is_durable(project: Project) -> None:
    heard: list[object] = []
    stop = project.scribe.listen(heard.append)
    item = project.items[0]
    before = item.labels
    project.apply(item, block(0, 0, 5, 5, 1))
    project.scribe.undo(item.id)
    project.scribe.flush()
    stop()
    project.apply(item, block(0, 0, 5, 5, 3))
    applied = [event for event in heard if isinstance(event, Applied)]
    assert [event.kind for event in applied] == ["do", "undo"]
    assert applied[0].labels_before is before
    assert applied[0].labels is applied[1].labels_before
    for event in applied:
        assert event.labels_before is not None
        assert event.labels is not None
        assert event.labels_before.after(event.patch).changed_tiles(event.labels) == set()
        place = heard.index(event)
        assert any(
            isinstance(later, Committed) and event.event_id in later.event_ids
            for later in heard[place + 1 :]
        )
    assert applied[1].patch.pixels == {0: (25, 0), 1: (0, 25)}


def test_a_listener_that_fails_stops_nobody(project: Project) -> None:
    heard: list[object] = []

    def fail(event: object) -> None:
        raise RuntimeError("a broken panel")

    project.scribe.listen(fail)
    project.scribe.listen(heard.append)
    project.apply(project.items[0], block(0, 0, 5, 5, 1))
    project.scribe.flush()
    assert {type(event) for event in heard} == {Applied, Committed}


def test_an_edit_that_fails_gives_its_error_and_the_next_one_works(project: Project) -> None:
    item = project.items[0]

    class Broken(Block):
        def apply(self, labels: Labels, image: Any = None) -> Patch:
            raise ZeroDivisionError

    ticket = project.scribe.submit(item.id, Broken(0, Rect(0, 0, 5, 5), 1))
    assert isinstance(ticket.applied.exception(), ZeroDivisionError)
    assert isinstance(ticket.durable.exception(), ZeroDivisionError)
    project.apply(item, block(0, 0, 5, 5, 1))
    assert item.labels.counts()[1] == 25


def test_steps_over_many_items_are_undone_in_the_projects_history(project: Project) -> None:
    for item in project.items:
        project.apply(item, block(0, 0, 10, 10, 1), group="batch")
    one, two, three = project.items
    project.apply(two, block(0, 0, 5, 5, 2))  # built on the batch
    project.apply(three, block(100, 300, 5, 5, 2))  # in another tile
    with pytest.raises(MaskwrightError, match="many items"):
        project.scribe.undo(one.id).applied.result()
    undone = project.undo_group("batch")
    assert {event.item_id for event in undone} == {one.id, three.id}
    assert one.labels.counts() == {0: 300 * 520}
    assert two.labels.counts() == {0: 300 * 520 - 100, 1: 75, 2: 25}
    assert three.labels.counts() == {0: 300 * 520 - 25, 2: 25}
    project.redo_group("batch")
    assert one.labels.counts()[1] == 100
    assert three.labels.counts()[1] == 100
    project.close()
    assert check(project.path).problems == ()


def test_a_group_of_one_item_is_undone_like_any_step(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 10, 10, 1), group="alone")
    project.scribe.undo(item.id).applied.result()
    assert item.labels.counts() == {0: 300 * 520}


def test_import_of_a_label_makes_a_layer_and_undo_shows_the_old_one(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 5, 5, 4))
    painted = item.labels
    imported = random_classes(item, 1)
    project.import_layer(item, "label", imported[0])
    assert np.array_equal(item.labels.read(), imported[0])
    assert item.labels.layer != painted.layer
    project.scribe.undo(item.id).applied.result()
    assert item.labels.layer == painted.layer
    assert item.labels.counts()[4] == 25
    project.close()
    with Project.open(project.path) as again:
        item = again.items[0]
        assert item.labels.counts()[4] == 25
        again.scribe.redo(item.id).applied.result()
        assert np.array_equal(item.labels.read(), imported[0])
        again.scribe.undo(item.id).applied.result()
        assert item.labels.counts()[4] == 25
    assert check(project.path).problems == ()


def test_truth_is_not_taken_back_by_undo_of_the_item(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "truth", random_classes(item, 1)[0])
    assert project.scribe.undo(item.id).applied.result() is None
    assert item.truth is not None


def test_jump_is_one_change_for_those_who_listen(project: Project) -> None:
    item = project.items[0]
    for number in range(6):
        project.apply(item, block(number, number, 50, 50, 1 + number % 4))
    ids = [row.event_id for row in project.scribe.history(item.id)]
    heard: list[object] = []
    project.scribe.listen(heard.append)
    before = item.labels
    project.scribe.jump(item.id, ids[1]).durable.result()
    applied = [event for event in heard if isinstance(event, Applied)]
    assert len(applied) == 1
    assert before.after(applied[0].patch).changed_tiles(item.labels) == set()
    with pytest.raises(MaskwrightError, match="no longer part"):
        project.scribe.jump(item.id, "nothing").applied.result()


def test_steps_of_a_volume_are_undone_on_every_slice(project: Project) -> None:
    (item,) = project.add_items([NewItem("volume", [], Shape(40, 70, 90))])
    for z in (0, 17, 39):
        project.apply(item, Block(z, Rect(0, 0, 9, 9), 2))
    project.scribe.jump(item.id, "").applied.result()
    assert not item.labels.read_volume().any()


def test_imports_over_many_items_are_one_row_of_the_projects_history(project: Project) -> None:
    for n, item in enumerate(project.items):
        project.import_layer(item, "truth", random_classes(item, n)[0], group="truths")
    project.import_layer(project.items[0], "truth", random_classes(project.items[0], 9)[0])
    project.scribe.flush()
    assert [r.name for r in project.history()] == ["Add 4 classes", "Import truth (3 items)"]
    undone = project.undo_group("truths")
    # The first item has got another truth since; that one stays.
    assert {event.item_id for event in undone} == {i.id for i in project.items[1:]}
    assert [item.truth is None for item in project.items] == [False, True, True]
    project.redo_group("truths")
    assert all(item.truth is not None for item in project.items)
    project.close()
    assert check(project.path).problems == ()
    with Project.open(project.path) as again:
        again.undo_group("truths")
        assert [item.truth is None for item in again.items] == [False, True, True]
        again.scribe.flush()
        assert [r.state for r in again.history()] == ["done", "done"]


def test_an_import_of_truth_is_undone_by_itself(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "truth", random_classes(item, 1)[0])
    project.apply(item, block(0, 0, 5, 5, 1))
    project.scribe.flush()
    ((event_id,),) = project.database.rows("SELECT uuid FROM event WHERE kind = 'import'")
    project.undo_step(item, event_id)
    assert item.truth is None
    assert item.labels.counts()[1] == 25
    with pytest.raises(MaskwrightError, match="not there"):
        project.undo_step(item, event_id)


def test_a_step_that_others_were_built_on_is_not_undone_alone(project: Project) -> None:
    item = project.items[0]
    first = project.apply(item, block(0, 0, 50, 50, 1, name="below"))
    project.apply(item, block(0, 0, 5, 5, 2))
    with pytest.raises(MaskwrightError, match=r'built on "below"'):
        project.undo_step(item, first.id)


class Brighten(Block):
    """An edit that reads the image: labels what is bright."""

    def reads(self, labels: Labels) -> tuple[int, Rect]:  # type: ignore[override]
        return self.z, self.rect

    def apply(self, labels: Labels, image: Any = None) -> Patch:
        draft = Draft(labels)
        bright = image.read(self.z, self.rect)[..., 0] > 100
        draft.write(self.z, self.rect, bright, class_id=self.class_id, origin=1)
        return draft.close("Brighten", "test")


def test_an_edit_that_reads_the_image_has_it_when_its_turn_comes(
    project: Project, shared_data: Path
) -> None:
    file = next((shared_data / "camvid" / "val" / "images").iterdir())
    with images.open(file) as picture:
        pixels = picture.read()
    (item,) = project.add_items([NewItem("street", [file], Shape(1, *pixels.shape[:2]))])
    rect = Rect(20, 30, 100, 200)
    project.apply(item, Brighten(0, rect, 3))
    assert np.array_equal(item.labels.read(rect) == 3, pixels[20:120, 30:230, 0] > 100)
    ticket = project.scribe.submit(project.items[0].id, Brighten(0, rect, 3))
    with pytest.raises(BadFile, match="no image"):
        ticket.applied.result()
