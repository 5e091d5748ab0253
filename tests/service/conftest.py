"""Fixtures of the services' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segcore.base import CLASS_PRESETS
from segcore.service.client import Client
from tests.service.hearing import Heard


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def refiner(heard: Heard) -> Iterator[Client]:
    with Client("refiner", heard) as client:
        yield client


@pytest.fixture(scope="session")
def street_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of the street classes with random numbers and tiles of 64 pixels."""
    import torch

    from segcore.models import build, save_model

    torch.manual_seed(3)
    model = build("unet", classes=CLASS_PRESETS["camvid"], decoder_channels=[32, 16, 16, 8, 8])
    model.spec = model.spec.changed(name="street", tile=64, overlap=16)
    folder = tmp_path_factory.mktemp("models") / "street"
    save_model(model, folder)
    return folder
