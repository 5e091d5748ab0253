"""The scribe: every step of a project, one after the other, on a thread of its own.

The applied queue changes what is in memory and answers at once; the durable queue behind it
(`durable.py`) writes the same steps in the same order. Nothing else changes a label.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from segcore.base import MaskwrightError, ReadOnly
from segcore.labels import FieldChange, Patch
from segcore.store import durable
from segcore.store.contents import is_pointer
from segcore.store.events import LABEL_STEPS, Announcement, Applied, Entry, Kind
from segcore.store.history import HistoryRow, Step
from segcore.store.merge import merge
from segcore.store.records import ITEM_COLUMNS, Content

if TYPE_CHECKING:
    from segcore.edits import Edit, ImageReader
    from segcore.store.project import Project

log = logging.getLogger(__name__)
T = TypeVar("T")

Listener = Callable[[Announcement], None]


@dataclass(frozen=True)
class Ticket:
    """What became of something that was handed to the scribe.

    Parameters
    ----------
    applied : done in memory; its result is None where there was nothing to undo or redo.
    durable : on the disk; its result is the event's id, "" for an edit that changed nothing.
    """

    applied: Future[Applied | None] = field(default_factory=Future)
    durable: Future[str] = field(default_factory=Future)


class Scribe:
    """See `Project.scribe`. Callbacks of `listen` come on its threads."""

    def __init__(self, project: Project, epoch: str) -> None:
        self._project = project
        self._contents = project.contents
        found = project.database.row("SELECT max(seq) FROM event")
        self._seq = (found[0] or 0) if found is not None else 0
        self._listeners: tuple[Listener, ...] = ()
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._images: ThreadPoolExecutor | None = None
        self._groups: dict[str, set[str]] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self.durable: durable.Durable | None = None
        if project.database.writable:
            self.durable = durable.Durable(
                project.database,
                project.contents.cache,
                self.announce,
                self._committed,
                epoch,
                project.scores.take_dirty,
            )
            self._thread = threading.Thread(target=self._run, name="scribe applied", daemon=True)
            self._thread.start()

    # -- listening ----------------------------------------------------------------------------

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Have `callback` called with every `Applied`, `Committed`, `StoreTrouble` and
        `StoreRecovered`, on the scribe's threads; gives a function that ends it."""
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
    ) -> Ticket:
        """Have an edit done. Never waits.

        Parameters
        ----------
        image : for edits that read intensities; None opens the item's own.
        group : id that steps over many items share.
        """
        if self._thread is None:
            raise self.read_only()
        labels = self._contents.get(item_id).labels
        reader: Future[ImageReader] | None = None
        if image is None and edit.reads(labels) is not None:
            reader = self._open_image(item_id)

        def work(ticket: Ticket) -> Applied:
            pixels = image if reader is None else reader.result()
            with self._contents.holding(item_id) as content:
                patch = edit.apply(content.labels, pixels)
                patch = replace(patch, group=group or patch.group)
                return self.take_step(item_id, patch, "do", ticket)

        return self._queue(work)

    def undo(self, item_id: str) -> Ticket:
        """Take back the item's last step."""

        def work(ticket: Ticket) -> Applied | None:
            history = self._contents.history(item_id)
            if not history.done:
                return None
            self._refuse_group(history.done[-1])
            return self.turn(item_id, [("undo", history.done[-1])], ticket)

        return self._queue(work)

    def redo(self, item_id: str) -> Ticket:
        """Bring back what was undone last."""

        def work(ticket: Ticket) -> Applied | None:
            history = self._contents.history(item_id)
            if not history.undone:
                return None
            self._refuse_group(history.undone[-1])
            return self.turn(item_id, [("redo", history.undone[-1])], ticket)

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
                self._refuse_group(step)
            return self.turn(item_id, turns, ticket) if turns else None

        return self._queue(work)

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

    def next_seq(self) -> int:
        """The number of the next event."""
        self._seq += 1
        return self._seq

    def write_now(self, entry: Entry) -> None:
        """Make an entry durable before anything else happens; it is kept nowhere if it fails."""
        assert self.durable is not None
        self.durable.wait()
        if self.durable.trouble is not None:
            raise durable.readable(self.durable.trouble, self._project.database.file)
        self.durable.write_now(entry)

    def take_step(
        self,
        item_id: str,
        patch: Patch,
        kind: Kind,
        ticket: Ticket | None = None,
        *,
        statements: Sequence[tuple[str, Sequence[Any]]] = (),
        content: Content | None = None,
    ) -> Applied:
        """Do a new step of an item, on the applied thread.

        Parameters
        ----------
        statements : SQL for rows that the patch refers to, such as a new layer.
        content : the item with those rows; None takes it as it is.
        """
        before = self._contents.get(item_id)
        content = content or before
        patch = self._complete(content, patch, kind)
        if patch.is_empty:
            if ticket is not None:
                ticket.durable.set_result("")
            applied = Applied(item_id, patch, before.labels, before.labels, kind, True)
            self.announce(applied)
            return applied
        if not patch.changes and {f.field for f in patch.fields} == {"state"}:
            kind = "state"
        history = self._contents.history(item_id)
        after = self._contents.after(content, patch)
        bump = self._instance_counter(item_id, after, patch)
        step = Step(patch.id, self.next_seq(), kind, patch)
        entry = Entry(
            patch,
            seq=step.seq,
            id=patch.id,
            kind=kind,
            item=item_id,
            tiles=self._contents.tile_rows(after, patch),
            statements=(*statements, *bump),
            durable=ticket.durable if ticket is not None else Future(),
        )
        if kind in LABEL_STEPS and _concerns_label(patch, after):
            history.push(step)
            step.waiting += 1
        if patch.group:
            self._groups.setdefault(patch.group, set()).add(item_id)
        return self._publish(item_id, before, after, patch, kind, [entry])

    def turn(
        self, item_id: str | None, turns: Sequence[tuple[Kind, Step]], ticket: Ticket | None = None
    ) -> Applied:
        """Undo or redo steps of an item, one event each, shown as one; on the applied thread."""
        history = self._contents.history(item_id)
        entries: list[Entry] = []
        patches: list[Patch] = []
        for kind, step in turns:
            self._contents.load_changes(step)
            patch = step.patch.inverse() if kind == "undo" else step.patch
            patches.append(patch)
            entries.append(
                Entry(
                    replace(patch, person=self._project.person, time=time.time(), group=None),
                    seq=self.next_seq(),
                    id=str(uuid.uuid4()),
                    kind=kind,
                    item=item_id,
                    target=step.id,
                )
            )
            (history.undo if kind == "undo" else history.redo)(step)
            step.waiting += 1
        net = merge(patches)
        if ticket is not None:
            entries[-1].durable = ticket.durable
        if item_id is None:
            return self._publish(None, None, None, net, turns[-1][0], entries)
        with self._contents.holding(item_id) as before:
            after = self._contents.after(before, net)
            for entry in entries:
                entry.tiles = self._contents.tile_rows(after, entry.patch)
            return self._publish(item_id, before, after, net, turns[-1][0], entries)

    def take_project_step(self, patch: Patch, kind: Kind) -> Applied:
        """Do a step that concerns no item, on the applied thread."""
        patch = replace(patch, person=self._project.person, time=time.time())
        step = Step(patch.id, self.next_seq(), kind, patch, waiting=1)
        self._contents.history(None).push(step)
        entry = Entry(patch, seq=step.seq, id=patch.id, kind=kind)
        return self._publish(None, None, None, patch, kind, [entry])

    def items_of_group(self, group: str) -> set[str]:
        """Ids of the items that a group of steps touched."""
        found = self._project.database.rows(
            "SELECT DISTINCT item FROM event WHERE grp = ? AND item IS NOT NULL", (group,)
        )
        return {row[0] for row in found} | self._groups.get(group, set())

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

    def _publish(
        self,
        item_id: str | None,
        before: Content | None,
        after: Content | None,
        patch: Patch,
        kind: Kind,
        entries: list[Entry],
    ) -> Applied:
        for entry in entries:
            self._contents.hold(entry.item)
        if after is not None:
            self._contents.put(after)
        for change in patch.fields:
            if change.table == "item":
                self._project.items.set_field(change.key, change.field, change.after)
        rows = [change.after for change in patch.fields if change.table == "class"]
        if rows:
            self._project.follow_classes(rows)
        assert self.durable is not None
        applied = Applied(
            item_id,
            patch,
            None if before is None else before.labels,
            None if after is None else after.labels,
            kind,
            event_id=entries[-1].id,
        )
        # Listeners hear of a step before they hear that it is durable.
        self.announce(applied)
        self.durable.add(entries)
        return applied

    def _complete(self, content: Content, patch: Patch, kind: Kind) -> Patch:
        """Write in what an edit cannot know: the item, what was before, who and when."""
        fields = [self._complete_field(content, change) for change in patch.fields]
        fields = [change for change in fields if change.before != change.after]
        state = self._project.items.row(content.item).state
        if (
            kind == "do"
            and state in ("new", "predicted", "accepted")
            and any(c.layer == content.labels.layer for c in patch.changes)
            and not any(f.table == "item" and f.field == "state" for f in fields)
        ):
            fields.append(state_change(content.item, state, "corrected"))
        return replace(patch, fields=tuple(fields), person=self._project.person, time=time.time())

    def _complete_field(self, content: Content, change: FieldChange) -> FieldChange:
        if change.table == "instance":
            key = change.key if "/" in change.key else f"{content.item}/{change.key}"
            row = content.instances.get(int(key.split("/")[1]))
            return change._replace(key=key, before=None if row is None else row.to_json())
        if change.table != "item":
            return change
        return change._replace(
            key=change.key or content.item, before=self._present(content, change.field)
        )

    def _present(self, content: Content, name: str) -> Any:
        """What a field of an item is now."""
        if is_pointer(name):
            return content.pointers.get(name)
        row = self._project.items.row(content.item)
        if hasattr(row, name):
            return getattr(row, name)
        # Not kept in memory: nothing of it may still wait to be written.
        assert self.durable is not None
        self.durable.wait()
        found = self._project.database.row(
            f"SELECT {ITEM_COLUMNS[name]} FROM item WHERE uuid = ?", (content.item,)
        )
        return None if found is None else found[0]

    def _instance_counter(
        self, item_id: str, after: Content, patch: Patch
    ) -> list[tuple[str, Sequence[Any]]]:
        if not any(c.plane == "instance" for c in patch.changes) and not any(
            f.table == "instance" for f in patch.fields
        ):
            return []
        number = max(after.next_instance, self._contents.next_instance(item_id))
        return [
            (
                "UPDATE item SET next_instance = max(next_instance, ?) WHERE uuid = ?",
                (number, item_id),
            )
        ]

    def _refuse_group(self, step: Step) -> None:
        group = step.patch.group
        if group and len(self.items_of_group(group)) > 1:
            raise MaskwrightError(
                f'"{step.patch.name}" was done to many items at once.',
                "Undo it in the project's history.",
            )

    def _committed(self, entry: Entry) -> None:
        history = self._contents.history(entry.item)
        step = history.find(entry.target or entry.id)
        if step is not None and step.waiting:
            step.waiting -= 1
        self._contents.release(entry.item)

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


def state_change(item_id: str, before: str, after: str) -> FieldChange:
    """The field change that gives an item another state."""
    return FieldChange("item", item_id, "state", before, after)


def _concerns_label(patch: Patch, content: Content) -> bool:
    """Whether undo of the item takes a step back: not for truth or predictions alone."""
    label = content.labels.layer
    return any(c.layer == label for c in patch.changes) or any(
        f.field in {"state", "label"} or f.table == "instance" for f in patch.fields
    )
