"""The connections to one project.db, and how they are set up so that a commit is durable."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segcore.base import NotAProject, ProjectBusy, ReadOnly

DATABASE = "project.db"
BUSY_SECONDS = 10.0


class Database:
    """One connection that writes (or none) and one that reads, each under its own lock.

    In WAL mode a reader never waits for a commit. On a network share, where processes cannot share
    memory, the file is locked exclusively and both are one connection.

    Parameters
    ----------
    file : ``project.db``.
    write : False opens it so that nothing can be written.
    exclusive : lock the file for this process alone.
    """

    def __init__(self, file: Path, *, write: bool, exclusive: bool = False) -> None:
        self.file = file
        self.exclusive = exclusive
        self._closed = False
        self._write_lock = threading.RLock()
        self._read_lock = self._write_lock if exclusive else threading.RLock()
        try:
            self._writer = self._connect("rw", exclusive) if write else None
            if exclusive and self._writer is not None:
                self._reader = self._writer
            else:
                self._reader = self._connect_to_read()
        except sqlite3.OperationalError as error:
            raise self._sentence(error) from error

    def _connect(self, mode: str, exclusive: bool = False) -> sqlite3.Connection:
        connection = open_connection(self.file, mode)
        if exclusive:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        if mode != "ro":
            make_durable(connection)
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = open_connection(self.file, "ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            # A read-only medium has no place for the WAL's index; without a WAL the file stands
            # still and can be read as it is.
            connection.close()
            wal = self.file.with_name(self.file.name + "-wal")
            if wal.exists() and wal.stat().st_size:
                raise
            connection = open_connection(self.file, "ro", immutable=True)
        return connection

    def _sentence(self, error: sqlite3.OperationalError) -> Exception:
        folder = self.file.parent.name
        if "locked" in str(error):
            return locked(self.file.parent)
        return NotAProject(
            f"{folder} cannot be opened: {error}.", "Check that the folder can be read and written."
        )

    @property
    def writable(self) -> bool:
        return self._writer is not None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as committed; from any thread."""
        # All at once: a cursor left half read would keep the WAL from being emptied.
        with self._read_lock:
            self._require_open()
            return self._reader.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        with self._read_lock:
            self._require_open()
            found: tuple[Any, ...] | None = self._reader.execute(sql, parameters).fetchone()
            return found

    def _require_open(self) -> None:
        if self._closed:
            raise ReadOnly(f"{self.file.parent.name} is closed.", "Open it again.")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is durable when the block is left, or undone if it raises."""
        assert self._writer is not None
        with self._write_lock:
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After a full disk SQLite may have rolled back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def exclusively(self) -> Iterator[sqlite3.Connection]:
        """The writing connection, outside of a transaction and out of reach of other threads."""
        assert self._writer is not None
        with self._write_lock:
            yield self._writer

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        found = self.row("PRAGMA data_version")
        assert found is not None
        return int(found[0])

    def side_connection(self) -> sqlite3.Connection | None:
        """A further connection for checkpoints and backups; None where there can be only one."""
        return None if self.exclusive else self._connect("rw")

    def drop_reader(self) -> None:
        """Close the reading connection, so that the writer can remove the WAL."""
        with self._read_lock:
            self._closed = True
            if self._reader is not self._writer:
                self._reader.close()

    def close(self) -> None:
        """Close both; the last process to close removes the WAL."""
        self.drop_reader()
        with self._write_lock:
            if self._writer is not None:
                self._writer.close()


def locked(folder: Path) -> ProjectBusy:
    """The error that another program does not let anybody in."""
    return ProjectBusy(
        f"{folder.name} is locked by another program.", "Close the project there first."
    )


def open_connection(
    file: Path, mode: str, *, immutable: bool = False, busy_seconds: float = BUSY_SECONDS
) -> sqlite3.Connection:
    """A plain connection; `mode` is ``ro``, ``rw`` or ``rwc`` (create)."""
    address = database_address(file.absolute().as_uri())
    uri = f"{address}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    if mode == "ro":
        connection.execute("PRAGMA query_only = ON")
    return connection


def database_address(uri: str) -> str:
    """A file's URI as SQLite takes it: a share's server may not stand where a host would."""
    return uri if uri.startswith("file:///") else "file://" + uri.removeprefix("file:")


def make_durable(connection: sqlite3.Connection) -> None:
    """Set a writing connection up so that a commit has reached the disk when it returns."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        # fsync leaves the data in the drive's own cache there.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = OFF")  # `check` looks; a commit must not
    # The keeper empties the WAL when nobody draws; within a commit it would cost tens of ms.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
