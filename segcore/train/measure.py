"""What a prepared run will cost on this device: three steps of it, done and forgotten.

``python -m segcore.train.measure RUN_DIR`` does it in a process of its own, for the window.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import torch

from segcore.base import MaskwrightError
from segcore.infer.comparing import MOST_IMAGES
from segcore.infer.device import Device, choose_device, is_out_of_memory
from segcore.infer.engines import candidates
from segcore.train.checkpoint import Progress
from segcore.train.data import DEFAULT_CACHE_BYTES
from segcore.train.frozen import FrozenData, read_frozen
from segcore.train.preflight import MEASURED_FROM, SAMPLE_OF, Cost
from segcore.train.result import HALF_CHECKED
from segcore.train.runs import BASE, read_run
from segcore.train.score import confusion
from segcore.train.work import Work, set_up

STEPS = 3
_SAMPLED_S = 0.01


def measure(run_dir: Path, *, device: str | None = None, done: int = 0) -> Cost:
    """Run three steps of a prepared run after a first one, and tell what the whole will cost.

    Nothing is written; the run starts afterwards as if it had never been measured. The frozen
    data may be a sample that says of how much it is one; the cost is that of the whole.

    Parameters
    ----------
    done : steps that a run which goes on has behind it.

    Raises
    ------
    MaskwrightError : the run cannot be trained, with the sentence that training would give.
    """
    run, data = read_run(run_dir), read_frozen(run_dir)
    chosen = choose_device(device)
    free = _free(chosen)
    with _Peak() as peak:
        began = time.monotonic()
        work = set_up(run_dir, run.recipe, data, chosen, continued=(run_dir / BASE).is_dir())
        start = time.monotonic() - began
        progress = Progress()
        try:
            timed = [_timed_step(work, number, progress) for number in range(STEPS + 1)]
            one = _timed_prediction(work, data)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise MaskwrightError(
                "The memory is too small for a single picture of a step.",
                "Close other programs, or train a smaller encoder.",
            ) from error
    whole = _whole(data)
    learned, held_out = whole["train"] + whole["replay"], whole["held_out"]
    cache = work.batches.cache
    kept = min(DEFAULT_CACHE_BYTES, cache.bytes // max(1, cache.misses) * learned)
    reading = sum(read for read, _ in timed) / max(1, cache.misses)
    scored = held_out if held_out >= MEASURED_FROM else 0
    at_the_end = scored * (1 if work.old is None else 2)
    at_the_end += 2 * min(HALF_CHECKED, held_out or whole["train"]) * run.recipe.half
    if others := len(list(candidates(work.model, chosen))) - 1:
        at_the_end += (1 + others) * min(MOST_IMAGES, held_out or whole["train"])
    steps = work.steps
    return Cost(
        steps=max(0, steps - done),
        seconds=statistics.median(taken for _, taken in timed[1:]),  # the first also compiles
        once=start + learned * reading + at_the_end * one,
        scoring=scored * one,
        memory=_memory(chosen, peak) + max(0, kept - cache.bytes),
        free=free,
        device=chosen.name.partition(":")[0],
        title=chosen.title,
        parts=progress.parts,
        limit=run.recipe.minutes,
        score_every=run.recipe.score_every,
    )


def _timed_step(work: Work, number: int, progress: Progress) -> tuple[float, float]:
    """Seconds for decoding a step's pictures, and of the step when they are there.

    A run decodes each picture once. On a graphics card the next batch is made meanwhile, so the
    slower of the two counts.
    """
    started = time.monotonic()
    work.batches.make(number)
    began = time.monotonic()
    batch = work.batches.make(number)
    made = time.monotonic()
    work.step(batch, progress)
    if work.device.name.startswith("cuda"):
        torch.cuda.synchronize()
    ended = time.monotonic()
    reading = max(0.0, (began - started) - (made - began))
    if work.device.name == "cpu":
        return reading, ended - began
    return reading, max(made - began, ended - made)


def _timed_prediction(work: Work, data: FrozenData) -> float:
    """Seconds for scoring one picture."""
    began = time.monotonic()
    confusion(work.model, (data.of("held_out") or data.of("train"))[:1], data.classes)
    return time.monotonic() - began


def _whole(data: FrozenData) -> dict[str, int]:
    """How many pictures of each role the run has."""
    counts = {role: len(data.of(role)) for role in ("train", "replay", "held_out")}
    return {**counts, **data.notes.get(SAMPLE_OF, {})}


def _free(device: Device) -> int:
    """Bytes that are there for this process; what it holds already is among them."""
    if device.name.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device.name)
        return int(torch.cuda.mem_get_info(device.name)[0]) + torch.cuda.memory_reserved()
    return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)


def _memory(device: Device, peak: _Peak) -> int:
    if device.name.startswith("cuda"):
        return int(torch.cuda.max_memory_reserved(device.name))
    if device.name == "mps":  # one memory for both, and the process's own figure lacks the GPU's
        return peak.bytes + int(torch.mps.driver_allocated_memory())
    return peak.bytes


class _Peak:
    """The most memory that this process holds meanwhile.

    Sampled, because a step gives back most of what it took before one could look.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._process.memory_info().rss)
            if self._ended.wait(_SAMPLED_S):
                return


def main(arguments: list[str] | None = None) -> int:
    """Print the cost of a run as one line of JSON; 0 done, 1 failed, 2 wrong use."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m segcore.train.measure RUN_DIR\n")
        return 2
    answer, failed = {}, 0
    with contextlib.redirect_stdout(sys.stderr):  # a library's words are no part of the answer
        try:
            answer = measure(Path(arguments[0])).to_json()
        except MaskwrightError as error:
            answer, failed = {"error": error.message, "hint": error.hint}, 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
