"""The same predictions and trainings on a graphics card."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from segcore.base import ClassSet
from segcore.infer import Predictor, choose_device
from segcore.models import build
from segcore.train import Recipe, TrainItem, freeze, make_run, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]


def test_cuda_is_chosen_and_predicts_what_the_cpu_predicts() -> None:
    torch.manual_seed(0)
    model = build("unet", classes=4, encoder="resnet18")
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    here = Predictor(model, "cpu").predict(image)
    there = Predictor(model).predict(image)
    assert choose_device().name == "cuda"
    assert (here.classes == there.classes).mean() > 0.97


def test_a_run_trains_resumes_and_fits_its_memory_on_cuda(tmp_path: Path) -> None:
    classes = ClassSet.from_names(["dark", "bright"])
    rng = np.random.default_rng(0)
    items = []
    for number in range(6):
        target = np.ones((96, 96), np.uint16)
        target[20:70, 10 + number * 5 : 50 + number * 5] = 2
        values = np.where(target == 2, 190, 60) + rng.integers(-25, 25, target.shape)
        cv2.imwrite(str(tmp_path / f"{number}.png"), values.astype(np.uint8))
        path = tmp_path / f"{number}.png"
        role = "held_out" if number == 5 else "train"
        items.append(TrainItem(path.stem, (path,), target, role=role))  # type: ignore[arg-type]
    recipe = Recipe(encoder="resnet18", weights=None, steps=20, batch=4)
    make_run(tmp_path / "run", recipe)
    freeze(items, tmp_path / "run", classes)
    report = train(tmp_path / "run", device="cuda")
    assert report["step"] == 20
    assert report["loss"] < 1.0
