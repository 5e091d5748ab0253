"""Planes of classes and numbers become targets of a detector, and its output planes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from object_truth import through_targets
from torch import Tensor

from segcore.base import ClassSet, MaskwrightError
from segcore.metrics.overlaps import count_overlaps, segment_keys
from segcore.metrics.panoptic import PanopticAccumulator
from segcore.metrics.precision import PrecisionAccumulator
from segcore.models import SegModel, Targets, build, for_project
from segcore.models.layers.detection import ObjectHeads, Proposals, PyramidPool
from segcore.models.layers.object_targets import encode, masks_on_boxes, share_aside
from segcore.models.output import SEGMENT_BITS

THINGS = torch.tensor([False, True])
FEW = {
    "pyramid_channels": 32,
    "box_features": 64,
    "proposals": 50,
    "sampled": 32,
    "detections": 20,
}
SMALL: dict[str, Any] = {"encoder": "tu-test_resnet", **FEW}
FINDERS = ["mask_rcnn", "panet", "panoptic_fpn", "pointrend on mask_rcnn", "pointrend on panet"]


def finder(name: str, **further: Any) -> SegModel:
    """A small model that finds objects, by its name or as NAME on BASE."""
    architecture, _, base = name.partition(" on ")
    settings = {"encoder": SMALL["encoder"], "base": base, "base_options": FEW} if base else SMALL
    return build(architecture, **settings | further)


def planes(size: tuple[int, int] = (40, 60)) -> tuple[Tensor, Tensor]:
    return torch.zeros(1, *size, dtype=torch.int64), torch.zeros(1, *size, dtype=torch.int64)


def put(semantic: Tensor, numbers: Tensor, number: int, rows: slice, columns: slice) -> None:
    semantic[0, rows, columns] = 1
    numbers[0, rows, columns] = number


def test_boxes_are_edges_of_pixels_and_labels_count_on_from_the_background() -> None:
    semantic, numbers = planes()
    put(semantic, numbers, 9, slice(5, 15), slice(10, 30))
    put(semantic, numbers, 4, slice(20, 40), slice(0, 8))
    (row,) = encode(Targets(semantic, numbers), THINGS)
    assert row["numbers"].tolist() == [4, 9]
    assert row["boxes"].tolist() == [[0, 20, 8, 40], [10, 5, 30, 15]]
    assert row["labels"].tolist() == [2, 2]


def test_objects_that_overlap_are_taught_whole_each_from_its_layer() -> None:
    semantic, numbers = planes()
    put(semantic, numbers, 3, slice(5, 25), slice(10, 30))
    beneath, below = torch.full_like(semantic, -100), torch.zeros_like(numbers)
    put(beneath, below, 8, slice(15, 35), slice(20, 50))
    # The first layer has the class of what lies above it: without the other that is a crowd.
    semantic[0, 25:35, 20:50] = semantic[0, 15:25, 30:50] = 1
    (alone,) = encode(Targets(semantic, numbers), THINGS)
    assert alone["numbers"].tolist() == [3]
    assert share_aside(alone["aside"], torch.tensor([[30.0, 25, 50, 35]])).item() == 1
    (row,) = encode(Targets(semantic, numbers, ((beneath, below),)), THINGS)
    assert row["numbers"].tolist() == [3, 8]
    assert row["layers"].tolist() == [0, 1]
    assert row["labels"].tolist() == [2, 2]
    assert row["boxes"].tolist() == [[10, 5, 30, 25], [20, 15, 50, 35]]
    assert not row["aside"].any(), "no crowd is left once the other object is known"
    masks, known = masks_on_boxes(row, torch.tensor([0, 1]), row["boxes"], 4)
    assert (masks == 1).all(), "each is whole, also where they share pixels"
    assert known.all()
    # Where the first layer is void, an object of another layer is known all the same.
    semantic[0, 15:35, 30:50] = -100
    (row,) = encode(Targets(semantic, numbers, ((beneath, below),)), THINGS)
    assert not row["aside"].any()


def test_padding_adds_void_to_every_layer() -> None:
    semantic, numbers = planes((6, 7))
    padded = Targets(semantic, numbers, ((semantic + 1, numbers + 2),)).padded(2, 1)
    for ids, objects in padded.layers:
        assert ids.shape == objects.shape == (1, 8, 8)
        assert (ids[0, 6:] == -100).all()
        assert (objects[0, :, 7:] == 0).all()
    assert (padded.further[0][0][0, :6, :7] == 1).all()
    assert (padded.further[0][1][0, :6, :7] == 2).all()


def test_a_picture_without_objects_has_empty_targets() -> None:
    (row,) = encode(Targets(*planes()), THINGS)
    assert row["boxes"].shape == (0, 4)
    assert row["labels"].shape == (0,)
    assert not row["aside"].any()


def test_void_crowds_and_slivers_teach_neither_objects_nor_their_absence() -> None:
    semantic, numbers = planes()
    semantic[0, :10] = -100
    put(semantic, numbers, 0, slice(20, 30), slice(0, 20))  # things that nobody told apart
    put(semantic, numbers, 3, slice(35, 36), slice(57, 60))  # three pixels of an object
    (row,) = encode(Targets(semantic, numbers), THINGS)
    assert len(row["boxes"]) == 0
    boxes = torch.tensor(
        [[0, 0, 60, 10], [0, 20, 20, 30], [56, 34, 60, 38], [0, 0, 60, 40], [30, 12, 50, 18]]
    ).float()
    found = share_aside(row["aside"], boxes)
    expected = [1.0, 1.0, 3 / 16, (600 + 200 + 3) / 2400, 0.0]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_a_box_beyond_the_picture_counts_only_what_is_in_it() -> None:
    semantic, numbers = planes()
    semantic[0, :, :5] = -100
    (row,) = encode(Targets(semantic, numbers), THINGS)
    boxes = torch.tensor([[-50.0, -50, 5, 20], [-5, 30, 10, 90]])
    torch.testing.assert_close(share_aside(row["aside"], boxes), torch.tensor([1.0, 0.5]))


def test_the_class_of_an_object_is_that_of_most_of_its_pixels() -> None:
    semantic, numbers = planes()
    put(semantic, numbers, 1, slice(0, 10), slice(0, 10))
    semantic[0, 0:3, 0:10] = 2
    (row,) = encode(Targets(semantic, numbers), torch.tensor([False, True, True]))
    assert row["labels"].tolist() == [2]


def test_a_mask_on_a_grid_as_fine_as_its_box_is_the_mask_itself() -> None:
    semantic, numbers = planes()
    rng = np.random.default_rng(0)
    shape = torch.from_numpy(rng.random((14, 14)) > 0.5)
    shape[0, 0] = shape[13, 13] = True
    semantic[0, 6:20, 3:17] = shape.long()
    numbers[0, 6:20, 3:17] = shape * 5
    semantic[0, 12] = -100
    (row,) = encode(Targets(semantic, numbers), THINGS)
    masks, known = masks_on_boxes(row, torch.tensor([0]), row["boxes"], 14)
    torch.testing.assert_close(masks[0], shape.float())
    assert set((~known[0]).nonzero()[:, 0].tolist()) == {6}


def test_anchors_and_proposals_that_lie_aside_are_no_background() -> None:
    semantic, numbers = planes((64, 64))
    put(semantic, numbers, 1, slice(40, 60), slice(40, 60))
    semantic[0, :20] = -100
    (row,) = encode(Targets(semantic, numbers), THINGS)
    at = torch.tensor([[0.0, 0, 20, 20], [40, 40, 60, 60], [0, 40, 20, 60]])
    labels, _ = Proposals(8, 16, 50).assign_targets_to_anchors([at], [row])
    assert labels[0].tolist() == [-1, 1, 0]
    heads = build("mask_rcnn", classes=2, **SMALL).network.heads
    assert isinstance(heads, ObjectHeads)
    heads._aside = [row["aside"]]
    _, labels = heads.assign_targets_to_proposals([at], [row["boxes"]], [row["labels"]])
    assert labels[0].tolist() == [-1, 2, 0]


def test_boxes_are_pooled_from_the_level_of_their_size_and_from_their_place() -> None:
    maps = []
    for stride in (4, 8, 16, 32):
        size = 256 // stride
        x = (torch.arange(size) + 0.5) * stride
        maps.append(torch.stack((x.expand(size, size), torch.full((size, size), float(stride)))))
    boxes = torch.tensor([[20.0, 40, 52, 72], [0, 0, 224, 224], [32, 32, 144, 144], [8, 8, 24, 24]])
    found = PyramidPool(4, 224)([m[None] for m in maps], [boxes])
    assert found[:, 1, 0, 0].tolist() == [4, 16, 8, 4]
    centres = boxes[:, 0, None] + (torch.arange(4) + 0.5) / 4 * (boxes[:, 2] - boxes[:, 0])[:, None]
    torch.testing.assert_close(found[0, 0, 0], centres[0])  # no shift by half a pixel
    torch.testing.assert_close(found[2, 0, 1], centres[2])
    everywhere = PyramidPool(4, 224, everywhere=True)([m[None] for m in maps], [boxes])
    assert everywhere.shape == (4, 4, 2, 4, 4)
    assert everywhere[:, 0, 1, 0, 0].tolist() == [4, 8, 16, 32]


def nuclei(folder: Path, count: int) -> list[np.ndarray]:
    paths = sorted((folder / "nuclei/labels").glob("*.png"))
    chosen = paths[:: len(paths) // count][:count]
    return [np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) for path in chosen]


def test_nuclei_survive_the_way_into_targets_and_back(shared_data: Path) -> None:
    """The bound of issue 8: what the truth itself scores, encoded and decoded."""
    precision, quality = PrecisionAccumulator(None), PanopticAccumulator()
    for label in nuclei(shared_data, 20):
        plane, kept = through_targets((label > 0).astype(np.int64), label, THINGS.numpy())
        truth = segment_keys((label > 0).astype(np.int64), label)
        found = segment_keys((plane > 0).astype(np.int64), plane)
        objects = count_overlaps(np.where(truth, truth, -1), found)
        objects = objects.only(objects.truth > 0, objects.prediction > 0)
        assert len(kept) == plane.max()
        precision.add(objects)
        quality.add(objects)
    found_precision = precision.precision([1])
    assert found_precision.objects[0] > 500
    assert found_precision.ap50[0] > 0.98
    assert found_precision.ap[0] > 0.85
    assert quality.quality([1]).pq[0] > 0.9


@pytest.mark.parametrize("name", FINDERS)
def test_a_project_without_things_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(MaskwrightError, match="no class of the project is counted") as caught:
        finder(name, classes=ClassSet.from_names(["sky", "road"]))
    assert caught.value.hint


@pytest.mark.parametrize("name", FINDERS)
def test_fine_tuning_carries_scores_boxes_and_masks_of_a_class(name: str) -> None:
    torch.manual_seed(0)
    old = finder(name, classes=["cell", "wall", "dust"]).eval()
    for parameter_name in old.class_axes():
        torch.nn.init.normal_(old.get_parameter(parameter_name), std=0.05)
    new, plan = for_project(old, ClassSet.from_names(["dust"]).changed(1, thing=True))
    assert plan.copied == {0: 2, 1: 0, 2: 1}
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before, after = old(images).detections[0], new.eval()(images).detections[0]
    assert len(before.scores) == 20
    torch.testing.assert_close(after.scores, before.scores)
    torch.testing.assert_close(after.boxes, before.boxes)
    torch.testing.assert_close(after.masks, before.masks)
    table = torch.tensor([1, 2, 0])
    assert torch.equal(after.channels, table[before.channels])


def test_a_class_that_is_no_thing_is_never_found() -> None:
    torch.manual_seed(0)
    classes = ClassSet.from_names(["ground", "cell"]).changed(2, thing=True)
    model = build("mask_rcnn", classes=classes, **SMALL).eval()
    with torch.no_grad():
        model.network.heads.box_predictor.classes.bias[:] = torch.tensor([0.0, 9.0, 1.0])  # type: ignore[union-attr,operator]
        found = model(torch.randn(1, 3, 64, 64))
    assert len(found.detections[0].channels) > 0
    assert set(found.detections[0].channels.tolist()) == {1}


def test_scores_of_classes_come_from_the_objects_where_nothing_else_gives_them() -> None:
    torch.manual_seed(0)
    classes = ClassSet.from_names(["ground", "cell"]).changed(2, thing=True)
    model = build("mask_rcnn", classes=classes, **SMALL).eval()
    model.network.least_score = 0.0  # type: ignore[assignment]
    with torch.no_grad():
        torch.nn.init.normal_(model.head.weight, std=0.5)
        output = model(torch.randn(1, 3, 64, 64))
    share = torch.zeros(64, 64)
    for one in output.detections[0].found(64, 64):
        part = share[one.rect.slices]
        torch.maximum(part, torch.from_numpy(one.mask), out=part)
    torch.testing.assert_close(output.logits.softmax(1)[0, 1], share, atol=1e-3, rtol=0)
    assert ((output.instances[0] > 0) <= (share >= 0.5)).all()
    assert (output.instances[0] > 0).any()


def test_a_panoptic_answer_takes_objects_first_and_leaves_out_things_without_one() -> None:
    torch.manual_seed(0)
    classes = ClassSet.from_names(["ground", "sky", "cell"]).changed(3, thing=True)
    model = build("panoptic_fpn", classes=classes, least_stuff=0, **SMALL)
    model.eval().network.least_score = 0.0  # type: ignore[assignment]
    with torch.no_grad():
        torch.nn.init.normal_(model.head.weight, std=0.5)
        output = model(torch.randn(1, 3, 70, 90))
    panoptic, numbers, best = output.panoptic[0], output.instances[0], output.logits[0].argmax(0)
    assert panoptic.shape == (70, 90)
    assert torch.equal(panoptic & ((1 << SEGMENT_BITS) - 1), numbers)
    channels = (panoptic >> SEGMENT_BITS) - 1
    assert (channels[numbers > 0] == 2).all()
    without = numbers == 0
    assert torch.equal(channels[without], torch.where(best == 2, -1, best)[without])
    assert (best[without] == 2).any()
    assert (best[without] != 2).any()


@pytest.mark.parametrize("name", FINDERS)
def test_a_model_that_finds_objects_says_that_it_needs_targets(name: str) -> None:
    model = finder(name, classes=2).train()
    with pytest.raises(MaskwrightError, match="without targets"):
        model(torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize("name", FINDERS)
def test_boxes_stay_exact_where_the_network_computes_with_few_bits(name: str) -> None:
    torch.manual_seed(0)
    model = finder(name, classes=2)
    semantic, numbers = planes((64, 64))
    put(semantic, numbers, 1, slice(10, 40), slice(20, 50))
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.train()(torch.randn(1, 3, 64, 64), Targets(semantic, numbers)).losses
        with torch.no_grad():
            found = model.eval()(torch.randn(1, 3, 64, 64)).detections[0]
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert all(value.isfinite() for value in losses.values())
    assert found.boxes.dtype == torch.float32
    assert not torch.equal(found.boxes, found.boxes.bfloat16().float())


@pytest.mark.parametrize("name", ["mask_rcnn", "pointrend on mask_rcnn"])
def test_a_picture_without_one_object_trains(name: str) -> None:
    model = finder(name, classes=2).train()
    nothing = torch.full((1, 64, 64), -100)
    for semantic in (nothing, torch.zeros_like(nothing)):
        given = Targets(semantic, torch.zeros_like(semantic))
        losses = model(torch.randn(1, 3, 64, 64), given).losses
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        assert all(value.isfinite() for value in losses.values())
