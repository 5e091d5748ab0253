"""States, adoption and proposals: what a model may do to a label, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest
from store_kit import Block, block, random_classes

from segcore.base import Rect, Shape, SizeMismatch, UnknownValue
from segcore.edits import SetState
from segcore.store import Item, NewItem, Part, PredictionLayer, Project, check


def predict(project: Project, item: Item, seed: int = 1, **more: object) -> PredictionLayer:
    classes = random_classes(item, seed)[0]
    return project.store_prediction(item, "unet", "digest", classes, **more)  # type: ignore[arg-type]


def test_first_stroke_makes_an_item_corrected_and_undo_makes_it_new(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 5, 5, 1))
    assert item.state == "corrected"
    project.scribe.undo(item.id).applied.result()
    assert item.state == "new"


def test_editing_an_accepted_item_makes_it_corrected_in_the_same_step(project: Project) -> None:
    item = project.items[0]
    project.accept(item)
    project.apply(item, block(0, 0, 5, 5, 1))
    assert item.state == "corrected"
    project.scribe.undo(item.id).applied.result()
    assert item.state == "accepted"
    project.scribe.undo(item.id).applied.result()
    assert item.state == "new"


def test_a_rejected_item_stays_rejected_when_it_is_edited(project: Project) -> None:
    item = project.items[0]
    project.reject(item)
    project.apply(item, block(0, 0, 5, 5, 1))
    assert item.state == "rejected"


def test_accepting_with_a_fill_is_one_step(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 100, 520, 2))
    project.accept(item, fill=1)
    assert item.state == "accepted"
    assert item.labels.counts() == {1: 200 * 520, 2: 100 * 520}
    project.scribe.undo(item.id).applied.result()
    assert item.state == "corrected"
    assert item.labels.counts() == {0: 200 * 520, 2: 100 * 520}


def test_accepting_with_a_fill_where_all_is_labelled_still_accepts(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 300, 520, 2))
    project.accept(item, fill=1)
    assert item.state == "accepted"
    assert item.labels.counts() == {2: 300 * 520}


def test_a_prediction_of_an_untouched_item_is_adopted_and_shares_its_blobs(
    project: Project,
) -> None:
    item = project.items[0]
    layer = predict(project, item)
    patch = project.adopt(item, layer)
    assert patch is not None
    assert item.state == "predicted"
    assert np.array_equal(item.labels.read(), random_classes(item, 1)[0])
    assert dict(item.labels.tiles()) == dict(layer.labels.tiles())
    assert item.predictions["unet"].adopted
    assert item.proposal is None
    origin = project.origins.by_id(int(item.labels.read(plane="origin").max()))
    assert origin is not None
    assert (origin.kind, origin.model_digest) == ("model", "digest")


def test_a_second_prediction_replaces_an_adopted_one(project: Project) -> None:
    item = project.items[0]
    project.adopt(item, predict(project, item, 1))
    project.scribe.undo(item.id).applied.result()
    assert project.adopt(item, predict(project, item, 2)) is not None
    assert np.array_equal(item.labels.read(), random_classes(item, 2)[0])


@pytest.mark.parametrize("undone", [False, True])
def test_a_prediction_never_replaces_what_a_person_did_even_if_undone(
    project: Project, undone: bool
) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 5, 5, 1))
    if undone:
        project.scribe.undo(item.id).applied.result()
    layer = predict(project, item)
    assert project.adopt(item, layer) is None
    assert item.proposal is not None
    assert item.proposal.id == layer.id
    assert not item.labels.counts().get(3, 0)


def test_the_rule_of_adoption_is_the_same_after_reopening(project: Project) -> None:
    one, two = project.items[0], project.items[1]
    project.apply(one, block(0, 0, 5, 5, 1))
    project.scribe.undo(one.id)
    project.adopt(two, predict(project, two))
    project.close()
    with Project.open(project.path) as again:
        assert again.adopt(one.id, predict(again, again.items[0])) is None
        assert again.adopt(two.id, predict(again, again.items[1], 2)) is not None


def test_an_accepted_prediction_is_not_replaced(project: Project) -> None:
    item = project.items[0]
    project.adopt(item, predict(project, item))
    project.accept(item)
    assert project.adopt(item, predict(project, item, 2)) is None


def test_a_partial_prediction_is_marked_and_never_adopted(project: Project) -> None:
    item = project.items[0]
    layer = predict(project, item, partial=True)
    assert project.adopt(item, layer) is None
    assert item.predictions["unet"].partial


def test_an_imported_label_is_not_replaced(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "label", random_classes(item, 3)[0], group="import")
    assert item.state == "corrected"
    assert project.adopt(item, predict(project, item)) is None


def test_truth_does_not_keep_a_prediction_from_being_adopted(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "truth", random_classes(item, 3)[0])
    assert project.adopt(item, predict(project, item)) is not None


def test_a_proposal_is_taken_whole_and_then_is_no_proposal(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 5, 5, 1))
    layer = predict(project, item)
    project.apply(item, project.take(item, layer))
    assert np.array_equal(item.labels.read(), random_classes(item, 1)[0])
    assert item.proposal is None
    project.scribe.undo(item.id).applied.result()
    assert item.proposal is not None
    assert item.labels.counts()[1] == 25


def test_a_proposal_taken_where_not_mine_keeps_every_pixel_of_a_person(project: Project) -> None:
    item = project.items[0]
    mine = project.source("person")
    project.apply(item, block(20, 20, 200, 300, 4, origin=mine))
    project.apply(item, block(50, 50, 10, 10, 0, origin=mine))  # erased on purpose
    painted = item.labels.read()
    layer = predict(project, item)
    project.apply(item, project.take(item, layer, "not_mine"))
    expected = random_classes(item, 1)[0]
    expected[20:220, 20:320] = painted[20:220, 20:320]
    assert np.array_equal(item.labels.read(), expected)


def test_a_proposal_is_taken_by_class_and_by_region(project: Project) -> None:
    item = project.items[0]
    project.apply(item, block(0, 0, 300, 520, 4))
    layer = predict(project, item)
    classes = random_classes(item, 1)[0]
    project.apply(item, project.take(item, layer, {2}))
    expected = np.where(classes == 2, 2, 4)
    assert np.array_equal(item.labels.read(), expected)
    region = Rect(30, 100, 90, 200)
    project.apply(item, project.take(item, layer, region))
    expected[region.slices] = classes[region.slices]
    assert np.array_equal(item.labels.read(), expected)


def test_a_proposal_is_computed_against_the_label_when_it_is_taken(project: Project) -> None:
    item = project.items[0]
    mine = project.source("person")
    project.apply(item, block(0, 0, 5, 5, 4, origin=mine))
    edit = project.take(item, predict(project, item), "not_mine")
    project.apply(item, block(100, 100, 30, 30, 4, origin=mine))  # after the edit was made
    project.apply(item, edit)
    assert (item.labels.read(Rect(100, 100, 30, 30)) == 4).all()


def test_instances_of_a_prediction_become_rows_when_adopted_and_go_when_undone(
    project: Project,
) -> None:
    item = project.items[0]
    classes = np.zeros((300, 520), np.uint16)
    instances = np.zeros((300, 520), np.uint32)
    for number, (y, x) in enumerate([(10, 10), (100, 250), (200, 400)], 1):
        classes[y : y + 20, x : x + 30] = 3
        instances[y : y + 20, x : x + 30] = number
    layer = project.store_prediction(item, "cells", "", classes, instances=instances)
    assert not item.instances
    project.adopt(item, layer)
    assert sorted(item.instances) == [1, 2, 3]
    assert item.instances[2].class_id == 3
    assert item.instances[2].bounds == (0, 100, 250, 1, 120, 280)
    assert np.array_equal(item.labels.read(plane="instance"), instances)
    project.scribe.undo(item.id).applied.result()
    assert not item.instances
    # Numbers only grow: what comes next shares none with what was undone.
    assert project.new_instance(item) == 4
    again = project.store_prediction(item, "cells", "", classes, instances=instances)
    project.adopt(item, again)
    assert sorted(item.instances) == [5, 6, 7]
    project.close()
    with Project.open(project.path) as opened:
        assert sorted(opened.items[0].instances) == [5, 6, 7]
        assert opened.items[0].next_instance == 8
    assert check(project.path).problems == ()


def test_the_same_answer_of_the_same_model_is_kept_once_and_is_no_second_step(
    project: Project,
) -> None:
    item = project.items[0]
    classes, instances = random_classes(item, 1)[0], np.zeros((300, 520), np.uint32)
    instances[5:20, 5:20], instances[40:60, 7:80] = 1, 2
    confidence = np.full((300, 520), 200, np.uint8)

    def answer(digest: str = "digest", **more: object) -> PredictionLayer:
        planes = {"classes": classes, "instances": instances, "confidence": confidence} | more
        return project.store_prediction(item, "cells", digest, **planes)  # type: ignore[arg-type]

    first = answer()
    assert project.adopt(item, first)
    project.scribe.flush()
    steps = len(project.scribe.history(item.id))
    again = answer()
    assert (again.id, again.adopted) == (first.id, True)
    patch = project.adopt(item, again)
    assert patch is not None
    assert patch.is_empty
    project.scribe.flush()
    assert len(project.scribe.history(item.id)) == steps
    project.accept(item)
    assert project.adopt(item, answer()).is_empty, "it is the label still, only decided about"
    project.apply(item, block(0, 0, 5, 5, 1))
    proposed = answer()
    assert proposed.id != first.id
    assert project.adopt(item, proposed) is None
    assert answer().id == proposed.id
    first = proposed
    # Whatever differs is another answer.
    fewer = np.where(instances == 2, 0, instances)
    swapped = np.where(instances > 0, 3 - instances, 0)
    others = [
        answer(classes=random_classes(item, 2)[0]),
        answer(confidence=np.full_like(confidence, 201)),
        answer(instances=fewer),
        answer(instances=swapped),
        answer(confidence=None),
        answer("another digest"),
    ]
    assert len({first.id, *(layer.id for layer in others)}) == 7
    for _ in range(3):
        project.scribe.undo(item.id).applied.result()
    assert item.state == "new"
    project.close()
    assert check(project.path).problems == ()


def test_a_mask_of_another_size_is_refused_with_both_sizes(project: Project) -> None:
    with pytest.raises(SizeMismatch, match=r"521 x 300.*520 x 300"):
        project.import_layer(project.items[0], "label", np.zeros((300, 521), np.uint16))
    assert project.items[0].state == "new"


def test_an_unknown_class_is_refused_with_number_and_count(project: Project) -> None:
    classes = np.ones((300, 520), np.uint16)
    classes[:2, :3] = 9
    with pytest.raises(UnknownValue, match="6 pixels of class id 9"):
        project.import_layer(project.items[0], "truth", classes)


def test_a_state_set_to_what_it_is_leaves_no_step(project: Project) -> None:
    item = project.items[0]
    project.apply(item, SetState(state="new"))
    assert project.scribe.history(item.id) == []


def test_objects_of_the_truth_keep_their_numbers_and_use_none_up(project: Project) -> None:
    item = project.items[0]
    classes = np.full((300, 520), 3, np.uint16)
    instances = np.zeros((300, 520), np.uint32)
    instances[:40, :50] = 7
    for _ in range(2):
        project.import_layer(item, "truth", classes, instances)
        assert item.truth is not None
        assert np.array_equal(item.truth.read(plane="instance"), instances)
    assert item.next_instance == 1
    project.import_layer(item, "label", classes, instances)
    project.import_layer(item, "label", classes, instances)
    assert sorted(item.instances) == [14]
    assert (item.labels.read(plane="instance") == instances * 2).all()


def test_a_part_of_one_slice_is_taken_and_the_others_stay(project: Project) -> None:
    (item,) = project.add_items([NewItem("volume", [], Shape(20, 70, 90))])
    project.apply(item, Block(3, Rect(0, 0, 9, 9), 4))
    proposed = np.full((20, 70, 90), 2, np.uint16)
    layer = project.store_prediction(item, "unet", "digest", proposed)
    region = Rect(10, 20, 30, 40)
    project.apply(item, project.take(item, layer, Part(region, 17)))
    assert item.labels.counts()[2] == region.area
    assert (item.labels.read(region, 17) == 2).all()
