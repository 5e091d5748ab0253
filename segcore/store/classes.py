"""Classes in the store: rows of table `class`, and a change of them as fields of a Patch."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from segcore.base import ClassId, ClassSet, SegClass
from segcore.labels import FieldChange, Patch
from segcore.store.database import Database

_COLUMNS = "id, uuid, position, name, value, colour, thing, ignore, code, file_colours, retired"


def read_classes(database: Database) -> ClassSet:
    """The classes in their order."""
    return ClassSet(
        tuple(
            SegClass(
                ClassId(number),
                name,
                value,
                colour,
                thing=bool(thing),
                ignore=bool(ignore),
                uuid=uuid,
                code=code,
                file_colours=tuple(json.loads(file_colours)),
                retired=bool(retired),
            )
            for (
                number,
                uuid,
                _,
                name,
                value,
                colour,
                thing,
                ignore,
                code,
                file_colours,
                retired,
            ) in database.rows(f"SELECT {_COLUMNS} FROM class ORDER BY position, id")
        )
    )


def class_row(c: SegClass, position: int) -> dict[str, Any]:
    """A class as values that JSON can hold."""
    return asdict(c) | {"file_colours": list(c.file_colours), "position": position}


def class_changes(old: ClassSet, new: ClassSet) -> tuple[FieldChange, ...]:
    """What leads from one set to another.

    Ids are never used again: a class that is new was retired before, and one that is left out is
    retired, so undo of either keeps the row.
    """
    before = {int(c.id): class_row(c, place) for place, c in enumerate(old)}
    after = {int(c.id): class_row(c, place) for place, c in enumerate(new)}
    changes = []
    for number in sorted(before.keys() | after.keys()):
        was = before.get(number) or after[number] | {"retired": True}
        # Those left out go behind the others, in the order that they had.
        becomes = after.get(number) or before[number] | {
            "retired": True,
            "position": len(after) + before[number]["position"],
        }
        if was != becomes or number not in before:
            changes.append(FieldChange("class", str(number), "row", was, becomes))
    # Retirements first: a name or value that moves to another class is free by then.
    changes.sort(key=lambda change: not change.after["retired"])
    return tuple(changes)


def change_name(changes: tuple[FieldChange, ...]) -> str:
    """What history calls a change of classes: ``Rename Car to Lorry``, ``Add Tree``."""
    names = [
        name
        for change in changes
        if (name := _name_of_one(change.before, change.after)) is not None
    ]
    if not names:
        return "Reorder classes"
    if len(names) == 1:
        return names[0]
    added = [c.after["name"] for c in changes if c.before["retired"] and not c.after["retired"]]
    if len(added) == len(names):
        return f"Add {len(added)} classes"
    return f"Change {len(names)} classes"


def _name_of_one(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """What was done to one class; None if it only stands in another place."""
    if before["retired"] != after["retired"]:
        return f"{'Add' if before['retired'] else 'Remove'} {after['name']}"
    changed = {key for key in after if before.get(key) != after[key]} - {"position"}
    if not changed:
        return None
    if changed == {"name"}:
        return f"Rename {before['name']} to {after['name']}"
    word = {"colour": "Recolour", "value": "Renumber"}.get(next(iter(changed)), "Change")
    return f"{word if len(changed) == 1 else 'Change'} {before['name']}"


def painted_since(database: Database, step: Patch, seq: int) -> dict[str, int]:
    """Names of the classes that a step added and that are painted since -> on how many items.

    A step keeps the pixels of each class that it gained and lost; an event that undoes it takes
    them away again. So the sum over all later events is what is there now.

    Parameters
    ----------
    seq : of the step's event.
    """
    added = {
        change.key: change.after["name"]
        for change in step.fields
        if change.table == "class" and change.before["retired"] and not change.after["retired"]
    }
    found = {}
    for key, name in added.items():
        path = f'$.pixels."{key}"'
        items = database.rows(
            "SELECT e.item FROM event e JOIN event s ON s.uuid = coalesce(e.target, e.uuid)"
            " WHERE e.seq > ? AND e.item IS NOT NULL GROUP BY e.item"
            " HAVING sum((CASE e.kind WHEN 'undo' THEN -1 ELSE 1 END)"
            " * (coalesce(json_extract(s.patch, ? || '[0]'), 0)"
            " - coalesce(json_extract(s.patch, ? || '[1]'), 0))) > 0",
            (seq, path, path),
        )
        if items:
            found[name] = len(items)
    return found


def with_changed_rows(classes: ClassSet, rows: list[dict[str, Any]]) -> ClassSet:
    """The set with other rows for some classes, in the order of their positions."""
    present = {int(c.id): class_row(c, place) for place, c in enumerate(classes)}
    present.update({row["id"]: row for row in rows})
    ordered = sorted(present.values(), key=lambda row: (row["position"], row["id"]))
    return ClassSet(
        tuple(
            SegClass(
                **{name: value for name, value in row.items() if name != "position"}
                | {"file_colours": tuple(row["file_colours"])}
            )
            for row in ordered
        )
    )
