"""A process that paints: started by the tests that kill it, or that cut its power.

``painter.py PROJECT STROKES FIRST COUNT``: for each stroke a line "moment id" in the file STROKES,
unbuffered, and a line on standard output at the moment the button is released. Then it waits.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from segcore.edits import Stroke
from segcore.store import Project

RADIUS = 40.0


def stroke(number: int, height: int = 700, width: int = 900) -> Stroke:
    """The stroke with this number, always the same."""
    random = np.random.default_rng(number)
    path = random.uniform((0, 0), (height, width), (6, 2))
    points: Any = tuple(map(tuple, path.tolist()))
    return Stroke(0, points, RADIUS, 1 + number % 4, origin=1)


def main() -> None:
    """Paint, then wait to be killed."""
    path, strokes, first, count = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:5])
    project = Project.open(path, person="Ada")
    assert not project.read_only, project.writer
    item = project.items[0].id
    said = os.open(strokes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    edits = [stroke(number) for number in range(first, first + count)]
    for edit in edits:
        moment = time.monotonic()
        ticket = project.scribe.submit(item, edit)
        print("released", flush=True)
        applied = ticket.applied.result()
        assert applied is not None
        os.write(said, f"{moment} {applied.patch.id}\n".encode())
    sys.stdin.readline()
    project.close()


if __name__ == "__main__":
    main()
