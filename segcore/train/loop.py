"""The training loop, from a run's folder to its result, read from top to bottom.

Events it writes: started, step, scored, checkpoint, done, failed, cancelled. A killed process can
be started again on the same folder and continues exactly where its checkpoint was made.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from segcore.base import MaskwrightError
from segcore.infer.device import Device, choose_device
from segcore.train import runs
from segcore.train.checkpoint import Progress, load_checkpoint, save_checkpoint
from segcore.train.frozen import read_frozen
from segcore.train.landing import bring_home
from segcore.train.result import old_against_new, write_result
from segcore.train.work import set_up

REPORT_SECONDS = 0.5  # between events of steps


def train(run_dir: Path, *, device: str | None = None) -> dict[str, Any]:
    """Train what a run's folder asks for, from its checkpoint if it has one.

    Returns
    -------
    The report, as in ``result/report.json``. The model of a finished run of a project is in the
    project's ``models/NAME`` as well.

    Raises
    ------
    MaskwrightError : something a person can mend; also written as the event ``failed``.
    """
    run_dir = run_dir.absolute()
    run = runs.claim(run_dir)
    log = runs.EventLog(run_dir)
    try:
        with _stop_by_signal() as stopped:

            def asked() -> bool:
                return stopped() or runs.is_cancel_asked(run_dir)

            return _train(run_dir, run, log, choose_device(device), asked)
    except BaseException as error:
        sentence = str(error) or type(error).__name__
        log.write("failed", reason=sentence, bug=not isinstance(error, MaskwrightError))
        raise
    finally:
        runs.withdraw_cancel(run_dir)


def _train(
    run_dir: Path,
    run: runs.Run,
    log: runs.EventLog,
    device: Device,
    asked: Callable[[], bool],
) -> dict[str, Any]:
    # -- what is trained, on what, and how far it has come ----------------------------------
    recipe, data = run.recipe, read_frozen(run_dir)
    work = set_up(run_dir, recipe, data, device, continued=run.base is not None)
    model, optimiser, mean, steps = work.model, work.optimiser, work.mean, work.steps
    found = load_checkpoint(run_dir, model, optimiser, mean)
    progress = found or Progress(parts=min(recipe.accumulate, recipe.batch))
    log.write(
        "started",
        resumed=found is not None,
        step=progress.step,
        steps=steps,
        items=len(data.of("train")),
        replay=len(data.of("replay")),
        held_out=len(data.of("held_out")),
        device=device.title,
        bfloat16=device.bfloat16,
        weights=model.spec.weights,
    )

    # -- the steps ----------------------------------------------------------------------------
    saved = reported = time.monotonic()
    first, first_seconds, cancelled = progress.step, progress.seconds, False

    def note(text: str) -> None:
        log.write("step", step=progress.step, note=text)

    with contextlib.closing(work.batches.ahead(progress.step)) as stream:
        while progress.step < steps:
            if asked():
                cancelled = True
                break
            _wait_while_paused(run_dir, asked)
            began = time.monotonic()
            done = progress.step / steps
            if recipe.minutes is not None:
                done = max(done, progress.seconds / (60 * recipe.minutes))
                if done >= 1:
                    break
            rate = work.set_rate(done)
            work.step(next(stream), progress, note)
            now = time.monotonic()
            progress.seconds += now - began
            if now - reported >= REPORT_SECONDS or progress.step in (first + 1, steps):
                reported = now
                pace = (progress.step - first) / max(progress.seconds - first_seconds, 1e-9)
                left = (steps - progress.step) / pace
                if recipe.minutes is not None:
                    left = min(left, 60 * recipe.minutes - progress.seconds)
                log.write(
                    "step",
                    step=progress.step,
                    steps=steps,
                    loss=round(progress.loss, 6),
                    lr=rate,
                    rate=round(pace, 4),
                    seconds_left=round(max(left, 0.0), 1),
                )
            if now - saved >= recipe.checkpoint_seconds:
                save_checkpoint(run_dir, progress, model, optimiser, mean)
                log.write("checkpoint", step=progress.step)
                saved = time.monotonic()
            if recipe.score_every and progress.step % recipe.score_every == 0:
                scores = old_against_new(work, data, with_old=False, cancel=asked)
                if not asked():
                    log.write("scored", step=progress.step, **scores)
    save_checkpoint(run_dir, progress, model, optimiser, mean)
    log.write("checkpoint", step=progress.step)

    # -- the result ---------------------------------------------------------------------------
    scores = old_against_new(work, data, cancel=asked)
    cancelled = cancelled or asked()
    log.write("scored", step=progress.step, **scores)
    report = scores | {
        "name": run.name,
        "step": progress.step,
        "steps": steps,
        "minutes": round(progress.seconds / 60, 3),
        "loss": round(progress.loss, 6),
        "cancelled": cancelled,
        "parts": progress.parts,
        "device": device.title,
    }
    write_result(run_dir, run, work, data, report)
    if not cancelled:  # one that was stopped half-way can go on, and is no model of the project
        try:
            bring_home(run_dir)
        except OSError as error:  # the result is there, and can be promoted when there is room
            note(f"not among the models: {error.strerror or error}")
    log.write("cancelled" if cancelled else "done", step=progress.step, report=report)
    return report


def _wait_while_paused(run_dir: Path, asked: Callable[[], bool]) -> None:
    while runs.is_paused(run_dir) and not asked():
        time.sleep(0.05)


@contextlib.contextmanager
def _stop_by_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and a polite kill end the run after its step; a second Ctrl-C at once."""
    flag = threading.Event()
    before: list[tuple[int, Any]] = []
    if threading.current_thread() is threading.main_thread():

        def stop(number: int, frame: object) -> None:
            if flag.is_set() and number == signal.SIGINT:
                raise KeyboardInterrupt
            flag.set()

        before = [(n, signal.signal(n, stop)) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield flag.is_set
    finally:
        for which, handler in before:
            signal.signal(which, handler)
