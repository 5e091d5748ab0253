"""Objects that a model finds itself: laid out, painted, and joined over tiles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segcore.base import ClassSet, Rect
from segcore.infer import Predictor
from segcore.models import (
    Detections,
    ModelSpec,
    Preparation,
    SegModel,
    build,
    make_spec,
    register,
)
from segcore.models.objects import Found, join_tiles, lay_out, merged, paint
from segcore.models.output import SegOutput, Targets

CLASSES = ClassSet.from_names(["ground", "disc"]).changed(2, thing=True)


class Discs(nn.Module):
    """Finds what is bright, each connected region an object; scored by what its middle looks like.

    What touches a tile's rim is found in part, as by a network.
    """

    own_losses = True
    least_score = 0.5

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.segmentation_head = nn.Conv2d(1, classes, 1)

    def forward(self, images: Tensor, targets: Targets | None = None) -> SegOutput:
        plane = images[0, 0].numpy()
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((plane > 0.1).astype(np.uint8))
        boxes, masks, scores = [], [], []
        for k in range(1, count):
            x, y, width, height, _ = stats[k].tolist()
            part = (numbers[y : y + height, x : x + width] == k).astype(np.float32)
            boxes.append((y, x, y + height, x + width))
            masks.append(cv2.resize(part, (56, 56), interpolation=cv2.INTER_NEAREST))
            scores.append(float(plane[numbers == k].mean()))
        bright = torch.from_numpy(plane > 0.1).float() * 20 - 10
        return SegOutput(
            torch.stack((-bright, bright))[None],
            [
                Detections(
                    torch.tensor(boxes).reshape(-1, 4).float(),
                    torch.tensor(scores),
                    torch.ones(len(boxes), dtype=torch.int64),
                    torch.from_numpy(np.array(masks, np.float32).reshape(-1, 56, 56)),
                )
            ],
        )


@register("test-discs", paper="https://example.org", year=2026, tasks=("instances",))
def build_discs(spec: ModelSpec) -> nn.Module:
    return Discs(spec.outputs)


def discs(tile: int) -> SegModel:
    preparation = Preparation("window", (0.0,), (1.0,), 0, 255)
    spec = make_spec("test-discs", classes=CLASSES, channels=1, preparation=preparation)
    return SegModel(spec.changed(tile=tile, overlap=24))


def picture() -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Discs of different brightness that do not touch, and their numbers."""
    rng = np.random.default_rng(3)
    image, truth = np.zeros((200, 230), np.uint8), np.zeros((200, 230), np.uint8)
    number = 0
    for y in range(16, 190, 30):
        for x in range(16, 220, 30):
            number += 1
            centre, radius = (x + int(rng.integers(-2, 3)), y), int(rng.integers(6, 11))
            cv2.circle(image, centre, radius, int(rng.integers(150, 250)), -1)
            cv2.circle(truth, centre, radius, number, -1)
    return image, truth.astype(np.uint32)


def pairs(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> set[tuple[int, int]]:
    return set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))


@pytest.mark.parametrize("tile", [64, 96, 512])
def test_every_object_is_found_once_however_the_picture_is_tiled(tile: int) -> None:
    image, truth = picture()
    found = Predictor(discs(tile), "cpu").predict(image, instances=True)
    assert found.instances is not None
    assert found.instances.max() == truth.max()
    # The masks went through a grid of 56 cells, so a rim may differ by a pixel.
    inner = cv2.erode((truth > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    met = pairs(truth[inner], found.instances[inner])
    assert len(met) == truth.max(), "one number for each disc, and one disc for each number"
    assert (found.classes == np.where(found.instances, 2, 1)).mean() > 0.97


def test_scores_are_those_of_the_objects_by_their_numbers() -> None:
    image, _ = picture()
    found = Predictor(discs(512), "cpu").predict(image, instances=True)
    assert found.instances is not None
    assert sorted(found.scores) == list(range(1, int(found.instances.max()) + 1))
    assert list(found.scores.values()) == sorted(found.scores.values(), reverse=True)
    for number, score in found.scores.items():
        assert score == pytest.approx(image[found.instances == number].max() / 255, abs=1e-3)


def test_a_score_that_is_too_low_is_no_object_and_its_pixels_are_undecided() -> None:
    image = np.zeros((64, 64), np.uint8)
    cv2.circle(image, (20, 20), 8, 100, -1)
    cv2.circle(image, (44, 44), 8, 200, -1)
    predictor = Predictor(discs(512), "cpu")
    found = predictor.predict(image, instances=True)
    assert found.instances is not None
    assert found.instances.max() == 1
    assert found.classes[20, 20] == 0
    assert found.confidence[20, 20] == 0
    assert found.classes[44, 44] == 2
    both = predictor.predict(image, instances=True, least_score=0.3)
    assert both.instances is not None
    assert both.instances.max() == 2
    assert both.classes[20, 20] == 2


@pytest.mark.parametrize("least", [0.05, 0.62, 0.8, 1.0])
def test_any_score_can_be_chosen_afterwards_as_if_it_had_been_asked_for(least: float) -> None:
    image, _ = picture()
    predictor = Predictor(discs(96), "cpu")
    once, asked = (
        predictor.predict(image, instances=True),
        predictor.predict(image, instances=True, least_score=least),
    )
    found = once.found
    assert found is not None
    assert (found.numbers > 0).any()
    good = np.concatenate([[False], found.scores >= least])[found.numbers]
    class_of = np.concatenate([[0], found.classes])
    assert asked.instances is not None
    assert np.array_equal(np.where(good, found.numbers, 0), asked.instances)
    covered = found.numbers > 0
    chosen = np.where(covered, np.where(good, class_of[found.numbers], found.ground), once.classes)
    assert np.array_equal(chosen, asked.classes)


def test_beneath_the_objects_of_a_network_that_knows_objects_only_is_its_ground() -> None:
    torch.manual_seed(2)
    options = {"pyramid_channels": 32, "box_features": 64, "proposals": 50, "detections": 12}
    model = build("mask_rcnn", classes=CLASSES, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        model.get_parameter("network.heads.box_predictor.classes.bias")[2] = 3.0
        torch.nn.init.normal_(model.head.weight, std=0.5)
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    predicted = Predictor(model, "cpu").predict(image, instances=True)
    assert predicted.instances is not None
    assert predicted.found is not None
    objects = predicted.instances > 0
    assert objects.any()
    assert (predicted.found.ground[objects] == 1).all()
    assert np.array_equal(predicted.found.ground[~objects], predicted.classes[~objects])
    assert predicted.found.kept == predicted.instances.max()


def test_a_rectangle_has_the_objects_that_reach_into_it() -> None:
    image, truth = picture()
    rect = Rect(30, 40, 60, 70)
    found = Predictor(discs(96), "cpu").predict(image, rect=rect, instances=True)
    assert found.instances is not None
    assert found.instances.shape == (60, 70)
    inner = cv2.erode((truth > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    inside = inner[rect.slices]
    met = pairs(truth[rect.slices][inside], found.instances[inside])
    assert len(met) == len({a for a, _ in met}) == len({b for _, b in met})


def test_without_objects_asked_for_the_scores_of_classes_decide() -> None:
    image, _ = picture()
    found = Predictor(discs(96), "cpu").predict(image)
    assert found.instances is None
    assert not found.scores
    assert set(np.unique(found.classes).tolist()) == {1, 2}


def disc(y: int, x: int, radius: int, score: float, channel: int = 1) -> Found:
    yy, xx = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    mask = (yy**2 + xx**2 <= radius**2).astype(np.float32)
    side = 2 * radius + 1
    return Found(Rect(y - radius, x - radius, side, side), mask, score, channel)


def test_the_better_object_keeps_what_two_share_and_a_hidden_one_is_dropped() -> None:
    good, beside, hidden = disc(20, 20, 8, 0.9), disc(20, 30, 8, 0.8), disc(21, 21, 8, 0.7)
    numbers, kept = paint([hidden, beside, good], (40, 50))
    assert kept == (good, beside)
    assert numbers[20, 25] == 1
    assert (numbers[good.rect.slices][good.inside] == 1).all()


def test_objects_of_one_tile_never_become_one_nor_do_other_classes() -> None:
    left, right = Rect(0, 0, 60, 60), Rect(0, 30, 60, 60)
    one, other = disc(20, 40, 8, 0.9), disc(20, 46, 8, 0.8)
    seen_again = disc(20, 41, 8, 0.7)
    joined = join_tiles([(left, [one, other]), (right, [seen_again])])
    assert len(joined) == 2
    assert sorted(o.score for o in joined) == [0.8, 0.9]
    of_another_class = disc(20, 40, 8, 0.7, channel=2)
    assert len(join_tiles([(left, [one]), (right, [of_another_class])])) == 2
    assert join_tiles([]) == []


def test_a_part_that_lies_in_the_whole_is_the_same_object() -> None:
    left, right = Rect(0, 0, 60, 60), Rect(0, 40, 60, 60)
    whole = disc(30, 50, 9, 0.9)
    part = whole.seen_in(Rect(0, 50, 60, 40))
    assert part is not None
    (joined,) = join_tiles([(left, [whole]), (right, [part.shifted(0, 50)])])
    assert joined.rect == whole.rect
    assert (joined.mask == whole.mask).all()


def test_a_mask_is_laid_out_at_the_centres_of_pixels() -> None:
    mask = np.array([[0, 1], [1, 1]], np.float32)
    (found,) = lay_out(
        np.array([[2.0, 3.0, 6.0, 7.0]]), np.array([0.5]), np.array([1]), mask[None], (8, 8)
    )
    assert found.rect == Rect(2, 3, 4, 4)
    expected = [[0, 0.25, 0.75, 1], [0.25, 0.4375, 0.8125, 1]]
    np.testing.assert_allclose(found.mask[:2], expected, atol=0.02)
    beyond = lay_out(
        np.array([[-3.0, -3.0, -1.0, -1.0]]), np.array([0.5]), np.array([1]), mask[None], (8, 8)
    )
    assert beyond == []


def test_stuff_with_few_pixels_and_things_without_an_object_are_undecided() -> None:
    semantic = np.zeros((10, 10), np.int64)
    semantic[0, :3] = 1  # three pixels of another stuff class
    semantic[5:8, 5:8] = 2  # things
    numbers = np.zeros((10, 10), np.uint32)
    numbers[5:7, 5:8] = 1
    things = np.array([False, False, True])
    found = merged(numbers, np.array([2]), semantic, things, 4)
    assert (found[0, :3] == -1).all()
    assert (found[7, 5:8] == -1).all()
    assert (found[5:7, 5:8] == 2).all()
    assert (found == 0).sum() == 100 - 3 - 9
    assert (merged(numbers, np.array([2]), semantic, things, 3)[0, :3] == 1).all()
