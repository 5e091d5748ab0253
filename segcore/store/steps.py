"""Steps: how one is taken, undone and redone in memory, and handed on to be written.

Everything here runs on the applied thread of the scribe.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from segcore.base import MaskwrightError
from segcore.labels import FieldChange, Patch
from segcore.store.contents import concerns_label
from segcore.store.durable import Durable
from segcore.store.events import STEPS, Announcement, Applied, Entry, Kind, Ticket
from segcore.store.history import Step
from segcore.store.merge import merge
from segcore.store.records import ITEM_COLUMNS, Content, InstanceRow, is_pointer

if TYPE_CHECKING:
    from segcore.store.project import Project


class Steps:
    """Takes steps of items and of the project.

    Parameters
    ----------
    announce : tells the listeners.
    durable : writes what was taken.
    """

    def __init__(
        self, project: Project, announce: Callable[[Announcement], None], durable: Durable
    ) -> None:
        self._project = project
        self._contents = project.contents
        self._announce = announce
        self._durable = durable
        found = project.database.row("SELECT max(seq) FROM event")
        self._seq = (found[0] or 0) if found is not None else 0
        self._groups: dict[str, set[str]] = {}

    def next_seq(self) -> int:
        """The number of the next event."""
        self._seq += 1
        return self._seq

    def take(
        self,
        item_id: str,
        patch: Patch,
        kind: Kind,
        ticket: Ticket | None = None,
        *,
        statements: Sequence[tuple[str, Sequence[Any]]] = (),
        content: Content | None = None,
        seen: bool = True,
    ) -> Applied:
        """Do a new step of an item, on the applied thread.

        Parameters
        ----------
        statements : SQL for rows that the patch refers to, such as a new layer.
        content : the item with those rows; None takes it as it is.
        seen : whether a person sees what is done; see `Scribe.submit`.
        """
        before = self._contents.get(item_id)
        content = content or before
        patch = self._complete(content, patch, kind, seen)
        if patch.is_empty:
            if ticket is not None:
                ticket.durable.set_result("")
            applied = Applied(item_id, patch, before.labels, before.labels, kind, True)
            self._announce(applied)
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
        if kind in STEPS:
            step.waiting += 1
            (history.push if concerns_label(patch, kind) else history.note)(step)
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

    def take_for_project(self, patch: Patch, kind: Kind) -> Applied:
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
            after = replace(after, seq=entries[-1].seq)
            self._contents.put(after)
            self._project.scores.touch(after.item)
        for change in patch.fields:
            if change.table == "item":
                self._project.items.set_field(change.key, change.field, change.after)
        rows = [change.after for change in patch.fields if change.table == "class"]
        if rows:
            self._project.follow_classes(rows)
        applied = Applied(
            item_id,
            patch,
            None if before is None else before.labels,
            None if after is None else after.labels,
            kind,
            event_id=entries[-1].id,
        )
        # Listeners hear of a step before they hear that it is durable.
        self._announce(applied)
        self._durable.add(entries)
        return applied

    def _complete(self, content: Content, patch: Patch, kind: Kind, seen: bool) -> Patch:
        """Write in what an edit cannot know: the item, what was before, who and when."""
        fields = [self._complete_field(content, change) for change in patch.fields]
        fields = [change for change in fields if change.before != change.after]
        state = self._project.items.row(content.item).state
        if (
            kind == "do"
            and state in (("new", "predicted", "accepted") if seen else ("accepted",))
            and any(c.layer == content.labels.layer for c in patch.changes)
            and not any(f.table == "item" and f.field == "state" for f in fields)
        ):
            fields.append(state_change(content.item, state, "corrected"))
        return replace(patch, fields=tuple(fields), person=self._project.person, time=time.time())

    def _complete_field(self, content: Content, change: FieldChange) -> FieldChange:
        if change.table == "instance":
            key = change.key if "/" in change.key else f"{content.item}/{change.key}"
            number = int(key.split("/")[1])
            row = content.instances.get(number)
            after = change.after
            if change.field == "extent":
                painted = InstanceRow.from_json(number, after)
                after = (painted if row is None else row.covering(painted.bounds)).to_json()
            return FieldChange(
                "instance", key, "row", None if row is None else row.to_json(), after
            )
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
        self._durable.wait()
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

    def refuse_group(self, step: Step) -> None:
        """Raise if a step was done to many items: those are undone together."""
        group = step.patch.group
        if group and len(self.items_of_group(group)) > 1:
            raise MaskwrightError(
                f'"{step.patch.name}" was done to many items at once.',
                "Undo it in the project's history.",
            )

    def committed(self, entry: Entry) -> None:
        """An entry is durable (called on the durable thread)."""
        history = self._contents.history(entry.item)
        step = history.find(entry.target or entry.id)
        if step is not None and step.waiting:
            step.waiting -= 1
        self._contents.release(entry.item)


def state_change(item_id: str, before: str, after: str) -> FieldChange:
    """The field change that gives an item another state."""
    return FieldChange("item", item_id, "state", before, after)
