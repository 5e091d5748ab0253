"""Processes that misbehave, for the tests; started as ``python -m tests.service.odd_worker``.

What one does is said by the key of its job, or, before it connects, by MASKWRIGHT_ODD.
"""

from __future__ import annotations

import os
import sys
import threading

from segcore.base import MaskwrightError
from segcore.service.protocol import Cancel, Grabcut, JobChanged, RegionSolved
from segcore.service.worker import JobContext, Worker, connect_from_stdin


def do(job: Grabcut, context: JobContext) -> None:
    """Misbehave as the key says."""
    if job.key.startswith("deaf"):
        threading.Event().wait()  # hears no cancel
    if job.key.startswith("patient"):
        while not context.cancelled():
            context.progress(0.5)
            threading.Event().wait(0.01)
        # An answer that comes too late.
        context.send(RegionSolved(context.number, context.key, job.rect, job.seeds == 1))
        context.check()
    if job.key == "stray":
        context.send(RegionSolved(context.number + 100, context.key, job.rect, job.seeds == 1))
        context.send(JobChanged(context.number + 100, "other", "done"))
    if job.key == "crash":
        sys.stderr.write("the disk of the moon is full.\n")
        sys.stderr.flush()
        os._exit(7)
    if job.key == "nonsense":
        context.send(Cancel(1))  # type: ignore[arg-type]
    if job.key == "bug":
        raise RuntimeError("two and two is five")
    if job.key == "refuse":
        raise MaskwrightError("The file is empty.", "Choose another.")


def main() -> None:
    if os.environ.get("MASKWRIGHT_ODD") == "dies at once":
        sys.stderr.write("no such library.\n")
        raise SystemExit(3)
    channel = connect_from_stdin("refiner")
    Worker("refiner", channel).run({Grabcut: do}, "cpu")


if __name__ == "__main__":
    main()
