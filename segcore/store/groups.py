"""Steps that are undone from the project's history: those over many items, and those aside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from segcore.base import MaskwrightError
from segcore.labels import Patch
from segcore.store.events import Applied
from segcore.store.history import HistoryRow, Step
from segcore.store.records import is_pointer

if TYPE_CHECKING:
    from segcore.store.project import Project


def undo_group(project: Project, group: str) -> list[Applied]:
    """Take back the group's steps where nothing later was built on them."""

    def work() -> list[Applied]:
        done = []
        for item_id in sorted(project.scribe.steps.items_of_group(group)):
            with project.contents.holding(item_id):
                history = project.contents.history(item_id)
                for step in reversed([*history.aside.values(), *history.done]):
                    if step.patch.group == group and still_stands(project, item_id, step):
                        done.append(project.scribe.steps.turn(item_id, [("undo", step)]))
        return done

    return project.scribe.call(work)


def redo_group(project: Project, group: str) -> list[Applied]:
    """Bring the group's steps back on the items where they are next in the redo chain."""

    def work() -> list[Applied]:
        done = []
        for item_id in sorted(project.scribe.steps.items_of_group(group)):
            with project.contents.holding(item_id):
                history = project.contents.history(item_id)
                waiting = [s for s in history.aside_undone.values() if s.patch.group == group]
                for step in reversed(history.undone):
                    if step.patch.group != group:
                        break
                    waiting.append(step)
                for step in waiting:
                    done.append(project.scribe.steps.turn(item_id, [("redo", step)]))
        return done

    return project.scribe.call(work)


def undo_step(project: Project, item_id: str, event_id: str) -> Applied:
    """Take back one step of an item, also one that stands aside, such as an import of truth.

    Raises
    ------
    MaskwrightError : something later was built on it, or it is undone already.
    """

    def work() -> Applied:
        with project.contents.holding(item_id):
            history = project.contents.history(item_id)
            step = history.find(event_id)
            if step is None or step in history.undone or event_id in history.aside_undone:
                raise MaskwrightError("That step is not there to be undone.", "Choose another.")
            if not still_stands(project, item_id, step):
                raise MaskwrightError(
                    f'Later steps were built on "{step.patch.name}".', "Undo those first."
                )
            return project.scribe.steps.turn(item_id, [("undo", step)])

    return project.scribe.call(work)


def still_stands(project: Project, item_id: str, step: Step) -> bool:
    """Whether everything that a step changed is still as the step left it."""
    project.contents.load_changes(step)
    content = project.contents.get(item_id)
    for change in step.patch.changes:
        content = project.contents.with_layer_of(content, change.layer)
        if content.layers[change.layer].handle(change.plane, change.at) != change.after:
            return False
    row = project.items.row(item_id)
    for field in step.patch.fields:
        present: Any
        if field.table == "instance":
            found = content.instances.get(int(field.key.split("/")[1]))
            present = None if found is None else found.to_json()
        elif is_pointer(field.field):
            present = content.pointers.get(field.field)
        else:
            present = getattr(row, field.field, field.after)
        if present != field.after:
            return False
    return True


def rows(project: Project) -> list[HistoryRow]:
    """One row for each step over many items, oldest first; its `group` is what undo takes."""
    # A step of the group counts as done if it was undone as often as it was redone.
    found = project.database.rows(
        "SELECT e.grp, count(DISTINCT e.item), sum((SELECT coalesce(sum(CASE t.kind WHEN 'undo'"
        " THEN -1 ELSE 1 END), 0) FROM event t WHERE t.target = e.uuid)) + count(*), min(e.seq)"
        " FROM event e WHERE e.grp IS NOT NULL AND e.target IS NULL GROUP BY e.grp"
        " HAVING count(DISTINCT e.item) > 1 ORDER BY min(e.seq)"
    )
    made = []
    for group, items, done, first in found:
        row = project.database.row("SELECT patch, kind FROM event WHERE seq = ?", (first,))
        assert row is not None
        patch = Patch.from_json(json.loads(row[0]))
        made.append(
            HistoryRow(
                group,
                f"{patch.name} ({items} items)",
                patch.tool,
                {},
                "done" if done else "undone",
                True,
                patch.person,
                patch.time,
                row[1],
                None,
                group,
            )
        )
    return made
