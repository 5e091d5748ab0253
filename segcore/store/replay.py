"""Replay: play the log from the beginning, and compare the end with what the tables say."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import field
from typing import Any, TypeAlias

from segcore.base.dataclass import dataclass
from segcore.store.blobs import PLANE_NAMES
from segcore.store.records import is_pointer

Place: TypeAlias = tuple[int, int, int, int, int]
_CLASS = PLANE_NAMES.index("class")


@dataclass
class _World:
    """What the log leads to: tiles by place, pointers, fields of items, rows of instances."""

    fills: dict[int, int]
    tiles: dict[Place, int] = field(default_factory=dict)
    fields: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def missing(self, place: Place) -> int:
        """The handle of a place that has no tile."""
        return -1 - (self.fills.get(place[0], 0) if place[1] == _CLASS else 0)

    def tile(self, place: Place) -> int:
        return self.tiles.get(place, self.missing(place))

    def set_tile(self, place: Place, handle: int) -> None:
        if handle == self.missing(place):
            self.tiles.pop(place, None)
        else:
            self.tiles[place] = handle


def differences(connection: sqlite3.Connection) -> Iterator[str]:
    """Sentences about what the log and the tables say differently; none if they agree."""
    world = _World(dict(connection.execute("SELECT number, fill FROM layer").fetchall()))
    yield from _play(connection, world)
    yield from _compare_tiles(connection, world)
    yield from _compare_fields(connection, world)


def _play(connection: sqlite3.Connection, world: _World) -> Iterator[str]:
    tiles: dict[int, list[tuple[Place, int, int]]] = defaultdict(list)
    for event, layer, plane, z, y, x, before, after in connection.execute(
        "SELECT event, layer, plane, z, y, x, before, after FROM event_tile"
    ):
        tiles[event].append(((layer, plane, z, y, x), before, after))
    steps: dict[str, tuple[int, list[Any]]] = {}
    undone: set[str] = set()
    for seq, event_id, kind, text, target in connection.execute(
        "SELECT seq, uuid, kind, patch, target FROM event ORDER BY seq"
    ):
        if target is None:
            steps[event_id] = (seq, json.loads(text)["fields"])
            back = False
        else:
            back = kind == "undo"
            if target not in steps or (target in undone) is back:
                yield f"Event {seq} is the {kind} of a step that is not there to {kind}."
                continue
            (undone.add if back else undone.discard)(target)
        number, fields = steps[target or event_id]
        for place, before, after in tiles[number]:
            was, becomes = (after, before) if back else (before, after)
            if world.tile(place) != was:
                yield f"Event {seq} does not follow from what was before it at {_text(place)}."
            world.set_tile(place, becomes)
        for table, key, name, before, after in fields:
            world.fields[table, key, name] = before if back else after


def _compare_tiles(connection: sqlite3.Connection, world: _World) -> Iterator[str]:
    stored = {
        (layer, plane, z, y, x): handle
        for layer, plane, z, y, x, handle in connection.execute(
            "SELECT layer, plane, z, y, x, handle FROM tile"
        )
    }
    for place in sorted(stored.keys() | world.tiles.keys()):
        if stored.get(place) != world.tiles.get(place):
            yield f"The tile at {_text(place)} is not the one that the log leads to."


def _compare_fields(connection: sqlite3.Connection, world: _World) -> Iterator[str]:
    states = dict(connection.execute("SELECT uuid, state FROM item").fetchall())
    names = dict(connection.execute("SELECT uuid, name FROM item").fetchall())
    pointers = {
        (item, slot): layer
        for item, slot, layer in connection.execute("SELECT item, slot, layer FROM pointer")
    }
    instances = {
        f"{item}/{number}": json.loads(row)
        for item, number, row in connection.execute("SELECT item, id, row FROM instance")
    }
    expected_states = dict.fromkeys(states, "new")
    played_instances: set[str] = set()
    for (table, key, name), value in world.fields.items():
        if table == "item" and name == "state":
            expected_states[key] = value
        elif table == "item" and is_pointer(name):
            if pointers.get((key, name)) != value:
                yield f"{names.get(key, key)} shows another {name} than the log leads to."
        elif table == "instance":
            if value is not None:
                played_instances.add(key)
            if instances.get(key) != value:
                yield f"Instance {key} is not what the log leads to."
    for item, state in states.items():
        if state != expected_states[item]:
            yield f"{names[item]} is {state}, but the log leads to {expected_states[item]}."
    for key in sorted(instances.keys() - played_instances):
        yield f"Instance {key} is in no step of the log."


def _text(place: Place) -> str:
    layer, plane, z, y, x = place
    return f"layer {layer}, {PLANE_NAMES[plane]}, tile {z}, {y}, {x}"
