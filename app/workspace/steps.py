"""Steps of the open item: handed to the scribe, counted until the disk has them, heard of.

The scribe speaks on its own threads; what it says is brought over by queued signals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from app.settings import Settings
from app.workspace.background import Background
from app.workspace.choices import Choices
from app.workspace.messages import Message, Remedy
from app.workspace.objects import Objects
from app.workspace.opened import Shelf
from app.workspace.queue import Queue
from app.workspace.scores import Scorekeeper
from segcore.base import MaskwrightError
from segcore.labels import Labels, Patch

# The toast about the last step that was told.
_TOLD = "step"


class Steps(Choices):
    """The part of the workspace that edits, undoes and follows what was done."""

    object_named = Signal(str)
    """What painting does, or did, to an object of a class of things; "" if nothing."""
    _store_spoke = Signal(object)
    _ticket_done = Signal(object)
    background: Background
    queue: Queue
    scorekeeper: Scorekeeper
    _shelf: Shelf

    def __init__(self, settings: Settings | None = None, parent: QObject | None = None) -> None:
        super().__init__(settings, parent)
        self.project: Any = None
        self.item: Any = None
        self.labels: Labels | None = None
        self.interrupt: Callable[[], bool] = lambda: False
        """Set by the canvas: drops the gesture in progress; True if there was one."""
        self._unapplied = 0
        self._uncommitted: set[str] = set()
        self._may_undo = self._may_redo = False
        self._last_object: tuple[str, int] = ("", 0)
        self._told: tuple[str, str, Any] | None = None
        self._history: list[Any] = []
        self._store_spoke.connect(self._hear_store)
        # Queued also where the step is applied before this thread has asked to hear of it: what
        # the scribe has said of it before comes first, so a step never counts as done unseen.
        self._ticket_done.connect(self._hear_ticket, Qt.ConnectionType.QueuedConnection)

    @property
    def read_only(self) -> bool:
        return self.project is not None and bool(self.project.read_only)

    @property
    def waiting_strokes(self) -> int:
        """Steps that are not on the disk yet, those included that are still to be applied."""
        return self._unapplied + len(self._uncommitted)

    def submit(self, edit: Any, item_id: str | None = None, **how: Any) -> Any:
        """Hand an edit to the scribe, of the open item unless told; gives its ticket, or None.

        Further arguments as of `segcore.store.Scribe.submit`.
        """
        if self.item is None or self.project is None:
            return None
        if self.read_only:
            self.post(Message("This project is open for reading.", tone="warning"))
            return None
        return self._watched(self.project.scribe.submit(item_id or self.item.id, edit, **how))

    def objects(self) -> Objects | None:
        """What painting may know of the objects of the active class; None if it has none."""
        if self.item is None or self.project is None:
            return None
        active = self.project.classes.get(self.active_class)
        if active is None or not active.thing:
            return None
        rows = self.item.instances
        item_id, last = self._last_object
        known = rows.get(last) if item_id == self.item.id else None
        goes_on = known is not None and known.class_id == self.active_class
        return Objects(
            self.active_class, active.name, last if goes_on else 0, self.item.next_instance
        )

    def _follow_object(self, event: Any) -> None:
        """A person has painted an object: Shift goes on with it."""
        number = event.patch.instance
        if event.kind != "do" or not number:
            return
        self._last_object = (event.item_id, number)
        objects = self.objects()
        if objects is not None and objects.last == number:
            rows = [f for f in event.patch.fields if f.table == "instance"]
            is_new = any(change.before is None for change in rows)
            self.object_named.emit(objects.words(number, is_new=is_new))

    def undo(self) -> None:
        """Take back the last step, or only the gesture that is in progress."""
        if self.interrupt():
            return
        if self.can_undo:
            self._watched(self.project.scribe.undo(self.item.id))

    def tell_step(self, text: str, item_id: str, ticket: Any, then: Callable[[], None]) -> None:
        """A toast about a step that was handed over, with Undo.

        Undo takes back this step and no other, and calls `then`. The toast goes once the step is
        undone or another one stands on it: what undo would take back then has another name.
        """

        def take_back() -> None:
            if self.project is not None and not self.read_only:
                self._watched(self.project.scribe.undo(item_id, ticket))
                then()

        self._told = text, item_id, ticket
        self.tell(text, ("Undo", take_back), key=_TOLD)
        self._follow_told()

    def _follow_told(self) -> None:
        """Take the toast about a step back where its undo would find another one."""
        if self._told is None or self.project is None:
            return
        text, item_id, ticket = self._told
        if not ticket.applied.done() or self.project.scribe.is_last(item_id, ticket):
            return
        self._told = None
        if ticket.applied.exception() is None and ticket.applied.result().patch.is_empty:
            self.tell(text)  # it was so already: there is nothing to take back
        else:
            self.take_back(_TOLD)

    def redo(self) -> None:
        if self.can_redo:
            self._watched(self.project.scribe.redo(self.item.id))

    def jump(self, event_id: Any) -> None:
        """Go to a step of the history of the open item."""
        if self.item is not None and not self.read_only:
            self._watched(self.project.scribe.jump(self.item.id, event_id))

    def _watched(self, ticket: Any) -> Any:
        """Count a step until it is applied; the scribe's thread tells, this one hears."""
        self._unapplied += 1
        ticket.applied.add_done_callback(self._ticket_done.emit)
        self.history_changed.emit()
        return ticket

    def _hear_ticket(self, applied: Any) -> None:
        self._unapplied = max(0, self._unapplied - 1)
        error = applied.exception()
        if error is not None and self.project is not None:
            self.report(error)
        self._follow_told()
        self.history_changed.emit()

    @property
    def history(self) -> list[Any]:
        """Steps of the open item, oldest first, as last read."""
        return self._history

    @property
    def undo_name(self) -> str:
        """Name of the step that undo takes back, or ""."""
        return next((r.name for r in reversed(self._history) if r.state == "done"), "")

    @property
    def redo_name(self) -> str:
        return next((r.name for r in self._history if r.state == "undone"), "")

    @property
    def can_undo(self) -> bool:
        known = self._may_undo or bool(self.undo_name)
        return known and self.item is not None and not self.read_only

    @property
    def can_redo(self) -> bool:
        known = self._may_redo or bool(self.redo_name)
        return known and self.item is not None and not self.read_only

    def _refresh_history(self) -> None:
        item, project = self.item, self.project
        if item is None or project is None:
            self._history = []
            self.history_changed.emit()
            return

        def show(rows: list[Any]) -> None:
            if item is self.item:
                self._history = rows
                self._may_undo = self._may_redo = False
                self.history_changed.emit()

        self.background.run_latest("history", lambda: list(project.scribe.history(item.id)), show)

    def _hear_store(self, event: Any) -> None:
        """An event of the scribe, brought over to the GUI thread."""
        if self.project is None:
            return
        name = type(event).__name__
        if name == "Applied":
            self._hear_applied(event)
        elif name == "Committed":
            self._uncommitted.difference_update(event.event_ids)
            self.label_committed.emit(event)
            self._refresh_history()
        elif name == "StoreTrouble":
            self.store_troubled.emit(event)
            self.post(
                Message(
                    f"{_first_sentence(event.error)} {event.waiting} "
                    f"{'stroke is' if event.waiting == 1 else 'strokes are'} kept in memory.",
                    kind="banner",
                    tone="danger",
                    key="store",
                    hint="Free some space; writing is tried again by itself.",
                    remedy=Remedy("Save elsewhere", self.save_asked.emit),
                )
            )
        elif name == "StoreRecovered":
            self.store_recovered.emit()
            self.withdraw("store")

    def _hear_applied(self, event: Any) -> None:
        patch: Patch | None = event.patch
        if patch is not None and not patch.is_empty and not event.durable and event.event_id:
            self._uncommitted.add(event.event_id)
        for change in patch.fields if patch is not None else ():
            if change.table == "item" and change.field == "state":
                item = self.project.items.by_id(event.item_id)
                self.queue.state_changed(event.item_id, item.state)
                self.item_state_changed.emit(item)
            elif change.table == "class":
                self.classes_changed.emit(self.project.classes)
        self._shelf.spoil(event.item_id)
        self._follow_told()
        if self.item is None or event.item_id != self.item.id:
            self.queue.label_changed(event.item_id)
            return
        self.labels = event.labels
        # Known before the history is read again: Ctrl+Z may come at once.
        self._may_undo = self._may_undo or event.kind != "undo"
        self._may_redo = event.kind == "undo"
        self.labels_changed.emit(event.labels, patch)
        if event.kind in ("undo", "redo") and patch is not None and patch.bounds is not None:
            self.step_turned.emit(patch.bounds)
        self._follow_object(event)
        self.scorekeeper.follow(patch)
        self._refresh_history()


def _first_sentence(error: Exception) -> str:
    text = error.message if isinstance(error, MaskwrightError) else "Writing has failed."
    return text if text.endswith(".") else f"{text}."
