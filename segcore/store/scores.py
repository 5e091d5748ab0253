"""The confusion matrix of each item: kept, and following a Patch by the tiles it changed."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore import metrics
from segcore.base.dataclass import dataclass
from segcore.labels import Labels, TileIndex
from segcore.store.records import Content, dumps

if TYPE_CHECKING:
    from segcore.store.project import Project


@dataclass(frozen=True)
class _Kept:
    """A matrix, and what it is right for."""

    matrix: NDArray[np.int64]
    labels: Labels
    truth: Labels
    classes: tuple[int, ...]
    seq: int


@dataclass(frozen=True)
class _Stored:
    """What the store knows of the items that nobody has touched since the project was opened."""

    classes: tuple[int, ...]
    means: dict[str, float]
    with_truth: frozenset[str]


class Scores:
    """Confusion matrices by item; safe from any thread.

    The rows and columns are `project.classes.scored`; truth that is unlabelled or of an ignored
    class is left out, as is everything that a class set says nothing about.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._kept: dict[str, _Kept] = {}
        self._dirty: dict[str, _Kept] = {}
        self._touched: set[str] = set()
        self._stored: _Stored | None = None
        self.tiles_counted = 0
        """How many tiles were ever compared: what a stroke costs."""

    def confusion(self, item_id: str) -> NDArray[np.int64] | None:
        """The item's matrix as of now, (n, n + 1) int64, or None without truth."""
        kept = self._current(item_id)
        return None if kept is None else kept.matrix.copy()

    def mean_iou(self, item_id: str) -> float | None:
        """Mean IoU over the classes that occur, NaN where none does, None without truth."""
        if item_id not in self._touched and item_id not in self._kept:
            # A queue of thousands asks for all: one query, and no layer is read.
            stored = self._read_all()
            if item_id not in stored.with_truth:
                return None
            if item_id in stored.means:
                return stored.means[item_id]
        kept = self._current(item_id)
        return None if kept is None else metrics.mean(metrics.iou(kept.matrix))[0]

    def touch(self, item_id: str) -> None:
        """A step has changed the item: what is stored of it is no longer right."""
        self._touched.add(item_id)

    def take_dirty(self) -> list[tuple[str, Sequence[Any]]]:
        """SQL that writes the matrices that have changed since the last call."""
        with self._lock:
            dirty, self._dirty = self._dirty, {}
        return [_statement(item_id, kept) for item_id, kept in dirty.items()]

    def forget(self, item_ids: set[str]) -> None:
        """Another process has changed these items."""
        with self._lock:
            self._touched |= item_ids
            for item_id in item_ids:
                self._kept.pop(item_id, None)

    def _classes(self) -> tuple[int, ...]:
        return tuple(int(c.id) for c in self._project.classes.scored)

    def _read_all(self) -> _Stored:
        classes = self._classes()
        stored = self._stored
        if stored is None or stored.classes != classes:
            rows = self._project.database.rows(
                "SELECT item, mean_iou FROM confusion c WHERE classes = ? AND seq ="
                " (SELECT max(seq) FROM event e WHERE e.item = c.item)",
                (dumps(classes),),
            )
            truths = self._project.database.rows("SELECT item FROM pointer WHERE slot = 'truth'")
            stored = self._stored = _Stored(
                classes,
                {item: math.nan if mean is None else mean for item, mean in rows},
                frozenset(row[0] for row in truths),
            )
        return stored

    def _current(self, item_id: str) -> _Kept | None:
        content = self._project.contents.get(item_id)
        if content.truth is None:
            return None
        classes = self._classes()
        with self._lock:
            lock = self._locks.setdefault(item_id, threading.Lock())
        with lock:
            kept = self._kept.get(item_id)
            if kept is None or kept.classes != classes or kept.truth is not content.truth:
                kept = self._read(content, classes)
            fresh = self._follow(kept, content, classes)
            if fresh is not self._kept.get(item_id):
                with self._lock:
                    self._kept[item_id] = fresh
                    self._dirty[item_id] = fresh
            return fresh

    def _read(self, content: Content, classes: tuple[int, ...]) -> _Kept | None:
        truth = content.truth
        assert truth is not None
        row = self._project.database.row(
            "SELECT classes, seq, matrix FROM confusion WHERE item = ?", (content.item,)
        )
        if row is None or row[0] != dumps(classes) or row[1] != content.seq:
            return None
        n = len(classes)
        matrix = np.frombuffer(row[2], "<i8").reshape(n, n + 1).astype(np.int64)
        return _Kept(matrix, content.labels, truth, classes, content.seq)

    def _follow(self, kept: _Kept | None, content: Content, classes: tuple[int, ...]) -> _Kept:
        labels, truth, seq = content.labels, content.truth, content.seq
        assert truth is not None
        if kept is not None and kept.seq == seq and kept.labels is labels:
            return kept
        n = len(classes)
        if kept is None or kept.labels.tile != labels.tile:
            matrix = np.zeros((n, n + 1), np.int64)
            for index in labels.all_tiles():
                matrix += self._count(truth, labels, index, classes)
        else:
            matrix = kept.matrix.copy()
            for plane, index in kept.labels.changed_tiles(labels):
                if plane == "class":
                    matrix += self._count(truth, labels, index, classes)
                    matrix -= self._count(truth, kept.labels, index, classes)
        return _Kept(matrix, labels, truth, classes, seq)

    def _count(
        self, truth: Labels, labels: Labels, index: TileIndex, classes: tuple[int, ...]
    ) -> NDArray[np.int64]:
        self.tiles_counted += 1
        z0, rect = labels.tile_rect(index)
        depth = min(labels.tile[0], labels.shape.z - z0)
        inside = (slice(0, depth), slice(0, rect.height), slice(0, rect.width))
        given = labels.tile_array("class", index)[inside]
        if truth.tile == labels.tile:
            true = truth.tile_array("class", index)[inside]
        else:
            true = np.stack([truth.read(rect, z) for z in range(z0, z0 + depth)])
        return metrics.confusion_matrix(true, given, classes)


def _statement(item_id: str, kept: _Kept) -> tuple[str, Sequence[Any]]:
    mean = metrics.mean(metrics.iou(kept.matrix))[0]
    return (
        "INSERT OR REPLACE INTO confusion VALUES (?, ?, ?, ?, ?)",
        (
            item_id,
            dumps(kept.classes),
            kept.seq,
            kept.matrix.astype("<i8").tobytes(),
            None if math.isnan(mean) else mean,
        ),
    )
