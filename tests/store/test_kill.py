"""The window is killed just after a stroke: what was said to be durable is there.

Real processes and real signals. How long after a stroke the kill comes is drawn evenly from 0 to
200 ms: the waiting is what is tested.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from painter import RADIUS, stroke
from store_kit import make_project

from segcore.base import Shape
from segcore.edits import stroke_mask
from segcore.store import Project, check
from segcore.store.durable import COMMIT_LOG

PAINTER = Path(__file__).with_name("painter.py")
ROOT = Path(__file__).resolve().parents[2]
SIZE = Shape(1, 700, 900)
AGE = 0.1
"""Seconds after which a stroke has to have been logged."""


def start(project: Path, strokes: Path, log: Path, first: int, count: int) -> subprocess.Popen[str]:
    environment = {**os.environ, COMMIT_LOG: str(log), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(PAINTER), str(project), str(strokes), str(first), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def kill_after_each(folder: Path, rounds: int, seed: int) -> None:
    with make_project(folder, 1, SIZE) as made:
        path, item_id = made.path, made.items[0].id
    log, strokes = folder / "commits.txt", folder / "strokes.txt"
    random = np.random.default_rng(seed)
    painted: dict[str, int] = {}
    first = 0
    for _ in range(rounds):
        count = int(random.integers(1, 5))
        child = start(path, strokes, log, first, count)
        assert child.stdout is not None
        for _ in range(count):
            assert child.stdout.readline() == "released\n"
        threading.Event().wait(random.uniform(0, 0.2))
        killed = time.monotonic()
        child.kill()
        child.communicate()
        said = [line.split() for line in lines(strokes)][len(painted) :]
        for offset, (_, event_id) in enumerate(said):
            painted[event_id] = first + offset
        logged = set(lines(log))
        late = [i for moment, i in said if float(moment) < killed - AGE and i not in logged]
        assert late == []
        report = check(path)
        assert report.problems == ()
        with Project.open(path) as project:
            assert not project.read_only
            stored = [row.event_id for row in project.scribe.history(item_id)]
        assert logged <= set(stored)
        # A stroke that was applied but not said to be by the child may be stored, too.
        first += count
    expected = np.zeros((SIZE.y, SIZE.x), np.uint16)
    with Project.open(path) as project:
        item = project.items[0]
        for row in project.scribe.history(item_id):
            number = painted.get(row.event_id)
            if number is None:
                return  # its number was not written any more, so the picture is not known
            edit = stroke(number)
            mask = stroke_mask(edit.path, RADIUS, item.labels.extent)
            expected[mask] = edit.class_id
        assert np.array_equal(item.labels.read(), expected)


def test_strokes_that_were_logged_survive_a_kill(tmp_path: Path) -> None:
    kill_after_each(tmp_path, rounds=12, seed=1)


@pytest.mark.slow
def test_strokes_that_were_logged_survive_a_hundred_kills(tmp_path: Path) -> None:
    # A hundred starts of a process, two minutes.
    kill_after_each(tmp_path, rounds=100, seed=2)
