"""Predicted objects by their score: what is left out becomes what was beneath, as one step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from store_kit import make_project

from segcore.base import Shape
from segcore.edits import Stroke
from segcore.store import Item, ObjectFacts, PredictionLayer, Project, at_score, check, chosen_score

ROAD, CAR, TREE = 2, 3, 4
SCORES = (0.91, 0.74, 0.62, 0.55, 0.48, 0.21)
DEFAULT = 0.5
PLANES = ("class", "instance", "origin")


@pytest.fixture(params=[Shape(1, 300, 420), Shape(18, 70, 90)], ids=["picture", "volume"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    with make_project(tmp_path, shape=request.param) as made:
        yield made


class Made:
    """Boxes of cars and trees over each other, the best on top, on half road and half nothing."""

    def __init__(self, shape: Shape) -> None:
        random = np.random.default_rng(6)
        z, y, x = shape
        ground = np.zeros(shape, np.uint16)
        ground[:, : y // 2] = ROAD
        self.ground, self.boxes = ground, []
        for _ in SCORES:
            low = (random.integers(0, z // 2 + 1), *random.integers(0, (y // 2, x // 2)))
            sizes = zip(low, (z, y // 2, x // 2), strict=True)
            self.boxes.append(tuple(slice(start, start + size) for start, size in sizes))
        self.classes = [CAR, TREE, CAR, TREE, CAR, TREE]

    def painted(self, least: float) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
        """Classes and numbers, painted from nothing with the objects from this score on."""
        classes, numbers = self.ground.copy(), np.zeros(self.ground.shape, np.uint32)
        for k in reversed(range(len(SCORES))):
            if SCORES[k] >= least:
                classes[self.boxes[k]], numbers[self.boxes[k]] = self.classes[k], k + 1
        return classes, numbers

    def store(self, project: Project, item: Item) -> PredictionLayer:
        classes, numbers = self.painted(DEFAULT)
        _, found = self.painted(0)
        facts = {
            k: ObjectFacts(score, class_id=c)
            for k, (score, c) in enumerate(zip(SCORES, self.classes, strict=True), 1)
        }
        return project.store_prediction(
            item,
            "finder",
            "digest",
            classes,
            instances=numbers,
            found=found,
            ground=np.where(numbers > 0, self.ground, classes),
            facts=facts,
        )


def planes(labels: object) -> list[NDArray[np.int64]]:
    return [labels.read_volume(plane) for plane in PLANES]  # type: ignore[attr-defined]


@pytest.mark.parametrize("least", [0.0, 0.3, 0.5, 0.6, 0.7, 0.99])
def test_a_prediction_at_a_score_is_what_painting_its_objects_anew_gives(
    project: Project, least: float
) -> None:
    item = project.items[0]
    made = Made(item.shape)
    layer = made.store(project, item)
    assert [row.id for row in layer.instances] == [1, 2, 3, 4]
    assert [row.score for row in layer.found] == list(SCORES)
    chosen = at_score(layer, least)
    classes, numbers = made.painted(least)
    said, objects, origins = planes(chosen.labels)
    assert np.array_equal(said, classes)
    assert np.array_equal(objects, numbers)
    assert np.array_equal(origins > 0, classes > 0)
    kept = [k for k, score in enumerate(SCORES, 1) if score >= least]
    assert [(r.id, r.class_id) for r in chosen.instances] == [
        (k, made.classes[k - 1]) for k in kept
    ]


def test_what_is_left_out_goes_in_one_step_and_comes_back_with_undo(project: Project) -> None:
    item = project.items[0]
    made = Made(item.shape)
    layer = made.store(project, item)
    assert project.adopt(item, layer) is not None
    before, rows = planes(item.labels), dict(item.instances)
    for least in (0.7, 0.3):
        edit = project.keep_objects(item, item.predictions["finder"], least)
        project.scribe.submit(item.id, edit, kind="adopt").applied.result()
        classes, numbers = made.painted(least)
        assert np.array_equal(item.labels.read_volume(), classes)
        assert np.array_equal(item.labels.read_volume("instance"), numbers)
        assert sorted(item.instances) == [k for k, s in enumerate(SCORES, 1) if s >= least]
    assert item.state == "predicted", "a choice among what the model said is no correction"
    assert [r.name for r in project.scribe.history(item.id)][1:] == [
        "Objects from 0.70",
        "Objects from 0.30",
    ]
    for _ in range(2):
        project.scribe.undo(item.id).applied.result()
    assert all(np.array_equal(a, b) for a, b in zip(planes(item.labels), before, strict=True))
    assert dict(item.instances) == rows
    newer = made.store(project, item)
    assert project.adopt(item, newer) is not None, "nobody has worked on the item"
    project.scribe.flush()
    assert check(project.path).ok


def test_a_persons_pixels_and_their_object_stay_whatever_the_score(project: Project) -> None:
    item = project.items[0]
    made = Made(item.shape)
    project.adopt(item, made.store(project, item))
    person = project.source("person")
    corner = ((item.shape.y - 2.5, item.shape.x - 2.5),)
    project.apply(item, Stroke(0, corner, 2, TREE, instance=4, origin=person))
    mine = item.labels.read_volume("origin") == person
    assert mine.any()
    edit = project.keep_objects(item, item.predictions["finder"], 0.99)
    project.scribe.submit(item.id, edit, kind="adopt").applied.result()
    assert np.array_equal(item.labels.read_volume() == TREE, mine)
    assert sorted(item.instances) == [4], "the row of the object that a person has painted on"
    project.scribe.flush()
    assert check(project.path).ok


def test_a_proposal_is_taken_with_the_objects_of_its_score_only(project: Project) -> None:
    item = project.items[0]
    made = Made(item.shape)
    project.apply(item, Stroke(0, ((5.5, 5.5),), 3, ROAD, origin=project.source("person")))
    layer = made.store(project, item)
    assert project.adopt(item, layer) is None
    for least, where in ((0.3, "all"), (0.7, "all")):
        project.apply(item, project.take(item, at_score(layer, least), where))  # type: ignore[arg-type]
        classes, numbers = made.painted(least)
        assert np.array_equal(item.labels.read_volume(), classes)
        assert np.array_equal(item.labels.read_volume("instance"), numbers)
        assert sorted(item.instances) == [k for k, s in enumerate(SCORES, 1) if s >= least]


def test_an_opened_project_still_knows_all_that_was_found(project: Project) -> None:
    item = project.items[0]
    made = Made(item.shape)
    made.store(project, item)
    path, name = project.path, item.name
    project.close()
    with Project.open(path) as again:
        (item,) = [i for i in again.items if i.name == name]
        layer = item.predictions["finder"]
        assert [row.id for row in layer.instances] == [1, 2, 3, 4]
        assert len(layer.found) == len(SCORES)
        assert np.array_equal(at_score(layer, 0.0).labels.read_volume(), made.painted(0)[0])


def test_a_snapshot_aside_shares_what_it_did_not_change_and_leaves_the_cache_alone(
    project: Project,
) -> None:
    item = project.items[0]
    layer = Made(item.shape).store(project, item)
    project.scribe.flush()
    cache = layer.labels.cache
    before = cache.next_handle
    one, other = at_score(layer, 0.7).labels, at_score(layer, 0.7).labels
    assert cache.next_handle == before
    assert one.tiles("found") is layer.labels.tiles("found")
    changed = one.changed_tiles(layer.labels)
    assert changed
    stored = [one.handle(*place) for place in changed if one.handle(*place) >= 0]
    assert not set(stored) & {other.handle(*place) for place in changed}


def test_the_score_that_tells_kept_objects_from_others_is_the_roundest() -> None:
    layer_rows = [(k, s) for k, s in enumerate(SCORES, 1)]

    def score_of(*kept: int) -> float:
        from segcore.store import InstanceRow

        rows = [InstanceRow(k, CAR, score=s) for k, s in layer_rows]
        return chosen_score(rows, kept)

    assert score_of(1, 2, 3, 4) == 0.5
    assert score_of(1, 2, 3) == 0.6
    assert score_of(1, 2) == 0.7
    assert score_of(1) == 0.9
    assert score_of() == 1.0
    assert score_of(1, 2, 3, 4, 5) == 0.4
    assert score_of(1, 2, 3, 4, 5, 6) == 0.0


def test_a_prediction_without_objects_of_its_own_stays_as_it_is(project: Project) -> None:
    item = project.items[0]
    layer = project.store_prediction(item, "plain", "", Made(item.shape).ground)
    assert at_score(layer, 0.9) is layer
