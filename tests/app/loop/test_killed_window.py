"""The window killed while somebody paints: what was stored is there, and it was stored soon."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stroking_window import cell_centre

from segcore.store import Project, check

STROKES = 3
SLOWEST_COMMIT = 0.1


def kill_while_painting(project: Path, folder: Path, first: int, delay: float) -> None:
    """Paint three strokes in a window, kill it `delay` seconds after the last, and look."""
    log = folder / "commits.log"
    log.write_text("")
    environment = {**os.environ, "MASKWRIGHT_COMMIT_LOG": str(log), "QT_QPA_PLATFORM": "offscreen"}
    script = Path(__file__).with_name("stroking_window.py")
    window = subprocess.Popen(
        [sys.executable, str(script), str(project), str(folder / "s.json"), str(first), "3"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert window.stdout is not None
    released: dict[int, float] = {}
    for line in window.stdout:
        _, cell, moment = line.split()
        released[int(cell)] = float(moment)
        if len(released) == STROKES:
            break
    assert len(released) == STROKES, "the window ended by itself"
    time.sleep(delay)
    window.kill()
    killed = time.time()
    window.wait()
    window.stdout.close()

    logged = log.read_text().split()
    due = [cell for cell, moment in released.items() if killed - moment > SLOWEST_COMMIT]
    assert len(logged) >= len(due), f"{due} were released over 100 ms ago, {len(logged)} logged"
    report = check(project)
    assert report.ok, report
    with Project.open(project, write=False) as again:
        item = again.items[0]
        ids = {str(row.event_id) for row in again.scribe.history(item.id)}
        assert set(logged) <= ids
        label = item.labels.read()
    # Strokes are stored in their order: the first so many cells are painted.
    for cell in sorted(released)[: len(logged)]:
        y, x = cell_centre(cell)
        assert label[int(y), int(x)] == 2, f"stroke {cell} was logged and is not there"


def test_a_killed_window_loses_no_stroke_that_was_stored(
    nuclei_project: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    for round_ in range(3):
        kill_while_painting(nuclei_project, tmp_path, round_ * STROKES, chance.uniform(0, 0.2))


@pytest.mark.slow
def test_a_window_killed_after_each_of_100_strokes_loses_none(
    nuclei_project: Path, tmp_path: Path
) -> None:
    """Marked slow: a hundred windows are started one after the other, three minutes of them."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for round_ in range(100):
        kill_while_painting(nuclei_project, tmp_path, round_ * STROKES, chance.uniform(0, 0.2))
