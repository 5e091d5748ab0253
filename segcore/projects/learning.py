"""Train a prepared run in this process, while somebody looks on. Loads torch.

The window starts a process of its own instead (`segcore.service.trainer`); the same function works
there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segcore.train import read_events, runs, train
from segcore.train.landing import home

_LOOK_S = 0.5


def run_here(run_dir: Path, advance: Callable[[int, int], None]) -> dict[str, Any]:
    """Train, and tell meanwhile how far it is.

    Parameters
    ----------
    advance : told the step and the number of steps, from another thread.

    Returns
    -------
    The run's report, with "model": the folder where the model is.

    Raises
    ------
    MaskwrightError : something a person can mend.
    """
    try:
        with _following(run_dir, advance):
            report = train(run_dir)
    finally:
        runs.note_seen(run_dir)  # whoever asked is told here; no window need offer it
    landed = None if report["cancelled"] else home(run_dir)
    report["model"] = str(landed or run_dir.absolute() / runs.RESULT)
    return report


def sentences(report: dict[str, Any]) -> list[str]:
    """A report for people."""
    done = f"{report['name']}: {report['step']:,} of {report['steps']:,} steps"
    took = f"in {report['minutes']:.1f} minutes on {report['device']}"
    said = [f"{done} {took}, last loss {report['loss']:.4f}."]
    new, old = report["new"], report["old"]
    if new is None:
        said.append(f"Held-out items: {report['note'] or 'not measured'}.")
    else:
        figures = f"mean IoU {_figure(new['mean_iou'])}, mean Dice {_figure(new['mean_dice'])}"
        before = "" if old is None else f" (before: mean IoU {_figure(old['mean_iou'])})"
        note = f"; {report['note']}" if report["note"] else ""
        said.append(f"Held-out items ({report['items']}): {figures}{before}{note}.")
    if report["cancelled"]:
        said.append(f'Stopped; go on with: maskwright train PROJECT --resume "{report["name"]}"')
    said.append(f"Model: {report['model']}")
    return said


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


@contextmanager
def _following(run_dir: Path, advance: Callable[[int, int], None]) -> Iterator[None]:
    """Read the run's events beside the training and tell how far it is."""
    ended = threading.Event()
    _, offset = read_events(run_dir)

    def follow() -> None:
        at = offset
        while not ended.wait(_LOOK_S):
            events, at = read_events(run_dir, at)
            steps = [event for event in events if event["kind"] == "step" and "steps" in event]
            if steps:
                advance(int(steps[-1]["step"]), int(steps[-1]["steps"]))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
