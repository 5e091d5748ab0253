"""Adoption: when a prediction becomes the label by itself, and how a proposal is taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.labels import (
    OPEN,
    Draft,
    FieldChange,
    Guard,
    Labels,
    Patch,
    TileChange,
    TileIndex,
    is_uniform,
    uniform_value,
)
from segcore.store.history import History
from segcore.store.records import ADOPTED, Content, InstanceRow, PredictionLayer
from segcore.store.scored import at_score


@dataclass(frozen=True)
class Part:
    """A part of an item: a rectangle, in one slice or (None) in all."""

    rect: Rect
    z: int | None = None


Where: TypeAlias = Literal["all", "not_mine"] | Collection[int] | Rect | Part

_TAKEN = ("class", "instance", "origin")


def may_adopt(
    content: Content, history: History, persons: frozenset[int], layer: PredictionLayer
) -> bool:
    """The rule: complete, no step but adoptions (undone ones included), nothing of a person's."""
    return not layer.partial and is_untouched(content, history, persons)


def is_untouched(content: Content, history: History, persons: frozenset[int]) -> bool:
    """Whether the label has no step but adoptions, and no pixel of a person or an import."""
    if history.touched:
        return False
    return not (persons and _has_origin(content.labels, persons))


def _has_origin(labels: Labels, wanted: frozenset[int]) -> bool:
    for index, handle in labels.tiles("origin").items():
        if is_uniform(handle):
            if uniform_value(handle) in wanted:
                return True
        elif np.isin(labels.tile_array("origin", index), list(wanted)).any():
            return True
    return False


def adopt(content: Content, layer: PredictionLayer, state: str, gained: dict[int, int]) -> Patch:
    """The label becomes the prediction: its tiles point at the same blobs.

    `gained` are the pixels of each class in the prediction.
    """
    label = content.labels
    fields = list(instance_changes(content, layer.instances))
    if content.pointers.get(ADOPTED) != layer.id:
        fields.append(
            FieldChange("item", content.item, ADOPTED, content.pointers.get(ADOPTED), layer.id)
        )
    if state == "new":
        fields.append(FieldChange("item", content.item, "state", "new", "predicted"))
    return Patch(
        tuple(_tile_changes(label, layer.labels)),
        tuple(fields),
        f"Prediction of {layer.model}",
        "predict",
        pixels_changed(label, gained),
        (0, label.shape.z - 1, label.extent),
    )


def is_label(content: Content, layer: PredictionLayer) -> bool:
    """Whether the label is this prediction, adopted and as it was: at most decided about since."""
    return (
        content.pointers.get(ADOPTED) == layer.id
        and next(_tile_changes(content.labels, layer.labels), None) is None
        and next(instance_changes(content, layer.instances), None) is None
    )


def _tile_changes(label: Labels, source: Labels) -> Iterator[TileChange]:
    if label.tile != source.tile or label.fill != source.fill:
        source = _recut(label, source)
    for plane in _TAKEN:
        for index in sorted(label.tiles(plane).keys() | source.tiles(plane).keys()):
            before, after = label.handle(plane, index), source.handle(plane, index)
            if before != after:
                yield TileChange(label.layer, plane, index, before, after)


def pixels_changed(before: Labels, gained: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Pixels of each class, `gained` from now on and those lost, where the numbers differ."""
    lost = before.counts()
    return {
        c: (gained.get(c, 0), lost.get(c, 0))
        for c in sorted(gained.keys() | lost.keys())
        if gained.get(c, 0) != lost.get(c, 0)
    }


def _recut(label: Labels, source: Labels) -> Labels:
    planes = {plane: source.read_volume(plane) for plane in _TAKEN if source.has_plane(plane)}
    classes = planes.pop("class", source.read_volume())
    return Labels.from_array(classes, cache=label.cache, layer=source.layer, **planes)


def instance_changes(content: Content, rows: tuple[InstanceRow, ...]) -> Iterator[FieldChange]:
    """The rows of the label's objects become `rows`."""
    fresh = {row.id: row.to_json() for row in rows}
    for number in sorted(content.instances.keys() | fresh.keys()):
        present = content.instances.get(number)
        before = None if present is None else present.to_json()
        if before != fresh.get(number):
            key = f"{content.item}/{number}"
            yield FieldChange("instance", key, "row", before, fresh.get(number))


@dataclass(frozen=True)
class Take:
    """Take a proposal, or a part of it, over the label as it is when the edit's turn comes.

    Parameters
    ----------
    source : the prediction.
    item : id of the item, for the rows of instances.
    origin : row of `source` of the model; taken pixels still come from it.
    classes : only where the prediction says one of these; None for all.
    guard : what stays as it is; its `keep_origins` is "where I did not paint".
    rows : the prediction's instances.
    left_out : objects of the prediction whose score was too low; their rows go where none of their
        pixels is left in the label.
    answers : the prediction waits no more, for nothing of it is left but what a person painted
        over.
    z : the only slice that is taken; None for all.
    """

    source: Labels
    item: str
    origin: int
    classes: frozenset[int] | None = None
    guard: Guard = OPEN
    rows: tuple[InstanceRow, ...] = ()
    left_out: tuple[InstanceRow, ...] = ()
    answers: bool = False
    z: int | None = None
    name: str = "Take prediction"
    tool: str = "take"

    def reads(self, labels: Labels) -> None:
        """It reads no intensities."""

    def apply(self, labels: Labels, image: Any = None) -> Patch:
        draft = Draft(labels, self.guard)
        taken: set[int] = set()
        for z in range(labels.shape.z) if self.z is None else (self.z,):
            for index in labels.tiles_in(self.guard.region or labels.extent, z):
                if not self._differs(labels, index):
                    continue
                _, rect = labels.tile_rect(index)
                classes = self.source.read(rect, z)
                instances = self.source.read(rect, z, "instance")
                mask = self._wanted(classes)
                if mask.any():
                    draft.write_planes(
                        z, rect, mask, classes=classes, origin=self.origin, instances=instances
                    )
                    taken.update(np.unique(instances[mask]).tolist())
        fields = [
            FieldChange("instance", f"{self.item}/{row.id}", "row", None, row.to_json())
            for row in self.rows
            if row.id in taken
        ]
        fields += [
            FieldChange("instance", f"{self.item}/{number}", "row", None, None)
            for number in sorted(_without_pixels(draft, labels, {r.id for r in self.left_out}))
        ]
        if self.answers:
            fields.append(FieldChange("item", self.item, ADOPTED, None, self.source.layer))
        patch = draft.close(self.name, self.tool, tuple(fields))
        return patch if patch.changes else Patch((), (), self.name, self.tool)

    def _differs(self, labels: Labels, index: TileIndex) -> bool:
        return labels.tile != self.source.tile or any(
            labels.handle(plane, index) != self.source.handle(plane, index) for plane in _TAKEN
        )

    def _wanted(self, classes: NDArray[Any]) -> NDArray[np.bool_]:
        if self.classes is None:
            return np.ones(classes.shape, bool)
        return np.isin(classes, list(self.classes))


def _without_pixels(draft: Draft, labels: Labels, numbers: set[int]) -> set[int]:
    """Those of the objects that have no pixel left; a person may have painted one further."""
    missing = set(numbers)
    for index in sorted(labels.tiles("instance")):
        if not missing:
            break
        z0, rect = labels.tile_rect(index)
        for z in range(z0, min(z0 + labels.tile[0], labels.shape.z)):
            missing -= set(np.unique(draft.read(rect, z, "instance")).tolist())
    return missing


@dataclass(frozen=True)
class KeepObjects:
    """The label holds the objects of its prediction from a score on; what a person set stays.

    What is left out becomes what was beneath (`segcore.store.scored`). Parameters as of `take`.
    """

    layer: PredictionLayer
    item: str
    origin: int
    persons: frozenset[int]
    least_score: float
    tool: str = "score"

    @property
    def name(self) -> str:
        return f"Objects from {self.least_score:.2f}"

    def reads(self, labels: Labels) -> None:
        """It reads no intensities."""

    def apply(self, labels: Labels, image: Any = None) -> Patch:
        chosen = at_score(self.layer, self.least_score)
        made = take(chosen, self.item, self.origin, self.persons, "not_mine")
        return replace(made, name=self.name, tool=self.tool).apply(labels)


def take(
    layer: PredictionLayer, item: str, origin: int, persons: frozenset[int], where: Where
) -> Take:
    """The edit that takes a proposal: whole, by class, by region, or where nobody painted.

    Parameters
    ----------
    where : "all", "not_mine", class ids, or a rectangle, of one slice or of all.
    """
    common: dict[str, Any] = {"rows": layer.instances}
    if isinstance(where, Rect):
        where = Part(where)
    if isinstance(where, Part):
        guard = Guard(region=where.rect)
        return Take(layer.labels, item, origin, guard=guard, z=where.z, **common)
    if isinstance(where, str):
        keep = persons if where == "not_mine" else frozenset()
        kept = {row.id for row in layer.instances}
        return Take(
            layer.labels,
            item,
            origin,
            guard=Guard(keep_origins=keep),
            left_out=tuple(row for row in layer.found if row.id not in kept),
            answers=True,
            **common,
        )
    return Take(layer.labels, item, origin, classes=frozenset(where), **common)
