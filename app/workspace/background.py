"""Work beside the GUI thread, with its result delivered on the GUI thread.

It refuses to know what the work is. Results of work that a newer request replaced are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

log = logging.getLogger(__name__)
T = TypeVar("T")

Done = Callable[[Any], None]
Failed = Callable[[Exception], None]


class Background(QObject):
    """A few threads whose results arrive as calls on the thread that made this object."""

    failed = Signal(object)
    """Emitted with the exception of work that has no `failed` of its own."""
    _arrived = Signal(object, object)

    def __init__(self, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="beside-window")
        self._wanted: dict[Hashable, tuple[Callable[[], Any], Done, Failed | None]] = {}
        self._busy: set[Hashable] = set()
        self._closed = False
        self._arrived.connect(self._deliver)

    def run(self, work: Callable[[], T], done: Done, failed: Failed | None = None) -> None:
        """Do `work` on another thread, then call `done(result)` or `failed(error)` here."""
        if self._closed:
            return

        def task() -> None:
            try:
                result = work()
            except Exception as error:
                self._post(failed or self._report, error)
            else:
                self._post(done, result)

        self._pool.submit(task)

    def run_latest(
        self, key: Hashable, work: Callable[[], T], done: Done, failed: Failed | None = None
    ) -> None:
        """As `run`, but of several requests with one key only the running and the last are done.

        So a burst of strokes asks for its scores twice, not once a stroke.
        """
        if key in self._busy:
            self._wanted[key] = (work, done, failed)
            return
        self._busy.add(key)

        def next_or(call: Callable[[Any], None], value: Any) -> None:
            self._busy.discard(key)
            waiting = self._wanted.pop(key, None)
            if waiting is not None:
                self.run_latest(key, *waiting)
            else:
                call(value)

        self.run(
            work,
            lambda result: next_or(done, result),
            lambda error: next_or(failed or self._report, error),
        )

    def close(self) -> None:
        """Drop what has not begun and wait for what has; nothing is delivered afterwards."""
        self._closed = True
        self._wanted.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _post(self, call: Callable[[Any], None], value: Any) -> None:
        try:
            self._arrived.emit(call, value)
        except RuntimeError:  # the window went while the work was being done
            log.debug("a result came after the window had closed")

    def _deliver(self, call: Callable[[Any], None], value: Any) -> None:
        if not self._closed:
            call(value)

    def _report(self, error: Exception) -> None:
        log.error("work beside the window failed", exc_info=error)
        self.failed.emit(error)
