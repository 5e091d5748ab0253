"""The confusion matrix of each item: kept, and following a Patch by the tiles it changed."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore import metrics
from segcore.labels import Labels, TileIndex
from segcore.store.records import Content, dumps

if TYPE_CHECKING:
    from segcore.store.project import Project


@dataclass(frozen=True)
class _Kept:
    """A matrix and the snapshots and classes that it is right for."""

    matrix: NDArray[np.int64]
    labels: Labels
    truth: Labels
    classes: tuple[int, ...]


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
        self.tiles_counted = 0
        """How many tiles were ever compared: what a stroke costs."""

    def confusion(self, item_id: str) -> NDArray[np.int64] | None:
        """The item's matrix as of now, (n, n + 1) int64, or None without truth."""
        kept = self._current(item_id)
        return None if kept is None else kept.matrix.copy()

    def mean_iou(self, item_id: str) -> float | None:
        """Mean IoU over the classes that occur, NaN where none does, None without truth."""
        kept = self._current(item_id)
        return None if kept is None else metrics.mean(metrics.iou(kept.matrix))[0]

    def take_dirty(self) -> list[tuple[str, Sequence[Any]]]:
        """SQL that writes the matrices that have changed since the last call."""
        with self._lock:
            dirty, self._dirty = self._dirty, {}
        return [_statement(item_id, kept) for item_id, kept in dirty.items()]

    def forget(self, item_ids: set[str]) -> None:
        """Another process has changed these items."""
        with self._lock:
            for item_id in item_ids:
                self._kept.pop(item_id, None)

    def _current(self, item_id: str) -> _Kept | None:
        content = self._project.contents.get(item_id)
        if content.truth is None:
            return None
        classes = tuple(int(c.id) for c in self._project.classes.scored)
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
            "SELECT classes, key, matrix FROM confusion WHERE item = ?", (content.item,)
        )
        if row is None or row[0] != dumps(classes) or row[1] != _key(content.labels, truth):
            return None
        n = len(classes)
        matrix = np.frombuffer(row[2], "<i8").reshape(n, n + 1).astype(np.int64)
        return _Kept(matrix, content.labels, truth, classes)

    def _follow(self, kept: _Kept | None, content: Content, classes: tuple[int, ...]) -> _Kept:
        labels, truth = content.labels, content.truth
        assert truth is not None
        n = len(classes)
        if kept is None:
            matrix = np.zeros((n, n + 1), np.int64)
            for index in labels.all_tiles():
                matrix += self._count(truth, labels, index, classes)
            return _Kept(matrix, labels, truth, classes)
        if kept.labels is labels:
            return kept
        matrix = kept.matrix.copy()
        if kept.labels.tile == labels.tile:
            changed = [index for plane, index in _changed(kept.labels, labels) if plane == "class"]
            for index in changed:
                matrix += self._count(truth, labels, index, classes)
                matrix -= self._count(truth, kept.labels, index, classes)
        else:
            return self._follow(None, content, classes)
        return _Kept(matrix, labels, truth, classes)

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


def _changed(one: Labels, other: Labels) -> set[tuple[str, TileIndex]]:
    return one.changed_tiles(other)


def _key(labels: Labels, truth: Labels) -> str:
    """Digest of which tiles both layers have: equal handles are equal pixels."""
    digest = hashlib.sha256()
    for layer in (labels, truth):
        digest.update(layer.layer.encode())
        for index, handle in sorted(layer.tiles("class").items()):
            digest.update(np.array([*index, handle], "<i8").tobytes())
    return digest.hexdigest()


def _statement(item_id: str, kept: _Kept) -> tuple[str, Sequence[Any]]:
    mean = metrics.mean(metrics.iou(kept.matrix))[0]
    return (
        "INSERT OR REPLACE INTO confusion VALUES (?, ?, ?, ?, ?)",
        (
            item_id,
            dumps(kept.classes),
            _key(kept.labels, kept.truth),
            kept.matrix.astype("<i8").tobytes(),
            None if math.isnan(mean) else mean,
        ),
    )
