"""Copies of project.db in `backup/`: made by SQLite's backup API while work goes on, rotating."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from segcore.store.database import open_connection

FOLDER = "backup"
KEPT = 5
_IDLE_SECONDS = 60.0
_EVERY_SECONDS = 15 * 60.0
_PAGES_AT_ONCE = 256


def is_due(commits: int, idle_seconds: float, since_last: float) -> bool:
    """Whether it is time: something has changed, nobody draws, and the last is a while ago."""
    return commits > 0 and idle_seconds > _IDLE_SECONDS and since_last > _EVERY_SECONDS


def rotate(
    database: Path,
    *,
    kept: int = KEPT,
    stop: Callable[[], bool] = lambda: False,
    name: str | None = None,
) -> Path | None:
    """Make one more copy and remove the oldest ones.

    Parameters
    ----------
    kept : how many copies stay.
    stop : asked between pieces; True gives up and leaves no half copy.
    name : of the copy; None is the present time.

    Returns
    -------
    The copy, or None if it was stopped.
    """
    folder = database.parent / FOLDER
    folder.mkdir(exist_ok=True)
    copy = folder / f"{name or time.strftime('%Y-%m-%d-%H%M%S')}.db"
    if not copy_to(database, copy, stop=stop):
        return None
    copies = sorted(path for path in folder.glob("2*.db"))
    for old in copies[:-kept]:
        old.unlink()
    return copy


def copy_to(database: Path, copy: Path, *, stop: Callable[[], bool] = lambda: False) -> bool:
    """Copy a database as of its last commit, also while it is written to; False if stopped."""
    half = copy.with_name(copy.name + ".part")
    half.unlink(missing_ok=True)

    def look(status: int, remaining: int, total: int) -> None:
        if stop():
            raise _StoppedError

    try:
        with (
            closing(open_connection(database, "ro")) as source,
            closing(sqlite3.connect(half, isolation_level=None)) as target,
        ):
            source.backup(target, pages=_PAGES_AT_ONCE, progress=look)
            # One file that stands by itself, wherever it is put.
            target.execute("PRAGMA journal_mode = DELETE")
    except _StoppedError:
        half.unlink(missing_ok=True)
        return False
    except sqlite3.Error:
        half.unlink(missing_ok=True)
        raise
    half.replace(copy)
    return True


class _StoppedError(Exception):
    pass
