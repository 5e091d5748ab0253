"""Further layers of a label or truth: objects that overlap are whole in a layer of their own."""

from __future__ import annotations

import numpy as np
import pytest

from segcore.base import ClassSet
from segcore.store import NewItem, ObjectFacts, Project, check


def planes(rows, columns, number):
    """Classes and instances of one rectangle of class 2."""
    ids, numbers = np.zeros((300, 300), np.uint16), np.zeros((300, 300), np.uint32)
    ids[rows, columns], numbers[rows, columns] = 2, number
    return ids, numbers


FIRST = planes(slice(10, 90), slice(10, 90), 1)
SECOND = planes(slice(50, 280), slice(50, 280), 2)
THIRD = planes(slice(60, 70), slice(60, 70), 3)


@pytest.fixture
def project(tmp_path):
    classes = ClassSet.from_names(["background", "person"])
    with Project.create(tmp_path / "p.maskwright", classes) as made:
        made.add_items([NewItem("a", [], (1, 300, 300))])
        yield made


def layers_of(item, role):
    first, further = (
        (item.labels, item.further_labels) if role == "label" else (item.truth, item.further_truth)
    )
    return [first.read(plane="instance"), *(x.read(plane="instance") for x in further)]


@pytest.mark.parametrize("role", ["label", "truth"])
def test_overlapping_objects_come_back_whole_also_after_opening_again(project, role):
    (item,) = project.items
    project.import_layer(
        item,
        role,
        *FIRST,
        facts={1: ObjectFacts(0.5), 3: ObjectFacts(None, {"iscrowd": True})},
        further=[SECOND, THIRD],
    )
    for made, (_, wanted) in zip(layers_of(item, role), (FIRST, SECOND, THIRD), strict=True):
        np.testing.assert_array_equal(made, wanted)
    project.close()
    with Project.open(project.path, write=False) as again:
        (item,) = again.items
        for made, (_, wanted) in zip(layers_of(item, role), (FIRST, SECOND, THIRD), strict=True):
            np.testing.assert_array_equal(made, wanted)
        rows = item.instances if role == "label" else item.truth_instances
        assert [(n, r.class_id, r.score) for n, r in sorted(rows.items())] == [
            (1, 2, 0.5),
            (2, 2, None),
            (3, 2, None),
        ]
        assert rows[3].attributes == {"iscrowd": True}
    assert check(project.path).ok


def test_undo_of_an_import_takes_its_further_layers_with_it_and_redo_brings_them_back(project):
    (item,) = project.items
    project.import_layer(item, "label", *FIRST, further=[SECOND])
    project.scribe.undo(item.id)
    project.scribe.flush()
    assert item.further_labels == ()
    assert not item.labels.counts().get(2)
    assert not item.instances
    project.scribe.redo(item.id)
    project.scribe.flush()
    np.testing.assert_array_equal(layers_of(item, "label")[1], SECOND[1])
    assert set(item.instances) == {1, 2}


def test_an_import_with_fewer_layers_leaves_none_of_the_earlier_ones(project):
    (item,) = project.items
    project.import_layer(item, "label", *FIRST, further=[SECOND, THIRD])
    project.import_layer(item, "label", *THIRD)
    assert item.further_labels == ()
    assert len(item.instances) == 1
    # Numbers that objects once had are never given out again.
    assert min(item.instances) > 3
    project.scribe.undo(item.id)
    project.scribe.flush()
    assert len(item.further_labels) == 2
