"""Events: what the scribe tells its listeners, and how the log keeps what was done."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import field
from typing import Any, Literal, TypeAlias

from segcore.base.dataclass import dataclass
from segcore.labels import Labels, Patch
from segcore.store.blobs import PLANE_NUMBERS
from segcore.store.records import ITEM_COLUMNS, dumps

Kind: TypeAlias = Literal[
    "do",
    "undo",
    "redo",
    "adopt",
    "import",
    "predict",
    "state",
    "item",
    "class",
    "add",
    "move",
    "compact",
]
STEPS = frozenset({"do", "adopt", "import", "state", "predict"})
"""Kinds of an item's events that can be undone."""


@dataclass(frozen=True)
class Applied:
    """A step is done in memory: `labels` is `labels_before.after(patch)`, for undo as well.

    Parameters
    ----------
    item_id : None for what concerns the project, such as its classes.
    patch : from `labels_before` to `labels`; empty if the edit changed nothing.
    labels_before, labels : the label layer that the item showed, and the one it shows now.
    kind : what was done.
    durable : False; `Committed` tells when it is.
    event_id : id of the event in the log.
    """

    item_id: str | None
    patch: Patch
    labels_before: Labels | None
    labels: Labels | None
    kind: Kind
    durable: bool = False
    event_id: str = ""


@dataclass(frozen=True)
class Committed:
    """These events have reached the disk, in this order."""

    event_ids: tuple[str, ...]


@dataclass(frozen=True)
class StoreTrouble:
    """Nothing can be written at present; everything is kept in memory and tried again."""

    error: Exception
    waiting: int


@dataclass(frozen=True)
class StoreRecovered:
    """Writing works again, and all that waited has been written."""


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


Announcement: TypeAlias = Applied | Committed | StoreTrouble | StoreRecovered


@dataclass(frozen=True)
class TileRow:
    """A tile change with the layer's number in this file."""

    layer: int
    plane: str
    z: int
    y: int
    x: int
    before: int
    after: int
    missing: int


@dataclass
class Entry:
    """One thing to be made durable: an event, its tiles and fields, and rows it needs first.

    Parameters
    ----------
    seq, id, kind, item, target : columns of table `event`; no id means that there is no event.
    patch : oriented as it is to be written, so for an undo the inverse of the step.
    tiles : the changes of `patch` with layer numbers.
    statements : further SQL, run before the rest.
    durable : done when it is committed.
    """

    patch: Patch
    seq: int = 0
    id: str = ""
    kind: Kind = "do"
    item: str | None = None
    target: str | None = None
    tiles: tuple[TileRow, ...] = ()
    statements: tuple[tuple[str, Sequence[Any]], ...] = ()
    durable: Future[str] = field(default_factory=Future)


def write(connection: sqlite3.Connection, entry: Entry) -> None:
    """Write everything of an entry except the blobs of its tiles."""
    for sql, parameters in entry.statements:
        connection.execute(sql, parameters)
    for tile in entry.tiles:
        place = (tile.layer, PLANE_NUMBERS[tile.plane], tile.z, tile.y, tile.x)
        if tile.after == tile.missing:
            connection.execute(
                "DELETE FROM tile WHERE layer = ? AND plane = ? AND z = ? AND y = ? AND x = ?",
                place,
            )
        else:
            connection.execute(
                "INSERT OR REPLACE INTO tile VALUES (?, ?, ?, ?, ?, ?)", (*place, tile.after)
            )
    for change in entry.patch.fields:
        sql, parameters = field_statement(change.table, change.key, change.field, change.after)
        connection.execute(sql, parameters)
    if entry.id:
        _write_event(connection, entry)


def _write_event(connection: sqlite3.Connection, entry: Entry) -> None:
    step = entry.target is None
    patch = entry.patch
    connection.execute(
        "INSERT INTO event (seq, uuid, kind, item, patch, person, time, target, grp)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.seq,
            entry.id,
            entry.kind,
            entry.item,
            dumps(patch.to_json()) if step else None,
            patch.person,
            patch.time,
            entry.target,
            patch.group,
        ),
    )
    if step:
        connection.executemany(
            "INSERT INTO event_tile VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (entry.seq, t.layer, PLANE_NUMBERS[t.plane], t.z, t.y, t.x, t.before, t.after)
                for t in entry.tiles
            ),
        )


def field_statement(table: str, key: str, name: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    """The SQL that gives one field its value."""
    if table == "item":
        if name in ITEM_COLUMNS:
            return f"UPDATE item SET {ITEM_COLUMNS[name]} = ? WHERE uuid = ?", (value, key)
        if value is None:
            return "DELETE FROM pointer WHERE item = ? AND slot = ?", (key, name)
        return "INSERT OR REPLACE INTO pointer VALUES (?, ?, ?)", (key, name, value)
    if table == "instance":
        item, number = key.split("/")
        if value is None:
            return "DELETE FROM instance WHERE item = ? AND id = ?", (item, int(number))
        return "INSERT OR REPLACE INTO instance VALUES (?, ?, ?)", (item, int(number), dumps(value))
    if table == "class":
        return _class_statement(value)
    raise ValueError(f"no table {table} in a patch")


_CLASS_COLUMNS = (
    "id",
    "uuid",
    "position",
    "name",
    "value",
    "colour",
    "thing",
    "ignore",
    "code",
    "file_colours",
    "retired",
)
_SET_CLASS = (
    f"INSERT INTO class ({', '.join(_CLASS_COLUMNS)})"
    f" VALUES ({', '.join('?' * len(_CLASS_COLUMNS))}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _CLASS_COLUMNS[1:])
)


def _class_statement(row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    values = row | {"file_colours": dumps(list(row["file_colours"]))}
    return _SET_CLASS, tuple(values[column] for column in _CLASS_COLUMNS)
