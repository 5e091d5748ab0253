"""What a prepared run will learn from and cost, said before it starts.

`look` counts the frozen items. What a run costs on this device is measured by
`segcore.train.measure`; here is only what it found, so that nothing here loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segcore.base.dataclass import dataclass
from segcore.train.frozen import FrozenData, read_frozen
from segcore.train.recipe import Recipe
from segcore.train.runs import read_run

# Held-out items; fewer say too little to recommend anything by.
MEASURED_FROM = 5
# A class with fewer pixels or in fewer items than this will hardly move.
FEW_PIXELS = 2_000
FEW_ITEMS = 3
# Measuring takes four steps. A run of fewer than this would spend a tenth on being measured.
WORTH_MEASURING = 40
# The note in the frozen data of a sample: how many pictures of each role the whole run has.
SAMPLE_OF = "sample_of"
# Beside it: rows and columns of a crop where the recipe leaves them open, from all pictures.
SAMPLE_CROP = "sample_crop"


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
    """What a run costs on this device, from a few steps of it.

    Parameters
    ----------
    steps : that are still to be done.
    seconds : of one step, the median of the measured ones.
    once : seconds that any length costs: set-up, reading, the scores at the end, writing.
    scoring : seconds of one pass over the held-out items while it runs; 0 without such passes.
    memory : bytes that the process (on a graphics card: the card) takes at most.
    free : bytes that are free for it before the run.
    device : cpu, cuda or mps; title : what people read.
    parts : into how many a step was cut because memory ran out; 1 is not at all.
    limit : most minutes for the steps, or None.
    score_every : steps between two passes over the held-out items; 0 is none.
    """

    steps: int
    seconds: float
    once: float
    scoring: float
    memory: int
    free: int
    device: str
    title: str
    parts: int = 1
    limit: float | None = None
    score_every: int = 0

    @property
    def minutes(self) -> float:
        """Of the whole run."""
        return self.minutes_of(self.steps, self.score_every)

    def minutes_of(self, steps: int, score_every: int = 0) -> float:
        """Of the same run with another number of steps, scored every so many of them."""
        passes = steps // score_every if score_every else 0
        steps_take = steps * self.seconds / 60
        if self.limit is not None:
            steps_take = min(steps_take, self.limit)
        return steps_take + (self.once + passes * self.scoring) / 60

    @property
    def place(self) -> str:
        """Where it runs, as people say it."""
        return "this processor" if self.device == "cpu" else f"the {self.title}"

    @property
    def warning(self) -> str:
        """What is wrong with the memory, in a sentence; "" where it suffices."""
        where = "memory" if self.device != "cuda" else "memory of the graphics card"
        if self.memory > self.free:
            return (
                f"It needs {gigabytes(self.memory)} and {gigabytes(self.free)} of {where} are "
                "free. Close other programs first."
            )
        if self.parts > 1:
            return f"The {where} is too small for a whole step: {self.parts} parts, so it is slow."
        return ""

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it, with the minutes."""
        return {**asdict(self), "minutes": round(self.minutes, 3)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Cost:
        """What `to_json` made."""
        return cls(**{key: value for key, value in row.items() if key != "minutes"})


def roughly(minutes: float) -> str:
    """A time for people: no more exact than three steps can tell."""
    if minutes < 0.75:
        return "less than a minute"
    if minutes < 1.5:
        return "about a minute"
    if minutes < 90:
        return f"about {minutes:.0f} minutes"
    return f"about {minutes / 60:.1f} hours"


def gigabytes(size: int) -> str:
    """Bytes for people: ``340 MB``, ``1.4 GB``, ``12 GB``."""
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB" if size < 1e10 else f"{size / 1e9:,.0f} GB"


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
        steps=total_steps(run.recipe, len(train)),
        scarce=scarce(data),
        measured=held_out >= MEASURED_FROM,
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


def total_steps(recipe: Recipe, items: int) -> int | None:
    """Steps of a run on so many items; None where only the clock decides."""
    if recipe.steps is recipe.epochs is None and recipe.minutes:
        return None
    return recipe.total_steps(items)
