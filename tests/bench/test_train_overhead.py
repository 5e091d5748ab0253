"""What the training loop adds to its bare forward, backward and optimiser step.

Budget: 1.10 times the bare step, measured in the same run, with decoded images cached and
scale-crop-flip augmentation on, on real pictures and the default network.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import cv2
import pytest
import torch

from segcore.base import CLASS_PRESETS
from segcore.infer.device import choose_device
from segcore.train import Recipe, TrainItem, freeze, make_run, read_frozen
from segcore.train.checkpoint import Progress
from segcore.train.losses import combined
from segcore.train.work import set_up

ROUNDS = 8


@pytest.mark.bench
def test_the_loop_costs_at_most_a_tenth_more_than_its_bare_step(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, classes = shared_data / "camvid" / "train", CLASS_PRESETS["camvid"]
    items = []
    for path in sorted((folder / "images").glob("*.jpg"))[:24]:
        values = cv2.imread(str(folder / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
        items.append(TrainItem(path.stem, (path,), classes.value_to_id()[values]))
    make_run(tmp_path / "run", Recipe(steps=1000))
    freeze(items, tmp_path / "run", classes)
    data = read_frozen(tmp_path / "run")
    device = choose_device("cpu")
    work = set_up(tmp_path / "run", Recipe(steps=1000), data, device, continued=False)
    fixed = work.batches.make(0)
    images = fixed.images.contiguous(memory_format=torch.channels_last)

    def bare() -> None:
        work.optimiser.zero_grad(set_to_none=True)
        with device.autocast():
            logits = work.model(images).logits
        combined(work.terms, logits, fixed.target, None, work.told).backward()
        work.optimiser.step()

    work.model.train()
    progress = Progress()
    for _ in range(3):
        bare()
    times: dict[str, list[float]] = {"bare": [], "loop": []}
    for number in range(6):  # decode all pictures once
        work.batches.make(number)
    # In turns, so that another program's load falls on both, and in processor time, which such a
    # load does not count in. The loop makes its batches in a thread beside the step; here they are
    # made before it, so that all of their cost is seen.
    for number in range(ROUNDS):
        began = time.process_time()
        work.set_rate(0.5)
        work.step(work.batches.make(number), progress)
        times["loop"].append(time.process_time() - began)
        began = time.process_time()
        bare()
        times["bare"].append(time.process_time() - began)
    loop, floor = (statistics.median(times[name]) for name in ("loop", "bare"))
    with capsys.disabled():
        print(f"\nloop {1e3 * loop:.0f} ms, bare step {1e3 * floor:.0f} ms, {loop / floor:.3f}")
    assert loop <= 1.10 * floor
