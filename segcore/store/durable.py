"""The durable queue: group commits in the order of the steps, on a thread of its own.

A commit that fails loses nothing: the entries stay, listeners are told, and it is tried again.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segcore.base import ReadOnly
from segcore.labels import Handle, TileCache
from segcore.store import blobs, events
from segcore.store.database import Database
from segcore.store.events import Announcement, Committed, Entry, StoreRecovered, StoreTrouble

log = logging.getLogger(__name__)

COMMIT_LOG = "MASKWRIGHT_COMMIT_LOG"
"""Environment variable: a file that gets the id of every committed event, unbuffered."""

_BATCH_ENTRIES = 256
_BATCH_BYTES = 64 << 20
_FIRST_RETRY = 0.5
_LAST_RETRY = 10.0


class Durable:
    """The thread that writes.

    Parameters
    ----------
    database : its writing connection is used by this thread and, when idle, by the keeper.
    cache : has the arrays of tiles that are not stored yet.
    announce : told of commits and troubles, on this thread.
    epoch : this writer's row; a commit after somebody took the project over is refused.
    """

    def __init__(
        self,
        database: Database,
        cache: TileCache,
        announce: Callable[[Announcement], None],
        epoch: str,
    ) -> None:
        self.database = database
        self._cache = cache
        self._announce = announce
        self._epoch = epoch
        self._changed = threading.Condition()
        self._committing = threading.RLock()
        self._queue: deque[Entry] = deque()
        self._encoded: dict[Handle, tuple[bytes, int]] = {}
        self._closing = False
        self._hurry = False
        self.trouble: Exception | None = None
        self._told = False
        self.commits = 0
        self._log = _open_commit_log()
        self._thread = threading.Thread(target=self._run, name="scribe durable", daemon=True)
        self._committed: Callable[[Entry], None] = lambda entry: None

    def start(self, committed: Callable[[Entry], None]) -> None:
        """Begin to write; `committed` is called for each entry once it is durable."""
        self._committed = committed
        self._thread.start()

    # -- from other threads -------------------------------------------------------------------

    def add(self, entries: Sequence[Entry]) -> None:
        """Queue entries; they are committed together or in this order."""
        with self._changed:
            self._queue.extend(entries)
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many entries are not durable yet."""
        return len(self._queue)

    def write_now(self, entry: Entry) -> None:
        """Commit an entry on the calling thread, past the queue, which has to be empty.

        Raises
        ------
        MaskwrightError : it could not be written, and nothing of it was.
        """
        try:
            with self._committing, self.database.transaction() as connection:
                self._require_epoch(connection)
                events.write(connection, entry)
        except (sqlite3.Error, OSError) as error:
            raise readable(error, self.database.file) from error
        self._tell_log((entry.id,))
        entry.durable.set_result(entry.id)
        self._announce(Committed((entry.id,)))

    def retry(self) -> None:
        """Try again at once, after trouble."""
        with self._changed:
            self._hurry = True
            self.trouble = None  # who waits for the queue waits for how this attempt ends
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits or writing fails; True if all is durable."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self.trouble is not None, timeout)
            return not self._queue

    @contextmanager
    def held(self) -> Iterator[None]:
        """No commit happens while the block runs."""
        with self._committing:
            yield

    def move_to(self, database: Database) -> None:
        """Write to another copy of the project from now on; call it while held."""
        self.database = database

    def stop(self) -> None:
        """End the thread; what is still in the queue is not written."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        if self._log is not None:
            os.close(self._log)
            self._log = None

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        pause = _FIRST_RETRY
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if self._closing and (not self._queue or self.trouble is not None):
                    return
            try:
                batch = self._batch()
                self._commit(batch)
            except Exception as error:
                self._report(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._hurry or self._closing, pause)
                    self._hurry = False
                    if self._closing:
                        return
                pause = min(_LAST_RETRY, pause * 2)
            else:
                pause = _FIRST_RETRY
                self._finish(batch)

    def _batch(self) -> list[Entry]:
        """The entries to commit together; their tiles are encoded before anything is locked."""
        batch: list[Entry] = []
        size = 0
        for entry in list(self._queue)[:_BATCH_ENTRIES]:
            batch.append(entry)
            for tile in entry.tiles:
                array = self._cache.pinned(tile.after) if tile.after >= 0 else None
                if array is not None and tile.after not in self._encoded:
                    self._encoded[tile.after] = blobs.encode(array)
                    size += len(self._encoded[tile.after][0])
            if size > _BATCH_BYTES:
                break
        return batch

    def _commit(self, batch: list[Entry]) -> None:
        with self._committing, self.database.transaction() as connection:
            self._require_epoch(connection)
            connection.executemany(
                "INSERT INTO blob VALUES (?, ?, ?)",
                ((handle, data, crc) for handle, (data, crc) in sorted(self._encoded.items())),
            )
            for entry in batch:
                events.write(connection, entry)

    def _require_epoch(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT epoch FROM writer").fetchone()
        if found is None or found[0] != self._epoch:
            raise ReadOnly(
                f"{self.database.file.parent.name} was taken over by another program.",
                "Save this project elsewhere, or close it and open it again.",
            )

    def _tell_log(self, ids: Sequence[str]) -> None:
        if self._log is not None and ids:
            os.write(self._log, "".join(f"{event_id}\n" for event_id in ids).encode())

    def _finish(self, batch: list[Entry]) -> None:
        self.commits += 1
        ids = tuple(entry.id for entry in batch if entry.id)
        self._tell_log(ids)
        self._cache.unpin(self._encoded)
        self._encoded.clear()
        recovered, self._told = self._told, False
        for entry in batch:
            self._committed(entry)
        # Whoever waits for the queue finds that everybody has heard of it.
        if ids:
            self._announce(Committed(ids))
        for entry in batch:
            entry.durable.set_result(entry.id)
        with self._changed:
            for _ in batch:
                self._queue.popleft()
            self.trouble = None
            self._changed.notify_all()
        if recovered:
            self._announce(StoreRecovered())

    def _report(self, error: Exception) -> None:
        first, self._told = not self._told, True
        with self._changed:
            self.trouble = error
            waiting = len(self._queue)
            self._changed.notify_all()
        if first:
            log.warning("%d steps could not be written: %s", waiting, error)
        self._announce(StoreTrouble(readable(error, self.database.file), waiting))


def readable(error: Exception, file: Path) -> Exception:
    """An error of the database as a sentence for people."""
    from segcore.base import MaskwrightError

    if isinstance(error, MaskwrightError):
        return error
    folder = file.parent.name
    text = str(error).lower()
    if "full" in text or getattr(error, "errno", None) == 28:
        return MaskwrightError(
            f"The disk with {folder} is full.", "Free some space, or save the project elsewhere."
        )
    if "readonly" in text or "read-only" in text:
        return MaskwrightError(
            f"{folder} can no longer be written.", "Check the permissions, or save it elsewhere."
        )
    return MaskwrightError(
        f"{folder} could not be written: {error}.", "Check the disk, or save the project elsewhere."
    )


def _open_commit_log() -> int | None:
    path = os.environ.get(COMMIT_LOG)
    if not path:
        return None
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
