"""What is in memory of each item: its layers and its history, read when first asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, cast

from segcore.base import Shape
from segcore.labels import Handle, Labels, Patch, TileArray, TileCache, TileChange, TileIndex
from segcore.labels.tiles import TileShape
from segcore.store import blobs
from segcore.store.database import Database
from segcore.store.events import STEPS, TileRow
from segcore.store.history import History, Step
from segcore.store.items import Items
from segcore.store.records import Content, InstanceRow, LayerRow, dumps, is_pointer

KEPT_ITEMS = 512
READERS_FIRST_HANDLE = 1 << 62
"""Tiles made beside the store get handles from here, which no stored tile will ever have."""

_LAYER_COLUMNS = (
    "number, uuid, item, role, name, tile_z, tile_y, tile_x, fill, model_digest, partial,"
    " instances, made"
)


class Contents:
    """Layers and histories of the items in use; those of others are let go.

    What waits to be written is held: only what the database already has can be read again.
    """

    def __init__(self, database: Database, items: Items) -> None:
        self.database = database
        self._items = items
        found = database.row("SELECT max(id) FROM blob")
        last = found[0] if found is not None and found[0] is not None else -1
        first = last + 1 if database.writable else READERS_FIRST_HANDLE
        self.cache = TileCache(load=self._load_tile, next_handle=first)
        self._lock = threading.RLock()
        self._contents: dict[str, Content] = {}
        self._histories: dict[str, History] = {}
        self._held: dict[str, int] = {}
        self._next_instance: dict[str, int] = {}

    # -- tiles --------------------------------------------------------------------------------

    def _load_tile(self, handle: Handle, plane: str, tile: TileShape) -> TileArray:
        row = self.database.row("SELECT data, crc FROM blob WHERE id = ?", (handle,))
        if row is None:
            raise KeyError(handle)
        return blobs.decode(handle, row[0], row[1], plane, tile)

    # -- contents -----------------------------------------------------------------------------

    def get(self, item_id: str) -> Content:
        """The layers of an item as they are now.

        Raises
        ------
        KeyError : there is no such item.
        """
        content = self._contents.get(item_id)
        if content is not None:
            return content
        with self._lock:
            content = self._contents.get(item_id)
            if content is None:
                content = self._read(item_id)
                self._let_go()
                self._contents[item_id] = content
            return content

    def put(self, content: Content) -> None:
        """The item is as `content` says from now on."""
        with self._lock:
            self._contents[content.item] = content

    def forget(self, item_ids: set[str]) -> None:
        """Read these items again when they are asked for (another process has changed them)."""
        with self._lock:
            for item_id in item_ids:
                self._contents.pop(item_id, None)
                self._histories.pop(item_id, None)

    def hold(self, item_id: str | None) -> None:
        """Keep an item in memory until it is released as often."""
        if item_id is not None:
            with self._lock:
                self._held[item_id] = self._held.get(item_id, 0) + 1

    def release(self, item_id: str | None) -> None:
        if item_id is not None:
            with self._lock:
                self._held[item_id] -= 1
                if not self._held[item_id]:
                    del self._held[item_id]

    @contextmanager
    def holding(self, item_id: str) -> Iterator[Content]:
        """The item's content, held while the block runs."""
        self.hold(item_id)
        try:
            yield self.get(item_id)
        finally:
            self.release(item_id)

    def _let_go(self) -> None:
        if len(self._contents) < KEPT_ITEMS:
            return
        for item_id in list(self._contents)[: KEPT_ITEMS // 8]:
            if item_id not in self._held:
                del self._contents[item_id]
                self._histories.pop(item_id, None)

    def _read(self, item_id: str) -> Content:
        shape = self._items.row(item_id).shape
        rows = self.database.rows
        pointers = dict(rows("SELECT slot, layer FROM pointer WHERE item = ?", (item_id,)))
        found = rows(f"SELECT {_LAYER_COLUMNS} FROM layer WHERE item = ?", (item_id,))
        layer_rows = {row.id: row for row in map(_layer_row, found) if row.id in pointers.values()}
        layers = {row.id: self._read_labels(row, shape) for row in layer_rows.values()}
        instances = {
            number: InstanceRow.from_json(number, json.loads(row))
            for number, row in rows("SELECT id, row FROM instance WHERE item = ?", (item_id,))
        }
        counter = self.database.row(
            "SELECT next_instance, (SELECT coalesce(max(seq), 0) FROM event e"
            " WHERE e.item = i.uuid) FROM item i WHERE uuid = ?",
            (item_id,),
        )
        assert counter is not None
        return Content(
            item_id,
            shape,
            MappingProxyType(layer_rows),
            MappingProxyType(layers),
            MappingProxyType(pointers),
            MappingProxyType(instances),
            counter[0],
            counter[1],
        )

    def _read_labels(self, row: LayerRow, shape: Shape) -> Labels:
        empty = Labels.empty(shape, cache=self.cache, layer=row.id, tile=row.tile, fill=row.fill)
        return empty.with_tiles(
            (blobs.PLANE_NAMES[plane], TileIndex(z, y, x), handle)
            for plane, z, y, x, handle in self.database.rows(
                "SELECT plane, z, y, x, handle FROM tile WHERE layer = ?", (row.number,)
            )
        )

    def with_layer_of(self, content: Content, layer: str) -> Content:
        """`content` with one of the item's layers that was not loaded with it."""
        if layer in content.layers:
            return content
        found = self.database.row(f"SELECT {_LAYER_COLUMNS} FROM layer WHERE uuid = ?", (layer,))
        if found is None:
            raise KeyError(layer)
        row = _layer_row(found)
        return content.with_layer(row, self._read_labels(row, content.shape))

    def after(self, content: Content, patch: Patch) -> Content:
        """The content once a patch of this item is done."""
        for layer in dict.fromkeys(change.layer for change in patch.changes):
            content = self.with_layer_of(content, layer)
            content = content.with_labels(content.layers[layer].after(patch))
        for change in patch.fields:
            if change.table == "instance":
                content = content.with_instance(int(change.key.split("/")[1]), change.after)
            elif change.table == "item" and is_pointer(change.field):
                if change.after is not None:
                    content = self.with_layer_of(content, change.after)
                content = content.with_pointer(change.field, change.after)
        return content

    def tile_rows(self, content: Content, patch: Patch) -> tuple[TileRow, ...]:
        """The tile changes of a patch with the numbers of their layers."""
        made = []
        for change in patch.changes:
            row = content.rows[change.layer]
            missing = -1 - (row.fill if change.plane == "class" else 0)
            made.append(
                TileRow(row.number, change.plane, *change.at, change.before, change.after, missing)
            )
        return tuple(made)

    def reserve_instances(self, item_id: str, count: int = 1) -> int:
        """The first of `count` instance numbers that nobody else gets."""
        with self._lock:
            first = max(self._next_instance.get(item_id, 1), self.get(item_id).next_instance)
            self._next_instance[item_id] = first + count
            return first

    def next_instance(self, item_id: str) -> int:
        """The next number that would be given out."""
        return max(self._next_instance.get(item_id, 1), self.get(item_id).next_instance)

    # -- histories ----------------------------------------------------------------------------

    def history(self, item_id: str | None) -> History:
        """The item's history (None: the project's own), derived from the log."""
        key = item_id or ""
        with self._lock:
            history = self._histories.get(key)
            if history is None:
                history = self._histories[key] = read_history(self.database, item_id)
            return history

    def load_changes(self, step: Step) -> None:
        """Read the tile changes of a step that was made before the project was opened."""
        if step.loaded:
            return
        found = self.database.rows(
            "SELECT l.uuid, t.plane, t.z, t.y, t.x, t.before, t.after FROM event_tile t"
            " JOIN layer l ON l.number = t.layer WHERE t.event = ?",
            (step.seq,),
        )
        changes = tuple(
            TileChange(layer, blobs.PLANE_NAMES[plane], TileIndex(z, y, x), before, after)
            for layer, plane, z, y, x, before, after in found
        )
        step.patch = Patch.from_json(step.patch.to_json(), changes)
        step.loaded = True


def read_history(database: Database, item_id: str | None) -> History:
    """Replay the log of one item, or of the project itself."""
    history = History()
    where = "item IS NULL" if item_id is None else "item = ?"
    wanted = {"class"} if item_id is None else STEPS
    for seq, event_id, kind, text, target in database.rows(
        f"SELECT seq, uuid, kind, patch, target FROM event WHERE {where} ORDER BY seq",
        () if item_id is None else (item_id,),
    ):
        if target is not None:
            step = history.find(target)
            if step is not None:
                (history.undo if kind == "undo" else history.redo)(step)
        elif kind in wanted:
            step = Step(event_id, seq, kind, Patch.from_json(json.loads(text)), loaded=False)
            if kind == "class" or concerns_label(step.patch, kind):
                history.push(step)
            else:
                history.note(step)
    return history


def concerns_label(patch: Patch, kind: str) -> bool:
    """Whether undo of the item takes a step back: not truth or a prediction beside the label."""
    if kind in {"do", "adopt", "state"}:
        return True
    return kind == "import" and any(f.field == "label" for f in patch.fields)


def _layer_row(row: tuple[Any, ...]) -> LayerRow:
    (number, uuid, item, role, name, tz, ty, tx, fill, digest, partial, instances, made) = row
    return LayerRow(
        number,
        uuid,
        item,
        role,
        name,
        (tz, ty, tx),
        fill,
        digest,
        bool(partial),
        tuple(cast("list[dict[str, Any]]", json.loads(instances))),
        made,
    )


def layer_statement(row: LayerRow) -> tuple[str, tuple[Any, ...]]:
    """The SQL that adds a layer."""
    return (
        f"INSERT INTO layer ({_LAYER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.number,
            row.id,
            row.item,
            row.role,
            row.name,
            *row.tile,
            row.fill,
            row.model_digest,
            int(row.partial),
            dumps(list(row.instances)),
            row.made,
        ),
    )
