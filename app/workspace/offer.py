"""Offer: a proposal that waits, what taking it would change class by class, and which classes are
ticked to be taken.

What differs is counted tile by tile beside the GUI thread, and a tile is counted again only when
its handles are others: a stroke costs the tiles that it touched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.labels import Labels, TileIndex

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace
    from segcore.store import Part

_Counts = tuple[dict[int, int], int]
_NOTHING: _Counts = ({}, 0)


@dataclass(frozen=True)
class Differences:
    """Pixels whose class would be another if the proposal were taken.

    Parameters
    ----------
    classes : class that the proposal says (0: none) -> pixels where the label says another.
    unpainted : those of all that no person set.
    """

    classes: dict[int, int] = field(default_factory=dict)
    unpainted: int = 0

    @property
    def total(self) -> int:
        return sum(self.classes.values())


class Offer(QObject):
    """The proposal of the open item; all its numbers are as of the last count."""

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.differences: Differences | None = None
        """None until it is counted, and while no proposal waits."""
        self.ticked: frozenset[int] = frozenset()
        self._counted: dict[TileIndex, tuple[Any, _Counts]] = {}
        self._layer: Any = None
        workspace.proposal_changed.connect(self._take)
        workspace.labels_changed.connect(self._follow)

    # -- what is ticked -----------------------------------------------------------------------

    def may_tick(self, class_id: int) -> bool:
        """Whether the proposal would change anything into this class."""
        return self.differences is not None and self.differences.classes.get(class_id, 0) > 0

    def tick(self, class_id: int) -> None:
        """Have a class among those that are taken, or not any more."""
        if class_id in self.ticked:
            self.ticked -= {class_id}
        elif self.may_tick(class_id):
            self.ticked |= {class_id}
        self.changed.emit()

    def untick_all(self) -> None:
        self.ticked = frozenset()
        self.changed.emit()

    @property
    def ticked_pixels(self) -> int:
        counted = {} if self.differences is None else self.differences.classes
        return sum(counted.get(class_id, 0) for class_id in self.ticked)

    @property
    def visible_part(self) -> Part | None:
        """What is on the canvas now, of the shown slice."""
        from segcore.store import Part  # not on the way to the empty window

        rect = self._workspace.visible
        return None if rect is None or rect.is_empty else Part(rect, self._workspace.z)

    # -- counting -----------------------------------------------------------------------------

    def _take(self, layer: Any) -> None:
        if layer is None or self._layer is None or layer.id != self._layer.id:
            self._counted = {}
            self.differences = None
            self.ticked = frozenset()
        self._layer = layer
        if layer is None:
            self.changed.emit()
        else:
            self._count()

    def _follow(self, _labels: Labels | None, patch: Any) -> None:
        workspace = self._workspace
        if patch is None or workspace.item is None:
            return  # another item: its proposal is told by itself
        if any(f.table == "item" and f.field == "adopted" for f in patch.fields):
            # Taken whole, or that was undone: only the store knows whether one still waits.
            proposal = workspace.item.proposal
            if (proposal is None) != (workspace.proposal is None):
                workspace.proposal = proposal
                workspace.proposal_changed.emit(proposal)
        if workspace.proposal is not None:
            self._count()

    def _count(self) -> None:
        workspace, layer = self._workspace, self._layer
        labels = workspace.labels
        if labels is None or workspace.project is None:
            return
        persons, counted = workspace.project.person_origins(), self._counted

        def show(found: Differences) -> None:
            if layer is not self._layer or workspace.proposal is None:
                return
            self.differences = found
            self.ticked = frozenset(c for c in self.ticked if found.classes.get(c, 0))
            self.changed.emit()

        workspace.background.run_latest(
            "proposal", lambda: count_differences(labels, layer.labels, persons, counted), show
        )


def count_differences(
    ours: Labels,
    theirs: Labels,
    persons: frozenset[int],
    counted: dict[TileIndex, tuple[Any, _Counts]] | None = None,
) -> Differences:
    """Where `theirs` says another class than `ours`, over all slices.

    Parameters
    ----------
    persons : origins that stand for a person.
    counted : counts of tiles from earlier calls by what they depend on; brought up to date.
    """
    kept = {} if counted is None else counted
    classes: Counter[int] = Counter()
    unpainted = 0
    for index in ours.all_tiles():
        key = (
            ours.handle("class", index),
            ours.handle("origin", index),
            theirs.handle("class", index),
        )
        found = kept.get(index)
        if found is None or found[0] != key:
            found = kept[index] = (key, _tile(ours, theirs, index, persons))
        classes.update(found[1][0])
        unpainted += found[1][1]
    return Differences(dict(classes), unpainted)


def _tile(ours: Labels, theirs: Labels, index: TileIndex, persons: frozenset[int]) -> _Counts:
    same_grid = ours.tile == theirs.tile
    if same_grid and ours.handle("class", index) == theirs.handle("class", index):
        return _NOTHING
    z0, rect = ours.tile_rect(index)
    classes: Counter[int] = Counter()
    unpainted = 0
    for z in range(z0, min(z0 + ours.tile[0], ours.shape.z)):
        said = theirs.read(rect, z)
        other = ours.read(rect, z) != said
        values, numbers = np.unique(said[other], return_counts=True)
        classes.update(dict(zip(values.tolist(), numbers.tolist(), strict=True)))
        unpainted += _without(ours, rect, z, other, persons)
    return dict(classes), unpainted


def _without(ours: Labels, rect: Rect, z: int, where: Any, persons: frozenset[int]) -> int:
    if not persons or not ours.has_plane("origin"):
        return int(where.sum())
    return int((where & ~np.isin(ours.read(rect, z, "origin"), list(persons))).sum())


__all__ = ["Differences", "Offer", "count_differences"]
