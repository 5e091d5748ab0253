"""Panoptic FPN can learn the two pictures of COCO's panoptic examples by heart.

What it could reach at most is the panoptic quality of the truth itself after a pass through the
model's own targets, masks on grids, and merging.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from object_truth import through_targets
from torch import nn

from segcore.base import ClassSet
from segcore.formats.coco_reading import read_coco
from segcore.infer import Predictor
from segcore.metrics import PanopticAccumulator, count_overlaps, segment_keys
from segcore.models import Targets, build
from segcore.models.objects import merged
from segcore.models.output import VOID
from segcore.models.prepare import prepare

SHARE = 0.9
CAP = 400  # optimiser steps
EVERY = 25  # between looks at the quality
SIZE = (224, 320)  # half of the pictures', so that minutes do
# A third of the numbers and none of the structure less: learning by heart needs no more.
LEAN: dict[str, Any] = {
    "pyramid_channels": 128,
    "box_features": 256,
    "sampled": 128,
    "proposals": 300,
}

Planes = list[tuple[NDArray[np.int64], NDArray[np.int64]]]  # channels or VOID, and numbers


@pytest.fixture(scope="module")
def scenes(shared_data: Path) -> tuple[ClassSet, list[NDArray[np.uint8]], Planes]:
    """The classes that occur, the pictures, and what COCO says of every pixel."""
    folder = shared_data / "coco_panoptic"
    file = read_coco(folder / "panoptic_examples.json")
    read = [file.layers(picture).layers[0] for picture in file.pictures]
    seen = {int(i) for ids, _ in read for i in np.unique(ids)}
    classes = ClassSet(tuple(c for c in file.classes.scored if int(c.id) in seen))
    channel = np.full(1 << 16, VOID, np.int64)
    channel[[c.id for c in classes.scored]] = np.arange(len(classes.scored))
    images, planes = [], []
    for picture, (ids, numbers) in zip(file.pictures, read, strict=True):
        image = np.asarray(
            cv2.imread(str(folder / "input_images" / f"{Path(picture.file).stem}.jpg"))
        )
        images.append(cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_AREA)[:, :, ::-1])
        small = [
            cv2.resize(p.astype(np.uint16), SIZE[::-1], interpolation=cv2.INTER_NEAREST)
            for p in (ids, numbers)
        ]
        planes.append((channel[small[0]], small[1].astype(np.int64)))
    return classes, [np.asarray(i, np.uint8) for i in images], planes


def quality(truth: Planes, found: Planes, classes: int) -> float:
    """Mean PQ over the classes; channels, -1 and below being void or undecided."""
    sums = PanopticAccumulator()
    for told, given in zip(truth, found, strict=True):
        keys = [segment_keys(np.maximum(c, -1) + 1, n) for c, n in (told, given)]
        sums.add(count_overlaps(*keys))
    return float(np.nanmean(sums.quality(list(range(1, classes + 1))).pq))


def decoded(classes: ClassSet, planes: Planes) -> Planes:
    """The truth through targets and back."""
    things = np.array([c.thing for c in classes.scored])
    found = []
    for channels, numbers in planes:
        plane, kept = through_targets(channels, numbers, things)
        chosen = np.array([one.channel for one in kept], np.int64)
        best = np.where(channels < 0, 0, channels)
        whole = merged(plane, chosen, best, things, 64)
        found.append((np.where(channels < 0, -1, whole), plane.astype(np.int64)))
    return found


def test_coco_through_targets_and_back_keeps_its_panoptic_quality(
    scenes: tuple[ClassSet, list[NDArray[np.uint8]], Planes],
) -> None:
    classes, _, planes = scenes
    assert sum(c.thing for c in classes.scored) >= 4
    assert sum(not c.thing for c in classes.scored) > 2
    assert quality(planes, planes, len(classes.scored)) == 1
    assert 0.85 < quality(planes, decoded(classes, planes), len(classes.scored)) < 1


@pytest.mark.slow("trains Panoptic FPN, many minutes on two cores")
def test_two_scenes_of_coco_are_learned_by_heart(
    scenes: tuple[ClassSet, list[NDArray[np.uint8]], Planes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    classes, pictures, planes = scenes
    count = len(classes.scored)
    torch.manual_seed(0)
    model = build("panoptic_fpn", classes=classes, weights="imagenet", **LEAN)
    images = torch.from_numpy(np.stack([prepare(i, model.spec.preparation) for i in pictures]))
    targets = Targets(*(torch.from_numpy(np.stack(p)) for p in zip(*planes, strict=True)))
    channel = np.full(1 << 16, -1, np.int64)
    channel[[c.id for c in classes.scored]] = np.arange(count)
    most = quality(planes, decoded(classes, planes), count)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    start, reached, step = time.perf_counter(), 0.0, 0
    while step < CAP and reached < SHARE * most:
        for _ in range(EVERY):
            model.train()
            assert model.encoder is not None
            model.encoder.eval()  # its norms stay as they were learned, as in the paper
            output = model(images, targets)
            pixels = nn.functional.cross_entropy(output.logits, targets.semantic, ignore_index=VOID)
            loss = torch.stack(list(output.losses.values())).sum() + pixels
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
        step += EVERY
        predictor = Predictor(model, "cpu")
        found: Planes = []
        for picture in pictures:
            one = predictor.predict(picture, instances=True)
            assert one.instances is not None
            found.append((channel[one.classes], one.instances.astype(np.int64)))
        reached = max(reached, quality(planes, found, count))
    with capsys.disabled():
        print(
            f"\npanoptic_fpn: bound {most:.3f}, reached {reached:.3f} ({reached / most:.2f} of it) "
            f"after {step} of {CAP} steps, {time.perf_counter() - start:.0f} s"
        )
    assert reached >= SHARE * most
