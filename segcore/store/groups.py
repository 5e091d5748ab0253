"""Steps over many items: undone and redone together, from the project's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcore.store import contents
from segcore.store.events import Applied
from segcore.store.history import Step

if TYPE_CHECKING:
    from segcore.store.project import Project


def undo_group(project: Project, group: str) -> list[Applied]:
    """Take back the group's steps where nothing later was built on them."""

    def work() -> list[Applied]:
        done = []
        for item_id in sorted(project.scribe.steps.items_of_group(group)):
            with project.contents.holding(item_id):
                history = project.contents.history(item_id)
                mine = [step for step in history.done if step.patch.group == group]
                for step in reversed(mine):
                    if step is history.done[-1] or still_stands(project, item_id, step):
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
                while history.undone and history.undone[-1].patch.group == group:
                    step = history.undone[-1]
                    done.append(project.scribe.steps.turn(item_id, [("redo", step)]))
        return done

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
        elif contents.is_pointer(field.field):
            present = content.pointers.get(field.field)
        else:
            present = getattr(row, field.field, field.after)
        if present != field.after:
            return False
    return True
