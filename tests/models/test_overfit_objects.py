"""Every architecture that finds objects can learn four pictures of nuclei by heart.

What it could reach at most is what the truth itself scores after a pass through the model's own
targets and back: a nucleus of a few pixels does not survive a grid of 28 cells unchanged.
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
from zoo import CASES, finds_objects, named

from segcore.base import ClassSet
from segcore.infer import Predictor
from segcore.metrics import PrecisionAccumulator, count_overlaps, segment_keys
from segcore.models import SegModel, Targets, build
from segcore.models.prepare import prepare

PICTURES = ("2f929b067a59f885", "57d88f45e479ce38", "619429303c1af754", "358e47eaa1e92222")
CELLS = ClassSet.from_names(["background", "nucleus"]).changed(2, thing=True)
SHARE = 0.9
CAP = 200  # optimiser steps
EVERY = 25  # between looks at the score
# A third of the numbers and none of the structure less: learning by heart needs no more.
LEAN: dict[str, Any] = {
    "pyramid_channels": 128,
    "box_features": 256,
    "sampled": 128,
    "proposals": 300,
}
FINDERS = [case for case in CASES if finds_objects(case)]

Label = NDArray[np.uint16]


@pytest.fixture(scope="module")
def nuclei(shared_data: Path) -> tuple[list[NDArray[np.uint8]], list[Label]]:
    """Four pictures of 256 x 256 with 10 to 60 nuclei each, and the numbers of these."""
    folder = shared_data / "nuclei"
    images, labels = [], []
    for name in PICTURES:
        image = cv2.imread(str(folder / "images" / f"{name}.png"), cv2.IMREAD_COLOR)
        label = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        images.append(np.asarray(image, np.uint8)[:, :, ::-1])
        labels.append(np.asarray(label, np.uint16))
    return images, labels


def precision(
    labels: list[Label], found: list[tuple[NDArray[np.uint32], dict[int, float]]]
) -> float:
    """AP50 of object numbers with their scores."""
    sums = PrecisionAccumulator(None)
    for label, (numbers, scores) in zip(labels, found, strict=True):
        # What is no nucleus is a class of its own: a false find there is one.
        truth = segment_keys(np.where(label > 0, 2, 1), label)
        given = segment_keys(np.where(numbers > 0, 2, 0), numbers)
        overlaps = count_overlaps(truth, given)
        of_nuclei = overlaps.only(overlaps.truth >= 2 << 32, overlaps.prediction > 0)
        sums.add(of_nuclei, {(2 << 32) + n: score for n, score in scores.items()})
    return float(sums.precision([2]).ap50[0])


def bound(labels: list[Label]) -> float:
    """AP50 of the truth itself, through targets and back."""
    found = []
    for label in labels:
        channels = (label > 0).astype(np.int64)
        plane, kept = through_targets(channels, label, np.array([False, True]))
        found.append((plane, dict.fromkeys(range(1, len(kept) + 1), 1.0)))
    return precision(labels, found)


def learn(
    model: SegModel,
    optimiser: torch.optim.Optimizer,
    images: torch.Tensor,
    targets: Targets,
    steps: int,
) -> None:
    """Optimise for so many steps."""
    for _ in range(steps):
        model.train()
        assert model.encoder is not None
        model.encoder.eval()  # its norms stay as they were learned, as in the papers
        output = model(images, targets)
        loss = torch.stack(list(output.losses.values())).sum()
        if model.semantic_share:
            pixels = nn.functional.cross_entropy(output.logits, targets.semantic)
            loss = loss + model.semantic_share * pixels
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()


def test_the_truth_through_targets_and_back_scores_nearly_1(
    nuclei: tuple[list[NDArray[np.uint8]], list[Label]],
) -> None:
    assert 0.98 < bound(nuclei[1]) <= 1


@pytest.mark.slow("trains every architecture that finds objects, minutes each")
@pytest.mark.parametrize("name", FINDERS)
def test_four_pictures_of_nuclei_are_learned_by_heart(
    name: str,
    nuclei: tuple[list[NDArray[np.uint8]], list[Label]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures, labels = nuclei
    torch.manual_seed(0)
    architecture, options = named(name)
    settings = options | {"base_options": LEAN} if options else LEAN
    model = build(architecture, classes=CELLS, weights="imagenet", **settings)
    images = torch.from_numpy(np.stack([prepare(i, model.spec.preparation) for i in pictures]))
    numbers = torch.from_numpy(np.stack(labels).astype(np.int64))
    targets = Targets((numbers > 0).long(), numbers)
    most = bound(labels)
    steps, reached, start = 0, 0.0, time.perf_counter()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    while steps < CAP and reached < SHARE * most:
        learn(model, optimiser, images, targets, EVERY)
        steps += EVERY
        predictor = Predictor(model, "cpu")
        found = []
        for picture in pictures:
            one = predictor.predict(picture, instances=True, least_score=0.05)
            assert one.instances is not None
            found.append((one.instances, dict(one.scores)))
        reached = max(reached, precision(labels, found))
    with capsys.disabled():
        print(
            f"\n{name}: bound {most:.3f}, reached {reached:.3f} ({reached / most:.2f} of it) after "
            f"{steps} of {CAP} steps, {time.perf_counter() - start:.0f} s"
        )
    assert reached >= SHARE * most
