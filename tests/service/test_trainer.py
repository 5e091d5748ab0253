"""Trainings as processes of their own: they outlive the window, give way, pause, and stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from segcore.base import BadFile, ClassSet, MaskwrightError
from segcore.service import trainer
from segcore.service.protocol import JobChanged, JobState
from segcore.train import Recipe, TrainItem, freeze, make_run, read_events, read_run, runs, state

PATIENCE_S = 90.0


def until(holds: Callable[[], bool], what: str) -> None:
    """Look again and again until it holds: a file of another process gives no signal."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen"
        pause.wait(0.02)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "p.maskwright"


@pytest.fixture
def run_dir(project: Path, tmp_path: Path) -> Iterator[Path]:
    """A run that would take hours."""
    folder = project / "runs" / "first"
    recipe = Recipe(
        arch="unet", weights=None, steps=100_000, batch=2, crop_height=32, crop_width=32, half=False
    )
    make_run(folder, recipe, project=str(project))
    target = np.ones((40, 40), np.uint16)
    target[10:30, 10:30] = 2
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), (target * 100).astype(np.uint8))
    freeze([TrainItem("picture", (path,), target)], folder, ClassSet.from_names(["dark", "bright"]))
    yield folder
    process = read_run(folder).process
    if process is not None and trainer.running(folder):
        psutil.Process(int(process["pid"])).kill()


def steps_done(run_dir: Path) -> int:
    return max((e["step"] for e in read_events(run_dir)[0] if e["kind"] == "step"), default=0)


def test_a_training_outlives_the_window_gives_way_pauses_and_stops(
    project: Path, run_dir: Path
) -> None:
    assert not trainer.running(run_dir)
    # -- a window starts it and is killed
    script = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from segcore.service import trainer\n"
        "assert 'torch' not in sys.modules\n"
        f"print(trainer.launch(Path({str(run_dir)!r})), flush=True)\n"
        "threading.Event().wait()\n"
    )
    window = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert window.stdout is not None
    pid = int(window.stdout.readline())
    window.kill()
    window.wait()
    process = psutil.Process(pid)
    assert trainer.running(run_dir), "it is known before it has loaded torch"
    until(lambda: steps_done(run_dir) > 0, "a step")

    # -- another window finds it
    assert trainer.find_running(project) == [run_dir]
    assert state(run_dir) == "running"
    assert read_run(run_dir).process["pid"] == pid  # type: ignore[index]
    assert process.ppid() not in (os.getpid(), window.pid)
    environment = process.environ()
    cores = len(psutil.Process().cpu_affinity()) if hasattr(process, "cpu_affinity") else 2
    assert environment["OMP_NUM_THREADS"] == str(max(1, cores - 1))
    if hasattr(process, "cpu_affinity"):  # macOS has none
        assert len(process.cpu_affinity()) == max(1, cores - 1)
    if os.name == "posix":
        assert process.nice() >= 10
        session = Path(f"/proc/{process.pid}/autogroup")
        if session.is_file():  # Linux that shares the processor by session
            assert int(session.read_text().split()[-1]) >= 10
        assert os.getsid(pid) == pid
    with pytest.raises(MaskwrightError, match="being trained already"):
        trainer.launch(run_dir)

    # -- it waits between two steps, and goes on
    trainer.pause(run_dir, True)
    busy = process.cpu_times().user

    def idle() -> bool:
        nonlocal busy
        before, busy = busy, process.cpu_times().user
        threading.Event().wait(0.3)
        return process.cpu_times().user - busy < 0.05 and before <= busy

    until(idle, "a pause")
    trainer.pause(run_dir, False)
    paused_at = steps_done(run_dir)
    until(lambda: steps_done(run_dir) > paused_at, "a step after the pause")

    # -- it stops when asked, and keeps what it learned
    trainer.cancel(run_dir)
    until(lambda: not trainer.running(run_dir), "the end")
    assert state(run_dir) == "cancelled"
    assert (run_dir / runs.RESULT / "model.safetensors").is_file()
    assert trainer.find_running(project) == []
    assert trainer.find_runs(project) == [run_dir]


def test_a_killed_training_is_known_as_lost_and_can_be_started_again(run_dir: Path) -> None:
    pid = trainer.launch(run_dir, cores=1)
    until(lambda: steps_done(run_dir) > 0, "a step")
    assert trainer.make_room(run_dir)
    psutil.Process(pid).kill()
    until(lambda: not trainer.running(run_dir), "the end")
    assert state(run_dir) == "lost"
    assert not trainer.make_room(run_dir)


def test_a_process_that_only_has_the_same_number_is_no_trainer(run_dir: Path) -> None:
    from dataclasses import replace

    run = read_run(run_dir)
    mine = {"pid": os.getpid(), "host": __import__("socket").gethostname()}
    created = psutil.Process().create_time()
    runs.write_run(run_dir, replace(run, process={**mine, "started": created}))
    assert trainer.running(run_dir)
    runs.write_run(run_dir, replace(run, process={**mine, "started": created - 60}))
    assert not trainer.running(run_dir)


def test_a_folder_that_is_no_run_cannot_be_launched(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no folder of a run"):
        trainer.launch(tmp_path)
    assert trainer.find_runs(tmp_path) == []


def test_a_run_without_data_says_why_in_its_log(project: Path) -> None:
    folder = project / "runs" / "empty"
    make_run(folder, Recipe(arch="unet", weights=None, steps=1))
    trainer.launch(folder)
    until(lambda: state(folder) == "failed", "the failure")
    reason = read_events(folder)[0][-1]["reason"]
    until(lambda: reason.split(".")[0] in (folder / trainer.LOG).read_text(), "the log")


# -- courtesy ---------------------------------------------------------------------------------


def job(number: int, state: JobState) -> JobChanged:
    return JobChanged(number, "k", state)


def test_trainings_wait_exactly_while_interactive_jobs_run(run_dir: Path) -> None:
    courtesy = trainer.Courtesy(lambda: [run_dir])
    assert not runs.is_paused(run_dir)
    courtesy.hear(job(1, "queued"))
    assert runs.is_paused(run_dir)
    courtesy.hear(job(1, "running"))
    courtesy.hear(job(2, "queued"))
    courtesy.hear(job(1, "done"))
    assert runs.is_paused(run_dir)
    courtesy.hear(job(2, "lost"))
    assert not runs.is_paused(run_dir)


def test_a_long_pause_is_renewed_before_it_would_end(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_RENEW_S", 0.02)
    asked: list[bool] = []
    enough = threading.Event()

    def pause(folder: Path, paused: bool) -> None:
        asked.append(paused)
        if len(asked) >= 4:
            enough.set()

    monkeypatch.setattr(trainer, "pause", pause)
    courtesy = trainer.Courtesy(lambda: [run_dir])
    courtesy.hear(job(1, "queued"))
    assert enough.wait(10)
    courtesy.close()
    assert asked[:4] == [True] * 4
    assert asked[-1] is False


def test_without_a_training_nothing_is_written(tmp_path: Path) -> None:
    courtesy = trainer.Courtesy(list)
    courtesy.hear(job(1, "queued"))
    courtesy.hear(job(1, "done"))
    assert not list(tmp_path.iterdir())
