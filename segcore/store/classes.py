"""Classes in the store: rows of table `class`, and a change of them as fields of a Patch."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from segcore.base import ClassId, ClassSet, SegClass
from segcore.labels import FieldChange
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
