"""One writer per project: a row with process, host and epoch, and who is told what about it."""

from __future__ import annotations

import os
import socket
import time
import uuid
from typing import Any

from segcore.base.dataclass import dataclass
from segcore.base.process import process_start, still_runs
from segcore.store.database import Database

HEARTBEAT_SECONDS = 30.0
_STALE_SECONDS = 5 * HEARTBEAT_SECONDS


@dataclass(frozen=True)
class Writer:
    """Who writes to a project.

    Parameters
    ----------
    pid, host : the process and its machine.
    started : when that process started, seconds since 1970: pids are used again.
    epoch : uuid of this opening; every commit checks that it is still there.
    person : who works there.
    since, heartbeat : when it opened the project, and when it last said so.
    """

    pid: int
    host: str
    started: float
    epoch: str
    person: str
    since: float
    heartbeat: float

    def __str__(self) -> str:
        who = f"{self.person} has it" if self.person else "it is"
        since = time.strftime("%H:%M", time.localtime(self.since))
        return f"{who} open on {self.host} (process {self.pid}) since {since}"

    @property
    def is_alive(self) -> bool:
        """Whether that process still runs; of another machine only its heartbeat is known."""
        if self.host != socket.gethostname():
            return time.time() - self.heartbeat < _STALE_SECONDS
        return still_runs(self.pid, self.started)


def read(database: Database) -> Writer | None:
    """The row of the present writer, or None."""
    found = database.row("SELECT pid, host, started, epoch, person, since, heartbeat FROM writer")
    return None if found is None else Writer(*found)


def holder(database: Database) -> Writer | None:
    """The present writer if it is still there; None where `acquire` would let anybody in."""
    found = read(database)
    return found if found is not None and found.is_alive else None


def acquire(database: Database, person: str) -> tuple[Writer, bool]:
    """Become the writer if nobody is; gives who is, and whether that is us.

    The row of a process that died is taken over.
    """
    now = time.time()
    ours = Writer(
        os.getpid(),
        socket.gethostname(),
        process_start(os.getpid()) or now,
        str(uuid.uuid4()),
        person,
        now,
        now,
    )
    with database.transaction() as connection:
        found = connection.execute(
            "SELECT pid, host, started, epoch, person, since, heartbeat FROM writer"
        ).fetchone()
        present = None if found is None else Writer(*found)
        if present is not None and present.is_alive:
            return present, False
        connection.execute(
            "INSERT OR REPLACE INTO writer VALUES (1, ?, ?, ?, ?, ?, ?, ?)", _values(ours)
        )
    return ours, True


def beat(database: Database, epoch: str) -> None:
    """Say that this writer is still there."""
    with database.transaction() as connection:
        connection.execute("UPDATE writer SET heartbeat = ? WHERE epoch = ?", (time.time(), epoch))


def release(database: Database, epoch: str) -> None:
    """Let others write."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM writer WHERE epoch = ?", (epoch,))


def _values(row: Writer) -> tuple[Any, ...]:
    return (
        row.pid,
        row.host,
        row.started,
        row.epoch,
        row.person,
        row.since,
        row.heartbeat,
    )
