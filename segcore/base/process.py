"""When a process of this machine started: what tells it from a later one with the same number."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

# Clocks of two systems, and start times that are kept in ticks, differ a little.
_TOLERANCE_SECONDS = 2.0


def process_start(pid: int) -> float | None:
    """When a process of this machine started, in seconds since 1970; None if it does not run.

    A process that ended and that nobody has collected yet (a zombie) does not run.
    """
    if sys.platform == "linux":
        started = _by_proc(pid)
    else:
        started = _by_psutil(pid)
    return started


def still_runs(pid: int, started: float) -> bool:
    """Whether the process that started then with this number still runs."""
    found = process_start(pid)
    return found is not None and abs(found - started) < _TOLERANCE_SECONDS


def _by_psutil(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None


def _by_proc(pid: int) -> float | None:
    """From ``/proc``: importing psutil costs a start of the window 17 ms, and on Linux it counts
    from a boot time of whole seconds, so that its start times are up to a second early."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in brackets, may hold anything; state is the first field behind it, and the
    # start in ticks since boot the twentieth (proc(5)).
    behind = stat.rpartition(")")[2].split()
    if behind[0] in ("Z", "X"):
        return None
    since_boot = int(behind[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot
