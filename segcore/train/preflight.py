"""What a prepared run will learn from and cost, said before it starts.

`look` counts and loads no torch; `measure` runs three steps on this device and forgets them.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from segcore.train.frozen import FrozenData, read_frozen
from segcore.train.runs import BASE, read_run

FEW_PIXELS = 2_000
FEW_ITEMS = 3
MEASURED_STEPS = 3


@dataclass(frozen=True)
class Scarce:
    """A class of which there is too little to learn."""

    name: str
    pixels: int
    items: int


@dataclass(frozen=True)
class Material:
    """What a run learns from.

    Parameters
    ----------
    train, replay, held_out : numbers of items (slices of volumes count each).
    steps : optimiser steps; None where only the clock decides.
    scarce : classes with fewer than 2,000 pixels or in fewer than 3 items to train on.
    measured : whether there are enough held-out items for old against new.
    """

    train: int
    replay: int
    held_out: int
    steps: int | None
    scarce: tuple[Scarce, ...]
    measured: bool


@dataclass(frozen=True)
class Cost:
    """What a run costs on this device.

    Parameters
    ----------
    seconds : of one step, the median of the measured ones.
    minutes : of the whole run.
    memory : bytes that the process (on a graphics card: the card) took at most.
    free : bytes that are free there before the run.
    device : what people read.
    """

    seconds: float
    minutes: float
    memory: int
    free: int
    device: str


def look(run_dir: Path) -> Material:
    """Count what a prepared run will learn from.

    Raises
    ------
    BadFile : the folder is no run, or is damaged.
    """
    run, data = read_run(run_dir), read_frozen(run_dir)
    train = data.of("train")
    held_out = len(data.of("held_out"))
    return Material(
        train=len(train),
        replay=len(data.of("replay")),
        held_out=held_out,
        steps=None
        if run.recipe.steps is run.recipe.epochs is None and run.recipe.minutes
        else run.recipe.total_steps(len(train)),
        scarce=scarce(data),
        measured=held_out >= 5,
    )


def scarce(data: FrozenData) -> tuple[Scarce, ...]:
    """The scored classes that the training items hardly show."""
    found = []
    for c in data.classes.scored:
        counts = [item.counts.get(int(c.id), 0) for item in data.of("train", "replay")]
        items = sum(n > 0 for n in counts)
        if sum(counts) < FEW_PIXELS or items < FEW_ITEMS:
            found.append(Scarce(c.name, sum(counts), items))
    return tuple(found)


def measure(run_dir: Path, *, device: str | None = None) -> Cost:
    """Run three steps of a prepared run after a first one, and tell what the whole will cost.

    Nothing is written; the run starts afterwards as if it had never been measured.

    Raises
    ------
    MaskwrightError : the run cannot be trained, with the sentence that training would give.
    """
    import psutil
    import torch

    from segcore.infer.device import choose_device
    from segcore.train.checkpoint import Progress
    from segcore.train.work import set_up

    chosen = choose_device(device)
    cuda = chosen.name.startswith("cuda")
    process = psutil.Process()
    before = process.memory_info().rss
    free = torch.cuda.mem_get_info(chosen.name)[0] if cuda else psutil.virtual_memory().available
    if cuda:
        torch.cuda.reset_peak_memory_stats(chosen.name)
    run, data = read_run(run_dir), read_frozen(run_dir)
    work = set_up(run_dir, run.recipe, data, chosen, continued=(run_dir / BASE).is_dir())
    seconds, peak = [], 0
    progress = Progress()
    for number in range(MEASURED_STEPS + 1):
        began = time.monotonic()
        work.step(work.batches.make(number), progress)
        seconds.append(time.monotonic() - began)
        peak = max(peak, process.memory_info().rss - before)
    memory = torch.cuda.max_memory_allocated(chosen.name) if cuda else peak
    typical = statistics.median(seconds[1:])  # the first one also compiles and reads
    minutes = typical * work.steps / 60
    if run.recipe.minutes is not None:
        minutes = min(minutes, run.recipe.minutes)
    return Cost(typical, minutes, int(memory), int(free), chosen.title)
