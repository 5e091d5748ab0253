"""Training on objects: what a run keeps of them, what a step is told, and that losses fall."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from segcore.base import ClassSet, MaskwrightError, SizeMismatch
from segcore.infer.device import Device, choose_device
from segcore.infer.predictor import Prediction
from segcore.models import load_model
from segcore.models.layers.object_targets import encode
from segcore.models.output import Targets
from segcore.train import Recipe, TrainItem, freeze, make_run, read_frozen, train
from segcore.train.checkpoint import Progress, save_checkpoint
from segcore.train.recipe import parse_options
from segcore.train.score import Objects, score
from segcore.train.work import Work, set_up

CELLS = ClassSet.from_names(["background", "nucleus"]).changed(2, thing=True)
SMALL = (
    "pyramid_channels=32 box_features=64 proposals=100 sampled=64 detections=50 smallest_anchor=8"
)
RECIPE = Recipe(
    arch="mask_rcnn",
    encoder="tu-test_resnet",
    options=SMALL,
    weights=None,
    steps=4,
    batch=2,
    crop_height=96,
    crop_width=96,
    scale_low=1.0,
    scale_high=1.0,
    colour="none",
    lr=0.002,
    warmup=0.0,
    schedule="constant",
    checkpoint_seconds=3600,
    half=False,
)


def nuclei(shared_data: Path, folder: Path) -> list[TrainItem]:
    """Crops of 128 x 128 of pictures with many nuclei, and what their labels say."""
    items = []
    for name in ("0bf4b144167694b6", "57d88f45e479ce38"):
        path = shared_data / "nuclei/images" / f"{name}.png"
        image = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))[:128, :128]
        told = shared_data / "nuclei/labels" / f"{name}.png"
        label = np.asarray(cv2.imread(str(told), cv2.IMREAD_UNCHANGED))[:128, :128]
        cv2.imwrite(str(folder / f"{name}.png"), image)
        target = np.where(label > 0, 2, 1).astype(np.uint16)
        items.append(TrainItem(name, (folder / f"{name}.png",), target, instances=label))
    return items


def run_of(folder: Path, items: list[TrainItem], name: str = "run", **settings: object) -> Path:
    make_run(folder / name, RECIPE.changed(**settings))
    freeze(items, folder / name, CELLS)
    return folder / name


def plain_cpu() -> Device:
    return choose_device("cpu")


def work_of(run_dir: Path, **settings: object) -> Work:
    recipe = RECIPE.changed(**settings)
    return set_up(run_dir, recipe, read_frozen(run_dir), plain_cpu(), continued=False)


def test_a_run_keeps_the_objects_beside_the_classes(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30), np.uint8))
    numbers = np.zeros((20, 30), np.uint32)
    numbers[2:5, 2:5], numbers[8:12, 8:20] = 70_000, 12
    target = np.where(numbers > 0, 2, 1).astype(np.uint16)
    item = TrainItem("a", (tmp_path / "a.png",), target, instances=numbers)
    plain = TrainItem("b", (tmp_path / "a.png",), target)
    run_dir = run_of(tmp_path, [item, plain])
    kept, without = read_frozen(run_dir).items
    found = kept.read_instances()
    assert found is not None
    assert (found > 0).tolist() == (numbers > 0).tolist()
    assert sorted(np.unique(found).tolist()) == [0, 1, 2], "numbers fit 16 bits"
    assert without.read_instances() is None


def test_a_picture_that_is_all_objects_keeps_a_number_for_each(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    numbers = np.full((8, 8), 5, np.uint32)
    numbers[:, 4:] = 9
    item = TrainItem("a", (tmp_path / "a.png",), np.full((8, 8), 2, np.uint16), instances=numbers)
    (kept,) = read_frozen(run_of(tmp_path, [item])).items
    found = kept.read_instances()
    assert found is not None
    assert np.unique(found[:, :4]).tolist() == [1]
    assert np.unique(found[:, 4:]).tolist() == [2]


def test_objects_of_another_size_than_the_image_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    wrong = np.ones((8, 9), np.uint32)
    item = TrainItem("a", (tmp_path / "a.png",), np.ones((8, 8), np.uint16), instances=wrong)
    with pytest.raises(SizeMismatch, match="8 x 8 and its label 9 x 8"):
        run_of(tmp_path, [item])


def test_objects_of_further_layers_are_learned_and_asked_for_in_the_score(
    shared_data: Path, tmp_path: Path
) -> None:
    items = nuclei(shared_data, tmp_path)
    assert items[0].instances is not None
    many = int(items[0].instances.max()) + 1
    ids, numbers = np.zeros_like(items[0].target), np.zeros(items[0].target.shape, np.uint32)
    ids[20:90, 20:90], numbers[20:90, 20:90] = 2, many
    over = replace(items[0], further=((ids, numbers),), role="train")
    work = work_of(run_of(tmp_path, [over, items[1]]))
    batch = work.batches.make(0)
    told = Targets(batch.target, batch.instances, batch.further)  # type: ignore[arg-type]
    taught = encode(told, torch.tensor([False, True]))
    large = [(row["boxes"][:, 2:] - row["boxes"][:, :2]).amin() >= 50 for row in taught]
    largest = [(r["boxes"][:, 2:] - r["boxes"][:, :2]).amin(1).max() for r in taught]
    assert max(largest) >= 50, "a square over many nuclei is taught whole"
    assert not any(large)
    assert np.isfinite(work.gradients(batch, 1))

    objects = Objects(CELLS)
    data = read_frozen(tmp_path / "run").items
    first = data[0].read_instances()
    assert first is not None
    square = np.where(ids > 0, 1, 0).astype(np.uint32)
    found = Prediction(
        np.where(square > 0, 2, 1).astype(np.uint16), np.zeros_like(first, np.uint8),
        np.zeros_like(first, np.uint8), square, {1: 0.9},
    )  # fmt: skip
    objects.add(data[0], found, np.arange(3, dtype=np.uint16))
    precision = objects.summary()["ap50"]
    assert precision is not None
    assert precision > 0, "the one that was found is an object of a further layer"


def test_a_batch_tells_objects_where_an_item_has_them(shared_data: Path, tmp_path: Path) -> None:
    work = work_of(run_of(tmp_path, nuclei(shared_data, tmp_path)))
    batch = work.batches.make(0)
    assert batch.instances is not None
    assert batch.instances.shape == batch.target.shape
    assert torch.equal(batch.instances > 0, batch.target == 1)
    assert len(np.unique(batch.instances.numpy())) > 5
    assert torch.equal(work.batches.make(0).instances, batch.instances)  # type: ignore[arg-type]


def test_items_without_objects_are_refused_in_a_sentence(shared_data: Path, tmp_path: Path) -> None:
    items = nuclei(shared_data, tmp_path)
    bare = [TrainItem(i.name, i.sources, i.target) for i in items]
    with pytest.raises(MaskwrightError, match="no objects to learn from") as caught:
        work_of(run_of(tmp_path, bare))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("mask_rcnn", SMALL),
        ("panet", SMALL),
        ("panoptic_fpn", SMALL),
        (
            "pointrend",
            f"base=mask_rcnn points=49 base_options='{json.dumps(parse_options(SMALL))}'",
        ),
    ],
)
def test_the_losses_fall_on_two_crops_of_nuclei(
    arch: str, options: str, shared_data: Path, tmp_path: Path
) -> None:
    items = nuclei(shared_data, tmp_path)
    settings: dict[str, Any] = {"arch": arch, "options": options}
    run_dir = run_of(tmp_path, items, **settings)
    work = work_of(run_dir, **settings, flip=0.0, crop_height=128, crop_width=128)
    assert work.model.spec.options.get("base_options", work.model.spec.options)["sampled"] == 64
    batch = work.batches.make(0)
    progress = Progress(parts=1)
    losses = []
    for _ in range(12):
        work.step(batch, progress)
        losses.append(progress.loss)
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:2])


def test_parts_of_a_batch_have_the_gradients_of_their_own_objects(
    shared_data: Path, tmp_path: Path
) -> None:
    work = work_of(run_of(tmp_path, nuclei(shared_data, tmp_path)))
    batch = work.batches.make(0)
    torch.manual_seed(0)
    whole = work.gradients(batch, 1)
    torch.manual_seed(0)
    parts = work.gradients(batch, 2)
    assert parts == pytest.approx(whole, rel=0.25), "sampled anew, of the same objects"


def test_a_run_on_objects_is_resumed_exactly_and_leaves_a_model(
    shared_data: Path, tmp_path: Path
) -> None:
    items = nuclei(shared_data, tmp_path)
    whole = run_of(tmp_path, items, "whole", steps=4)
    train(whole, device="cpu")
    halves = run_of(tmp_path, items, "halves", steps=4, checkpoint_seconds=0)
    _train_until(halves, 2)
    train(halves, device="cpu")
    one, other = (load_model(folder / "result") for folder in (whole, halves))
    assert one.spec.tasks == ("instances",)
    assert one.spec.options["sampled"] == 64
    for (key, mine), theirs in zip(
        one.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs), key


def _train_until(run_dir: Path, steps: int) -> None:
    """As a process that is killed after so many steps: only its checkpoint is left."""
    work = set_up(run_dir, RECIPE, read_frozen(run_dir), plain_cpu(), continued=False)
    progress = Progress(parts=1)
    for number in range(steps):
        work.set_rate(number / work.steps)
        work.step(work.batches.make(number), progress)
    save_checkpoint(run_dir, progress, work.model, work.optimiser, work.mean)


def test_held_out_objects_are_scored(shared_data: Path, tmp_path: Path) -> None:
    items = nuclei(shared_data, tmp_path)
    run_dir = run_of(tmp_path, items)
    work = work_of(run_dir)
    data = read_frozen(run_dir)
    work.model.network.least_score = 0.0  # type: ignore[assignment]
    found = score(work.model, data.items, data.classes)
    assert found["mean_iou"] is not None
    assert 0 <= found["ap50"] <= 1
    assert 0 <= found["pq"] <= 1
