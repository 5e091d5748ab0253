"""The scribe: every step of a project, one after the other, on a thread of its own.

The applied queue changes what is in memory and answers at once; the durable queue behind it
(`durable.py`) writes the same steps in the same order. Nothing else changes a label.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from segcore.base import MaskwrightError, ReadOnly
from segcore.store import durable
from segcore.store.events import Announcement, Applied, Entry, Kind, Ticket
from segcore.store.history import HistoryRow, Step
from segcore.store.steps import Steps

if TYPE_CHECKING:
    from segcore.edits import Edit, ImageReader
    from segcore.store.project import Project

log = logging.getLogger(__name__)
T = TypeVar("T")

Listener = Callable[[Announcement], None]


class Scribe:
    """See `Project.scribe`. Callbacks of `listen` come on its threads."""

    def __init__(self, project: Project, epoch: str) -> None:
        self._project = project
        self._contents = project.contents
        self._listeners: tuple[Listener, ...] = ()
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._images: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.durable: durable.Durable | None = None
        if project.database.writable:
            self.durable = durable.Durable(
                project.database,
                project.contents.cache,
                self.announce,
                epoch,
            )
            self.steps = Steps(project, self.announce, self.durable)
            self.durable.start(self.steps.committed)
            self._thread = threading.Thread(target=self._run, name="scribe applied", daemon=True)
            self._thread.start()

    # -- listening ----------------------------------------------------------------------------

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Have `callback` called with every `Applied`, `Committed`, `StoreTrouble` and
        `StoreRecovered`; gives a function that ends it.

        It comes on the scribe's threads and must not wait for the store.
        """
        self._listeners = (*self._listeners, callback)

        def stop() -> None:
            self._listeners = tuple(c for c in self._listeners if c is not callback)

        return stop

    def announce(self, event: Announcement) -> None:
        """Tell all listeners; one that fails does not keep the others from hearing it."""
        for callback in self._listeners:
            try:
                callback(event)
            except Exception:
                log.exception("a listener of the store failed")

    # -- handing over -------------------------------------------------------------------------

    def submit(
        self,
        item_id: str,
        edit: Edit,
        *,
        image: ImageReader | None = None,
        group: str | None = None,
        seen: bool = True,
        kind: Kind = "do",
    ) -> Ticket:
        """Have an edit done. Never waits.

        Parameters
        ----------
        image : for edits that read intensities; None opens the item's own.
        group : id that steps over many items share.
        seen : whether a person sees what is done. If not, a new or predicted item stays so.
        kind : "adopt" for a choice among what a model says: nobody has worked on the item then.
        """
        from segcore.edits import settled

        if self._thread is None:
            raise self.read_only()
        labels = self._contents.get(item_id).labels
        reader: Future[ImageReader] | None = None
        if image is None and edit.reads(labels) is not None:
            reader = self._open_image(item_id)

        def new_number() -> int:
            return self._contents.reserve_instances(item_id)

        def work(ticket: Ticket) -> Applied:
            pixels = image if reader is None else reader.result()
            with self._contents.holding(item_id) as content:
                done = settled(edit, content.labels, new_number)
                patch = done.apply(content.labels, pixels)
                patch = replace(patch, group=group or patch.group)
                return self.steps.take(item_id, patch, kind, ticket, seen=seen)

        return self._queue(work)

    def undo(self, item_id: str, only: Ticket | None = None) -> Ticket:
        """Take back the item's last step.

        Parameters
        ----------
        only : of a step that was handed over before: nothing is taken back unless it is the last.
        """

        def work(ticket: Ticket) -> Applied | None:
            history = self._contents.history(item_id)
            if not history.done or (only is not None and not self.is_last(item_id, only)):
                return None
            self.steps.refuse_group(history.done[-1])
            return self.steps.turn(item_id, [("undo", history.done[-1])], ticket)

        return self._queue(work)

    def redo(self, item_id: str) -> Ticket:
        """Bring back what was undone last."""

        def work(ticket: Ticket) -> Applied | None:
            history = self._contents.history(item_id)
            if not history.undone:
                return None
            self.steps.refuse_group(history.undone[-1])
            return self.steps.turn(item_id, [("redo", history.undone[-1])], ticket)

        return self._queue(work)

    def jump(self, item_id: str, event_id: str) -> Ticket:
        """Undo or redo until the step `event_id` is the last that is done; "" undoes all."""

        def work(ticket: Ticket) -> Applied | None:
            history = self._contents.history(item_id)
            turns: list[tuple[Kind, Step]] = []
            done = [step.id for step in history.done]
            if not event_id or event_id in done:
                keep = done.index(event_id) + 1 if event_id else 0
                turns = [("undo", step) for step in reversed(history.done[keep:])]
            else:
                ahead = [step.id for step in reversed(history.undone)]
                if event_id not in ahead:
                    raise MaskwrightError(
                        "That step is no longer part of this item's history.",
                        "Choose a step that the history lists.",
                    )
                steps = list(reversed(history.undone))[: ahead.index(event_id) + 1]
                turns = [("redo", step) for step in steps]
            for _, step in turns:
                self.steps.refuse_group(step)
            return self.steps.turn(item_id, turns, ticket) if turns else None

        return self._queue(work)

    def is_last(self, item_id: str, ticket: Ticket) -> bool:
        """Whether the step of a ticket is done, and is what undo of its item would take back."""
        done = ticket.applied.done() and ticket.applied.exception() is None
        applied = ticket.applied.result() if done else None
        return applied is not None and self.last_step(item_id) == applied.patch.id

    def last_step(self, item_id: str) -> str:
        """Id of the step that undo of an item would take back, or ""."""
        # Any thread may ask while the scribe's takes steps: no index that could be gone by now.
        return next((step.id for step in reversed(self._contents.history(item_id).done)), "")

    def history(self, item_id: str | None) -> list[HistoryRow]:
        """Steps of an item, oldest first: those done, then those that can be redone.

        None gives the project's own: changes of its classes.
        """
        return self._contents.history(item_id).rows()

    def flush(self, timeout: float | None = None) -> None:
        """Wait until all that was handed over before is durable.

        Raises
        ------
        MaskwrightError : it cannot be written at present; it is kept and tried again.
        """
        if self.durable is None or self._closed:
            return
        self.call(lambda: None)
        if not self.durable.wait(timeout) and self.durable.trouble is not None:
            raise durable.readable(self.durable.trouble, self._project.database.file)

    # -- for the store ------------------------------------------------------------------------

    def call(self, work: Callable[[], T]) -> T:
        """Run something between two steps and wait for its result."""
        if threading.current_thread() is self._thread:
            return work()
        if self._thread is None:
            raise self.read_only()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        self._commands.put(run)
        return done.result()

    def read_only(self) -> ReadOnly:
        """Why nothing can be changed, as a sentence."""
        if self._closed:
            return ReadOnly(f"{self._project.name} is closed.", "Open it again.")
        return ReadOnly(
            f"{self._project.name} is open for reading: {self._project.writer}.",
            "Close it there, then open it again.",
        )

    def write_now(self, entry: Entry) -> None:
        """Make an entry durable before anything else happens; it is kept nowhere if it fails."""
        assert self.durable is not None
        self.durable.wait()
        if self.durable.trouble is not None:
            raise durable.readable(self.durable.trouble, self._project.database.file)
        self.durable.write_now(entry)

    def close(self) -> None:
        """End both threads; what is not durable by now is lost."""
        self._closed = True
        if self._thread is not None:
            self._commands.put(None)
            self._thread.join()
            self._thread = None
        if self.durable is not None:
            self.durable.stop()
        if self._images is not None:
            self._images.shutdown()

    # -- the applied thread -------------------------------------------------------------------

    def _run(self) -> None:
        while (command := self._commands.get()) is not None:
            command()

    def _queue(self, work: Callable[[Ticket], Applied | None]) -> Ticket:
        if self._thread is None:
            raise self.read_only()
        ticket = Ticket()

        def run() -> None:
            try:
                applied = work(ticket)
            except Exception as error:
                ticket.applied.set_exception(error)
                ticket.durable.set_exception(error)
                return
            if applied is None:
                ticket.durable.set_result("")
            ticket.applied.set_result(applied)

        self._commands.put(run)
        return ticket

    def _open_image(self, item_id: str) -> Future[ImageReader]:
        """Begin to open an item's image, so that it is there when the edit's turn comes."""
        if self._images is None:
            self._images = ThreadPoolExecutor(1, thread_name_prefix="scribe image")
        item = self._project.items.by_id(item_id)
        return self._images.submit(lambda: _Reader(item.open_image()))


class _Reader:
    """An image as an edit reads it."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, z: int, rect: Any) -> Any:
        return self._source.read(z, rect)
