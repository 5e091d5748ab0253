"""A network small enough to train in milliseconds, and runs on made pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import Tensor, nn

from segcore.base import ClassSet
from segcore.models import ModelSpec, architectures, register
from segcore.train import Recipe, TrainItem, freeze, make_run

CLASSES = ClassSet.from_names(["dark", "bright"])


class Tiny(nn.Module):
    """Norm, dropout, a depthwise convolution and a head: all that a loop may get wrong."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8),
        )
        self.dropout = nn.Dropout2d(0.2)
        self.segmentation_head = nn.Sequential(nn.Conv2d(8, classes, 1))

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.segmentation_head(self.dropout(self.encoder(images)))
        return result


if "test-tiny" not in architectures():

    @register("test-tiny", paper="https://example.org", year=2026, tasks=("semantic",))
    def build_tiny(spec: ModelSpec) -> nn.Module:
        return Tiny(spec.outputs, spec.channels)


TINY = Recipe(
    arch="test-tiny",
    weights=None,
    steps=8,
    batch=4,
    crop_height=32,
    crop_width=32,
    lr=0.01,
    checkpoint_seconds=3600,
    half=False,
)


def made_item(folder: Path, number: int, role: str = "train", group: str = "") -> TrainItem:
    """A grey picture with a bright rectangle; the target says where it is."""
    rng = np.random.default_rng(number)
    target = np.ones((48, 40), np.uint16)
    top, left = rng.integers(2, 20, 2)
    target[top : top + 22, left : left + 16] = 2
    image = np.where(target == 2, 190, 60) + rng.integers(-25, 25, target.shape)
    path = folder / f"{role}{number:03d}.png"
    cv2.imwrite(str(path), image.astype(np.uint8))
    return TrainItem(path.stem, (path,), target, role=role, group=group)  # type: ignore[arg-type]


MakeRun = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> MakeRun:
    """Make a run of made pictures: ``make(name, base=..., train=6, held_out=0, steps=...)``."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()

    def made(
        name: str,
        *,
        base: Path | None = None,
        train: int = 6,
        replay: int = 0,
        held_out: int = 0,
        first: int = 0,
        classes: ClassSet = CLASSES,
        **settings: object,
    ) -> Path:
        run_dir = tmp_path / name
        make_run(run_dir, TINY.changed(**settings), base=base)
        items = [made_item(pictures, first + i) for i in range(train)]
        items += [made_item(pictures, 100 + i, "replay") for i in range(replay)]
        items += [made_item(pictures, 200 + i, "held_out") for i in range(held_out)]
        freeze(items, run_dir, classes)
        return run_dir

    return made
