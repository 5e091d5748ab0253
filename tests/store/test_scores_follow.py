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


def test_the_scores_of_all_items_are_read_without_reading_their_layers(project: Project) -> None:
    for n, item in enumerate(project.items):
        if n != 1:
            project.import_layer(item, "truth", random_classes(item, n)[0])
            project.import_layer(item, "label", random_classes(item, n + 5)[0])
    scores = [item.mean_iou for item in project.items]
    assert scores[1] is None
    project.close()
    with Project.open(project.path) as again:
        assert [item.mean_iou for item in again.items] == scores
        assert again.contents._contents == {}
        again.apply(again.items[0], block(0, 0, 300, 520, 0))
        assert again.items[0].mean_iou == 0.0
        assert again.items[2].mean_iou == scores[2]


def test_a_matrix_that_was_not_written_before_a_crash_is_counted_again(project: Project) -> None:
    item = project.items[0]
    project.import_layer(item, "truth", random_classes(item, 3)[0])
    assert item.confusion is not None
    project.scribe.flush()
    project._save_derived()
    project.apply(item, block(0, 0, 100, 520, 2))
    project.scribe.flush()
    # As a second process finds it: the stroke is durable, the matrix that follows it is not.
    with Project.open(project.path, write=False) as reader:
        assert np.array_equal(reader.items[0].confusion, expected(reader, reader.items[0]))
        assert reader.items[0].mean_iou == item.mean_iou
