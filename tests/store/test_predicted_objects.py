"""Objects of predictions: their rows, and what painting after an adoption makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from store_kit import make_project

from segcore.base import Shape
from segcore.edits import OWN, Stroke
from segcore.infer.objects import objects_of
from segcore.store import Item, Project, check

CAR = 3
VOLUME = Shape(20, 70, 90)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with make_project(tmp_path, shape=VOLUME) as made:
        yield made


def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Classes with some round cars in a volume, and a confidence."""
    random = np.random.default_rng(4)
    smooth = ndimage.gaussian_filter(random.standard_normal(VOLUME), 3)
    classes = np.where(smooth > smooth.std(), CAR, 1).astype(np.uint16)
    return classes, random.integers(100, 256, VOLUME).astype(np.uint8)


def predict(project: Project, item: Item) -> tuple[np.ndarray, np.ndarray]:
    classes, confidence = blobs()
    layer = project.store_prediction(
        item, "cars", "digest", classes, confidence, instances=objects_of(classes, [CAR])
    )
    assert project.adopt(item, layer) is not None
    return classes, confidence


def test_adopted_objects_of_a_volume_have_rows_with_class_score_source_and_bounds(
    project: Project,
) -> None:
    item = project.items[0]
    classes, confidence = predict(project, item)
    objects = item.labels.read_volume("instance")
    expected, count = ndimage.label(classes == CAR, np.ones((3, 3, 3)))
    assert count > 3
    assert sorted(item.instances) == sorted(set(np.unique(objects)) - {0})
    assert len(item.instances) == count
    for number, row in item.instances.items():
        inside = objects == number
        assert len(np.unique(expected[inside])) == 1
        assert row.class_id == CAR
        assert row.score == pytest.approx(confidence[inside].mean() / 255, abs=1e-4)
        assert row.source == project.source("model", "digest")
        z, y, x = np.nonzero(inside)
        low, high = (z.min(), y.min(), x.min()), (z.max() + 1, y.max() + 1, x.max() + 1)
        assert row.bounds == (*low, *high)


def test_a_stroke_extends_a_predicted_object_and_keeps_its_score(project: Project) -> None:
    item = project.items[0]
    predict(project, item)
    number, row = next(iter(item.instances.items()))
    z, y, x = (int(at[0]) for at in np.nonzero(item.labels.read_volume("instance") == number))
    path = ((y + 0.5, x + 0.5), (y + 0.5, 0.5))
    stroke = Stroke(z, path, 2, CAR, instance=OWN, origin=project.source("person"))
    assert project.apply(item, stroke).instance == number
    grown = item.instances[number]
    assert (grown.score, grown.source) == (row.score, row.source)
    assert grown.bounds is not None
    assert grown.bounds[2] == 0
    project.scribe.undo(item.id).applied.result()
    assert item.instances[number] == row


def test_new_objects_count_on_behind_the_predicted_ones_and_the_log_agrees(
    project: Project,
) -> None:
    item = project.items[0]
    classes, _ = predict(project, item)
    last = max(item.instances)
    ground = ndimage.distance_transform_edt(classes == 1)
    z, y, x = (int(at) for at in np.unravel_index(int(ground.argmax()), ground.shape))
    stroke = Stroke(z, ((y + 0.5, x + 0.5),), 1.5, CAR, instance=OWN, origin=1)
    assert project.apply(item, stroke).instance == last + 1
    project.scribe.undo(item.id).applied.result()
    project.scribe.undo(item.id).applied.result()
    assert not item.instances
    project.scribe.flush()
    assert check(project.path).ok
