"""When a process started, and whether it is still the same one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

from segcore.base.process import process_start, still_runs

WAITS = [sys.executable, "-c", "input()"]


def test_a_process_starts_when_it_is_started() -> None:
    before = time.time()
    with subprocess.Popen(WAITS, stdin=subprocess.PIPE) as child:
        try:
            started = process_start(child.pid)
            assert started is not None
            # Kept in ticks of 10 ms.
            assert before - 0.02 <= started <= time.time() + 0.02
            # psutil counts from a boot time of whole seconds.
            assert abs(started - psutil.Process(child.pid).create_time()) < 1.1
            assert still_runs(child.pid, started)
            assert not still_runs(child.pid, started - 60)
        finally:
            child.kill()


def test_a_process_that_ended_does_not_run_though_nobody_collected_it() -> None:
    child = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    started = process_start(child.pid)
    assert started is not None
    child.kill()
    end = time.monotonic() + 30
    while still_runs(child.pid, started) and time.monotonic() < end:
        time.sleep(0.01)
    try:
        assert not still_runs(child.pid, started)  # a zombie
    finally:
        child.communicate()
    assert process_start(child.pid) is None


def test_two_looks_at_one_process_agree() -> None:
    first, second = process_start(os.getpid()), process_start(os.getpid())
    assert first is not None
    assert second is not None
    assert abs(first - second) < 0.001
