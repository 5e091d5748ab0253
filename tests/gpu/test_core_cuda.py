"""The core on a graphics card: what it says, and that it gives the memory back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from segcore.base import ClassSet
from segcore.models import build, save_model
from segcore.service.client import Client
from segcore.service.core import Models
from segcore.service.protocol import Predict, ProcessReady, TilePredicted, Unload
from tests.service.hearing import Heard

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device"),
]

CLASSES = ClassSet.from_names(["dark", "bright"])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_model(build("unet", classes=CLASSES, encoder="resnet18"), tmp_path / "model")
    return tmp_path / "model"


def test_unloading_for_a_training_gives_the_memory_of_the_card_back(model: Path) -> None:
    models = Models()
    before = torch.cuda.memory_allocated()
    models.get(model)
    assert torch.cuda.memory_allocated() > before
    assert models.unload()
    assert torch.cuda.memory_allocated() == before
    assert not models.unload()


def test_a_core_predicts_on_cuda_also_after_it_was_unloaded(model: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))
    heard = Heard()
    job = Predict(
        key="p",
        item="1",
        image_paths=(str(picture),),
        model_path=str(model),
        class_rows=tuple(CLASSES.to_rows()),
    )
    with Client("core", heard) as core:
        core.start()
        assert heard.wait_of(ProcessReady).device == "cuda"
        for _ in range(2):
            number = core.submit(job)
            assert heard.wait_end(number).state == "done"
            tiles = [e for e in heard.answers(number) if isinstance(e, TilePredicted)]
            assert sum(tile.rect.area for tile in tiles) == 300 * 400
            assert heard.wait_end(core.submit(Unload())).state == "done"
