"""Trainings as processes that are nobody's child: start one, find it again, pause and cancel it.

A training goes on when the window is closed and is found again by its folder: ``run.json`` holds
its process id and start time. It has the lower priority, and one core less than there are, so
that the window stays quick. What is in a run's folder is `segcore.train.runs`' affair. No torch.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO

import psutil

from segcore.base import MaskwrightError
from segcore.base.process import process_start
from segcore.service.process import module_environment
from segcore.service.protocol import FINAL_STATES, Event, JobChanged
from segcore.train import runs

LOG = "trainer.log"
_NICENESS = 10
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# A pause in a run's folder ends by itself (runs.PAUSE_SECONDS); it is renewed well before.
_RENEW_S = runs.PAUSE_SECONDS / 4


def launch(run_dir: Path, *, cores: int | None = None) -> int:
    """Start the trainer of a prepared run, or of one that stopped half-way.

    Parameters
    ----------
    run_dir : the run's folder.
    cores : processor cores to use; None is all but one.

    Returns
    -------
    The id of the process, which is nobody's child.

    Raises
    ------
    MaskwrightError : no folder of a run, a trainer works on it already, or none can be started.
    """
    run_dir = run_dir.absolute()
    run = runs.read_run(run_dir)
    if running(run_dir):
        raise MaskwrightError(
            f"The run {run.name} is being trained already.", "Wait for it, or cancel it."
        )
    if run.process is not None:  # goes on: what asked the trainer before asks no longer
        runs.withdraw_cancel(run_dir)
    environment, threads = trainer_environment(cores)
    command = [sys.executable, "-P", "-m", "segcore.train", str(run_dir)]
    try:
        with (run_dir / LOG).open("ab") as log:
            start = _detached_on_windows if sys.platform == "win32" else _detached
            pid = start(command, run_dir, environment, log, threads)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise MaskwrightError(
            f"The trainer of the run {run.name} cannot be started: {error}.",
            "Free some memory and try again.",
        ) from error
    # The trainer writes the same when it has loaded torch. Until then it must be known as well,
    # or the window would take the run for one that never started.
    started = process_start(pid)
    if started is not None:
        facts = {"pid": pid, "started": started, "host": socket.gethostname()}
        runs.write_run(run_dir, replace(run, process=facts))
    return pid


def trainer_environment(cores: int | None = None) -> tuple[dict[str, str], int]:
    """The environment of a training process, and the cores it may use: all but one, or `cores`."""
    threads = cores or max(1, _usable_cores() - 1)
    return module_environment() | dict.fromkeys(_THREADS, str(threads)), threads


def give_way(process: psutil.Process, cores: int) -> None:
    """Let a process have the lower priority of a training, and only the last of the cores.

    Raises
    ------
    psutil.Error : it is gone, or another person's.
    """
    if sys.platform == "win32":
        process.nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS"))  # noqa: B009
    elif process.nice() < _NICENESS:
        process.nice(_NICENESS)
    if hasattr(process, "cpu_affinity"):  # macOS has none
        process.cpu_affinity(process.cpu_affinity()[-cores:])


# Run by an interpreter without site packages, in milliseconds. It ends at once, so the trainer
# belongs to the system: it is no child that the window would have to collect, or take along.
# It is bound to the last of the cores: not all its threads heed a limit of their number.
# Linux may share the processor by session first and by niceness only within one. The trainer has
# a session of its own, so that session needs the niceness too: without it, a training at -8 got
# 39 % of a core beside others at 0, and with it all of one.
_DETACH = """
import os, subprocess, sys
os.nice(int(sys.argv[1]))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(sys.argv[2]):])
child = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=2, start_new_session=True)
try:
    with open(f"/proc/{child.pid}/autogroup", "w") as group:
        group.write(sys.argv[1])
except OSError:
    pass
print(child.pid)
"""


def _usable_cores() -> int:
    """Cores that this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _detached(
    command: list[str], folder: Path, environment: dict[str, str], log: IO[bytes], cores: int
) -> int:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _DETACH, str(_NICENESS), str(cores), *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        timeout=30,
        check=True,
    )
    return int(done.stdout)


def _detached_on_windows(
    command: list[str], folder: Path, environment: dict[str, str], log: IO[bytes], cores: int
) -> int:
    def flag(name: str) -> int:
        return int(getattr(subprocess, name))

    started = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        creationflags=flag("DETACHED_PROCESS")
        | flag("CREATE_NEW_PROCESS_GROUP")
        | flag("BELOW_NORMAL_PRIORITY_CLASS"),
    )
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(started.pid)
        process.cpu_affinity(process.cpu_affinity()[-cores:])
    return started.pid


def running(run_dir: Path) -> bool:
    """Whether the trainer that a run's folder names lives; a reused process id is not taken for it.

    Raises
    ------
    BadFile : no folder of a run.
    """
    return runs.is_alive(runs.read_run(run_dir))


def find_runs(project_path: Path) -> list[Path]:
    """The folders of a project's runs, by name."""
    return list(runs.find_runs(project_path / "runs"))


def find_running(project_path: Path) -> list[Path]:
    """Those of a project's runs that are being trained now, by whomever they were started."""
    found = []
    for run_dir in find_runs(project_path):
        with contextlib.suppress(MaskwrightError):
            if running(run_dir):
                found.append(run_dir)
    return found


def pause(run_dir: Path, paused: bool) -> None:
    """Let the trainer wait between two steps, or go on; a pause must be renewed, see `Courtesy`."""
    runs.request_pause(run_dir, paused)


def cancel(run_dir: Path) -> None:
    """Ask the trainer to stop after its step; what it has learned is kept."""
    runs.request_cancel(run_dir)


def make_room(run_dir: Path) -> bool:
    """Let a trainer that somebody else started give way: lower priority, and one core less.

    Returns
    -------
    Whether it could be done; a trainer on another machine or of another person is left alone.
    """
    run = runs.read_run(run_dir)
    if run.process is None or not runs.is_alive(run):
        return False
    try:
        process = psutil.Process(int(run.process["pid"]))
        held = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else 0
        # One that has fewer cores than there are gave way already.
        give_way(process, max(1, held - (held >= _usable_cores())))
    except (psutil.Error, OSError):
        return False
    return True


class Courtesy:
    """Pauses trainings between steps while an interactive job runs.

    A sink of events: hand it every event of the clients whose jobs a person waits for.

    Parameters
    ----------
    find : the run folders that are trained now; asked when a job begins.
    """

    def __init__(self, find: Callable[[], Iterable[Path]]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._paused: tuple[Path, ...] = ()
        self._timer: threading.Timer | None = None

    def hear(self, event: Event) -> None:
        """Note an event of any client; no two jobs have one number."""
        if not isinstance(event, JobChanged):
            return
        with self._lock:
            before = bool(self._busy)
            if event.state in FINAL_STATES:
                self._busy.discard(event.number)
            else:
                self._busy.add(event.number)
            if self._busy and not before:
                self._paused = tuple(self._find())
                self._renew()
            elif before and not self._busy:
                self._release()

    def close(self) -> None:
        """Let everything go on."""
        with self._lock:
            self._busy.clear()
            self._release()

    def _renew(self) -> None:
        for run_dir in self._paused:
            with contextlib.suppress(OSError):
                pause(run_dir, True)
        if self._paused:
            self._timer = threading.Timer(_RENEW_S, self._renew_if_busy)
            self._timer.daemon = True
            self._timer.start()

    def _renew_if_busy(self) -> None:
        with self._lock:
            if self._busy:
                self._renew()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for run_dir in self._paused:
            with contextlib.suppress(OSError):
                pause(run_dir, False)
        self._paused = ()
