"""The confusion matrix of an item follows every step, by the tiles that changed."""

from __future__ import annotations

import numpy as np
from store_kit import block, random_classes

from segcore.metrics import confusion_matrix
from segcore.store import Item, Project


def expected(project: Project, item: Item) -> np.ndarray:
    truth = item.truth
    assert truth is not None
    ids = [int(c.id) for c in project.classes.scored]
    return confusion_matrix(truth.read_volume(), item.labels.read_volume(), ids)


def test_the_matrix_follows_strokes_undo_import_and_adoption(project: Project) -> None:
    item = project.items[0]
    assert item.confusion is None
    assert item.mean_iou is None
    project.import_layer(item, "truth", random_classes(item, 3)[0])

    def agrees() -> None:
        assert np.array_equal(item.confusion, expected(project, item))

    agrees()
    layer = project.store_prediction(item, "unet", "", random_classes(item, 4)[0])
    project.adopt(item, layer)
    agrees()
    project.apply(item, block(100, 200, 120, 130, 2))
    agrees()
    project.scribe.undo(item.id).applied.result()
    agrees()
    project.import_layer(item, "label", random_classes(item, 5)[0])
    agrees()
    project.import_layer(item, "truth", random_classes(item, 6)[0])
    agrees()
    project.set_classes(project.classes.changed(2, ignore=True))
    assert item.confusion is not None
    assert item.confusion.shape == (3, 4)
    agrees()


def test_a_stroke_recounts_only_the_tiles_it_touched(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "truth", random_classes(item, 3)[0])
    assert item.confusion is not None
    before = project.scores.tiles_counted
    project.apply(item, block(10, 10, 20, 20, 2))  # inside one of six tiles
    assert item.confusion is not None
    assert project.scores.tiles_counted - before == 2  # the old tile and the new one


def test_erasing_never_raises_the_score(project: Project) -> None:
    item = project.items[0]
    truth = random_classes(item, 3)[0]
    project.import_layer(item, "truth", truth)
    project.import_layer(item, "label", truth)
    full = item.mean_iou
    project.apply(item, block(0, 0, 100, 520, 0))
    assert full == 1.0
    assert item.mean_iou is not None
    assert item.mean_iou < 1.0


def test_a_kept_matrix_is_read_back_without_counting(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "truth", random_classes(item, 3)[0])
    project.apply(item, block(0, 0, 100, 520, 2))
    matrix = item.confusion
    project.close()
    with Project.open(project.path) as again:
        assert np.array_equal(again.items[0].confusion, matrix)
        assert again.scores.tiles_counted == 0
        again.apply(again.items[0], block(0, 0, 10, 10, 3))
        assert np.array_equal(again.items[0].confusion, expected(again, again.items[0]))
