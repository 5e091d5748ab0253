"""The core's answer to what a training would see."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segcore.base import CLASS_PRESETS, Cancelled, MaskwrightError
from segcore.service.client import Client
from segcore.service.core import Croppers
from segcore.service.protocol import CropsMade, JobChanged, MakeCrops
from segcore.service.worker import JobContext
from segcore.train import Recipe, TrainItem, freeze, make_run
from segcore.train.crops import CropMaker

SETTINGS: dict[str, Any] = {"batch": 2, "crop_height": 32, "crop_width": 48, "rotate": 10.0}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    items = []
    for n in range(3):
        path = tmp_path / f"i{n}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
        items.append(TrainItem(f"i{n}", (path,), rng.integers(0, 12, (40, 60)).astype(np.uint16)))
    make_run(tmp_path / "run", Recipe())
    freeze(items, tmp_path / "run", CLASS_PRESETS["camvid"])
    return tmp_path / "run"


def job(run: Path, **settings: Any) -> MakeCrops:
    return MakeCrops(key="crops", run_dir=str(run), settings=SETTINGS | settings, first=3, count=4)


def test_the_core_makes_the_crops_that_training_makes(run: Path) -> None:
    said: list[Any] = []
    croppers = Croppers()
    for settings in ({}, {"flip": 1.0}):
        croppers.make(job(run, **settings), JobContext(1, "crops", said.append))
        answer = said.pop()
        assert isinstance(answer, CropsMade)
        expected = CropMaker(run).make(Recipe(**SETTINGS, **settings), 3, 4)
        assert (answer.images == expected.images).all()
        assert (answer.classes == expected.classes).all()
        assert answer.names == expected.names
        assert len(answer.objects) == 0


def test_a_setting_that_training_refuses_is_said(run: Path) -> None:
    with pytest.raises(MaskwrightError, match="batch is 0"):
        Croppers().make(job(run, batch=0), JobContext(1, "crops", lambda _: None))


def test_crops_that_nobody_waits_for_are_not_sent(run: Path) -> None:
    said: list[Any] = []
    context = JobContext(1, "crops", said.append)
    context.cancel()
    with pytest.raises(Cancelled):
        Croppers().make(job(run), context)
    assert not said


def test_crops_cross_the_process_and_the_newest_wins(run: Path) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with Client("core", heard.put) as client:
        numbers = [client.submit(job(run, flip=flip)) for flip in (0.0, 0.5, 1.0)]
        made: list[CropsMade] = []
        states: dict[int, str] = {}
        while states.get(numbers[-1]) != "done":
            event = heard.get(timeout=120)
            if isinstance(event, CropsMade):
                made.append(event)
            elif isinstance(event, JobChanged):
                states[event.number] = event.state
                assert event.state not in ("failed", "lost"), event.reason
    assert [states[number] for number in numbers] == ["cancelled", "cancelled", "done"]
    (answer,) = made
    expected = CropMaker(run).make(Recipe(**SETTINGS, flip=1.0), 3, 4)
    assert (answer.images == expected.images).all()
    assert answer.earlier == (False,) * 4
