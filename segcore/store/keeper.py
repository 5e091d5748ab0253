"""The keeper: what a store does when nobody draws: empty the WAL, say it is alive, back up."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

from segcore.store import backup, sources, writer
from segcore.store.database import Database
from segcore.store.durable import Durable

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
DIGEST_AFTER_SECONDS = 20.0
_CHECKPOINT_BYTES = 256 << 10
_FORCED_BYTES = 64 << 20


class Keeper:
    """A thread that works while the durable queue rests.

    Checkpoints and backups run on a connection of their own, so a commit waits for neither.

    Parameters
    ----------
    save_derived : writes derived values that wait for a quiet moment.
    """

    def __init__(
        self,
        database: Database,
        durable: Durable,
        epoch: str,
        save_derived: Callable[[], None],
    ) -> None:
        self._database = database
        self._durable = durable
        self._epoch = epoch
        self._save_derived = save_derived
        self._closing = threading.Event()
        self._side: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="store keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join()
        if self._side is not None:
            self._side.close()

    def _run(self) -> None:
        last_beat = last_change = time.monotonic()
        last_backup = time.monotonic()
        seen = kept = self._durable.commits
        while not self._closing.wait(IDLE_SECONDS):
            now = time.monotonic()
            try:
                if now - last_beat > writer.HEARTBEAT_SECONDS:
                    last_beat = now
                    writer.beat(self._database, self._epoch)
                if self._durable.commits != seen:
                    seen, last_change = self._durable.commits, now
                    if self._wal_bytes() > _FORCED_BYTES:
                        self.checkpoint()
                    continue
                if self._durable.trouble is not None or self._durable.waiting:
                    continue
                self._save_derived()
                if self._wal_bytes() > _CHECKPOINT_BYTES:
                    self.checkpoint()
                if now - last_change > DIGEST_AFTER_SECONDS:
                    sources.digest_one(self._database, self._closing.is_set)
                if backup.is_due(seen - kept, now - last_change, now - last_backup):
                    last_backup, kept = now, seen
                    backup.rotate(self._database.file, stop=self._closing.is_set)
            except (sqlite3.Error, OSError) as error:
                # Nothing of this is needed for the person's work; the queue reports real trouble.
                log.warning("housekeeping of the store failed: %s", error)

    def _wal_bytes(self) -> int:
        wal = self._database.file.with_name(self._database.file.name + "-wal")
        try:
            return wal.stat().st_size
        except OSError:
            return 0

    def checkpoint(self) -> None:
        """Carry what the write-ahead log holds over into the database; nobody waits for it."""
        if self._side is None:
            self._side = self._database.side_connection()
        if self._side is None:
            with self._database.exclusively() as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        else:
            self._side.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
