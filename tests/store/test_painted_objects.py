"""Objects that people paint: which number their pixels get, and the rows that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_kit import make_project

from segcore.base import Rect, Shape
from segcore.edits import OWN, Fill, Polygon, Region, Stroke
from segcore.store import InstanceRow, Item, NewItem, Project, check

CAR, TREE = 3, 4
PLANES = ("class", "instance", "origin")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with make_project(tmp_path, shape=Shape(1, 90, 120)) as made:
        yield made


def dab(y: float, x: float, radius: float = 8, class_id: int = CAR, z: int = 0) -> Stroke:
    return Stroke(z, ((y, x),), radius, class_id, instance=OWN, origin=1)


def line(*points: tuple[float, float], radius: float = 4) -> Stroke:
    return Stroke(0, points, radius, CAR, instance=OWN, origin=1)


def numbers(item: Item, z: int = 0) -> set[int]:
    return set(np.unique(item.labels.read(z=z, plane="instance")).tolist()) - {0}


def box_of(item: Item, number: int) -> tuple[int, ...]:
    """Where an object's pixels lie, by looking at all of them."""
    z, y, x = np.nonzero(item.labels.read_volume("instance") == number)
    return (z.min(), y.min(), x.min(), z.max() + 1, y.max() + 1, x.max() + 1)


# -- where an edit begins decides -------------------------------------------------------------


def test_a_stroke_where_no_object_is_makes_one_with_a_row(project: Project) -> None:
    item = project.items[0]
    patch = project.apply(item, dab(30, 30))
    assert patch.instance == 1
    assert numbers(item) == {1}
    assert item.instances == {1: InstanceRow(1, CAR, None, 1, {}, box_of(item, 1))}


def test_a_stroke_that_begins_on_an_object_extends_it_and_its_bounds(project: Project) -> None:
    item = project.items[0]
    project.apply(item, dab(30, 30))
    patch = project.apply(item, line((30, 36), (30, 80)))
    assert patch.instance == 1
    assert numbers(item) == set(item.instances) == {1}
    assert item.instances[1].bounds == box_of(item, 1)


def test_a_stroke_that_begins_beside_an_object_makes_another_and_takes_what_it_covers(
    project: Project,
) -> None:
    item = project.items[0]
    project.apply(item, dab(30, 30))
    assert project.apply(item, line((30, 80), (30, 36))).instance == 2
    assert item.labels.read(Rect(30, 36, 1, 1), plane="instance")[0, 0] == 2
    assert item.labels.read(Rect(30, 26, 1, 1), plane="instance")[0, 0] == 1


def test_a_stroke_that_mostly_lies_on_an_object_mends_it_though_it_begins_outside(
    project: Project,
) -> None:
    item = project.items[0]
    project.apply(item, dab(40, 40, 20))
    assert project.apply(item, line((40, 15), (40, 55))).instance == 1
    assert numbers(item) == {1}


def test_an_object_of_another_class_is_no_object_to_extend(project: Project) -> None:
    item = project.items[0]
    project.apply(item, dab(30, 30))
    patch = project.apply(item, dab(30, 30, 4, TREE))
    assert patch.instance == 2
    assert (item.instances[1].class_id, item.instances[2].class_id) == (CAR, TREE)
    classes, objects = item.labels.read(), item.labels.read(plane="instance")
    assert ((classes == TREE) == (objects == 2)).all()


@pytest.mark.parametrize("overlap", ["most", "little"])
def test_a_polygon_extends_the_object_that_it_lies_on(project: Project, overlap: str) -> None:
    item = project.items[0]
    project.apply(item, dab(40, 40, 20))
    left = 30 if overlap == "most" else 52
    ring = ((25.0, left + 40.0), (25.0, left), (55.0, left), (55.0, left + 40.0))
    patch = project.apply(item, Polygon(0, (ring,), CAR, instance=OWN, origin=1))
    assert patch.instance == (1 if overlap == "most" else 2)


def test_a_region_extends_the_object_on_which_its_marks_begin(project: Project) -> None:
    item = project.items[0]
    project.apply(item, dab(40, 40, 6))
    mask = np.ones((50, 90), bool)
    common = {"instance": OWN, "origin": 1}
    begun = Region.of(0, Rect(20, 20, 50, 90), mask, CAR, at=(41, 41), **common)
    assert project.apply(item, begun).instance == 1
    project.scribe.undo(item.id).applied.result()
    beside = Region.of(0, Rect(20, 20, 50, 90), mask, CAR, at=(25, 100), **common)
    assert project.apply(item, beside).instance == 2


def test_filling_a_hole_gives_it_to_the_object_around_it(project: Project) -> None:
    item = project.items[0]
    ring = tuple((40 + 25 * np.sin(t), 60 + 25 * np.cos(t)) for t in np.linspace(0, 6.3, 40))
    project.apply(item, line(*ring, radius=3))
    assert project.apply(item, Fill(0, (40, 60), CAR, instance=OWN, origin=1)).instance == 1
    assert numbers(item) == {1}
    assert item.labels.read(Rect(40, 60, 1, 1))[0, 0] == CAR


def test_filling_a_region_of_another_class_makes_a_new_object(project: Project) -> None:
    item = project.items[0]
    project.apply(item, dab(40, 30, 10))
    project.apply(item, dab(40, 70, 10, TREE))
    patch = project.apply(item, Fill(0, (40, 70), CAR, instance=OWN, origin=1))
    assert patch.instance == 3
    assert numbers(item) == {1, 3}


def test_an_object_goes_on_from_slice_to_slice(project: Project) -> None:
    (volume,) = project.add_items([NewItem("volume", [], Shape(20, 40, 40))])
    for z in (15, 16, 14):
        assert project.apply(volume, dab(20, 20, 6, z=z)).instance == 1
    assert project.apply(volume, dab(20, 20, 6, z=18)).instance == 2
    assert volume.instances[1].bounds == box_of(volume, 1)


def test_pixels_without_a_number_are_extended_without_one(project: Project) -> None:
    item = project.items[0]
    classes = np.ones((90, 120), np.uint16)
    classes[30:60, 30:60] = CAR
    project.import_layer(item, "label", classes)
    patch = project.apply(item, line((45, 50), (45, 80)))
    assert patch.instance == 0
    assert numbers(item) == set()
    assert item.labels.read(Rect(45, 80, 1, 1))[0, 0] == CAR


# -- what never happens -----------------------------------------------------------------------


def test_a_number_is_never_given_twice_not_even_after_undo_and_reopening(tmp_path: Path) -> None:
    project = make_project(tmp_path, shape=Shape(1, 90, 120))
    item = project.items[0]
    assert project.apply(item, dab(20, 20)).instance == 1
    assert project.apply(item, dab(20, 90)).instance == 2
    project.scribe.undo(item.id).applied.result()
    assert set(item.instances) == {1}
    project.close()
    with Project.open(project.path) as again:
        item = again.items[0]
        assert again.apply(item, dab(70, 20)).instance == 3
        assert set(item.instances) == {1, 3}


def test_two_strokes_handed_over_at_once_are_two_objects(project: Project) -> None:
    item = project.items[0]
    tickets = [project.scribe.submit(item.id, dab(45, 10 + 20 * n, 6)) for n in range(5)]
    found = [ticket.applied.result() for ticket in tickets]
    assert [applied.patch.instance for applied in found if applied] == [1, 2, 3, 4, 5]


def test_undo_and_redo_bring_numbers_and_rows_back_and_the_log_agrees(project: Project) -> None:
    item = project.items[0]
    project.apply(item, dab(30, 30))
    project.apply(item, line((30, 36), (30, 80)))
    rows, objects = dict(item.instances), item.labels.read(plane="instance")
    project.scribe.jump(item.id, "").applied.result()
    assert not item.instances
    assert not item.labels.has_plane("instance")
    for _ in range(2):
        project.scribe.redo(item.id).applied.result()
    assert item.instances == rows
    assert (item.labels.read(plane="instance") == objects).all()
    project.scribe.flush()
    assert check(project.path).ok


def test_an_edit_whose_object_is_open_is_not_applied_by_itself(project: Project) -> None:
    with pytest.raises(ValueError, match="not settled"):
        dab(3, 3).apply(project.items[0].labels)


point = st.tuples(st.floats(-5, 95), st.floats(-5, 125))
class_ids = st.sampled_from([CAR, CAR, TREE, 0])


@st.composite
def steps(draw: Callable[..., object]) -> object:
    kind = draw(st.sampled_from(["stroke", "stroke", "polygon", "fill", "region", "undo", "redo"]))
    if kind in ("undo", "redo"):
        return kind
    common = {"class_id": draw(class_ids), "instance": OWN, "origin": 1}
    if kind == "stroke":
        path = tuple(draw(st.lists(point, min_size=1, max_size=4)))
        return Stroke(0, path, draw(st.floats(1, 20)), **common)
    if kind == "polygon":
        return Polygon(0, (tuple(draw(st.lists(point, min_size=3, max_size=6))),), **common)
    at = (draw(st.integers(0, 89)), draw(st.integers(0, 119)))
    if kind == "fill":
        return Fill(0, at, **common)
    mask = np.random.default_rng(at[0]).random((30, 40)) < 0.7
    return Region.of(0, Rect(at[0] - 15, at[1] - 20, 30, 40), mask, at=at, **common)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps(), min_size=1, max_size=12))
def test_every_painted_pixel_has_an_object_of_its_class_and_undo_returns_all(
    project: Project, sequence: list[object]
) -> None:
    (item,) = project.add_items([NewItem("picture", [], Shape(1, 90, 120))])

    def look() -> tuple[object, ...]:
        return (dict(item.instances), *(item.labels.read(plane=p).tobytes() for p in PLANES))

    past, future = [look()], []
    given: set[int] = set()
    for step in sequence:
        known = set(item.instances)
        if step == "undo":
            if len(past) > 1:
                project.scribe.undo(item.id).applied.result()
                future.append(past.pop())
        elif step == "redo":
            if future:
                project.scribe.redo(item.id).applied.result()
                past.append(future.pop())
        else:
            patch = project.apply(item, step)
            fresh = set(item.instances) - known
            assert not fresh & given, "a number was given twice"
            given |= fresh
            if not patch.is_empty:
                past.append(look())
                future.clear()
        assert look() == past[-1]
        classes, objects = item.labels.read(), item.labels.read(plane="instance")
        assert ((classes > 0) == (objects > 0)).all()
        for number in numbers(item):
            row = item.instances[number]
            assert set(classes[objects == number].tolist()) == {row.class_id}
            low, high = row.bounds[:3], row.bounds[3:]
            box = box_of(item, number)
            assert all(a <= b for a, b in zip(low, box[:3], strict=True))
            assert all(a >= b for a, b in zip(high, box[3:], strict=True))
    while len(past) > 1:
        project.scribe.undo(item.id).applied.result()
        past.pop()
        assert look() == past[-1]
    project.scribe.flush()
    assert check(project.path, images=False).ok
