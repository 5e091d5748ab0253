"""The refiner: solvers that must answer while a model trains, and that may be killed.

Started as ``python -m segcore.service.refiner`` by `segcore.service.client`. No torch.
"""

from __future__ import annotations

import cv2
import numpy as np

from segcore.base import Rect
from segcore.refine import CrfParams, densecrf, grabcut
from segcore.service.protocol import Densecrf, Grabcut, RegionRefined, RegionSolved
from segcore.service.worker import JobContext, Worker, connect_from_stdin


def solve_grabcut(job: Grabcut, context: JobContext) -> None:
    """Answer a `Grabcut` job with a `RegionSolved`."""
    box = None if job.box is None else job.box.shifted(-job.rect.y, -job.rect.x)
    mask = grabcut(
        job.image,
        job.seeds,
        box,
        job.iterations,
        connected=job.connected,
        cancelled=context.cancelled,
        progress=context.progress,
    )
    context.check()
    context.send(RegionSolved(context.number, context.key, job.rect, mask))


def solve_densecrf(job: Densecrf, context: JobContext) -> None:
    """Answer a `Densecrf` job with a `RegionRefined`."""
    told = densecrf(
        job.image,
        job.shares,
        CrfParams.from_json(job.params),
        spacing=job.spacing,
        cancelled=context.cancelled,
        progress=context.progress,
    )
    context.check()
    wanted = job.rect.intersect(job.seen)
    inner = told[(slice(None), *wanted.shifted(-job.seen.y, -job.seen.x).slices)]
    classes = np.array(job.ids, np.uint16)[inner.argmax(axis=0)]
    context.send(RegionRefined(context.number, context.key, wanted, classes))


def _warm_up() -> None:
    """Solve something tiny, so that the first real job does not pay for loading OpenCV."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[2:6, 2:6] = 255
    grabcut(image, np.zeros((8, 8), np.uint8), Rect(1, 1, 6, 6), 1)


def main() -> None:
    channel = connect_from_stdin("refiner")
    worker = Worker("refiner", channel)
    # OpenCV's cut runs on one thread; its pool would only compete with a training.
    cv2.setNumThreads(1)
    _warm_up()
    worker.run({Grabcut: solve_grabcut, Densecrf: solve_densecrf}, "cpu")


if __name__ == "__main__":
    main()
