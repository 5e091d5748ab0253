"""The rows of the store as values: what an item, a layer, a file or an instance is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

from numpy.typing import ArrayLike

from segcore.base import Shape, Spacing
from segcore.base.dataclass import dataclass
from segcore.labels import Labels, TileShape

State: TypeAlias = Literal["new", "predicted", "corrected", "accepted", "rejected"]
Split: TypeAlias = Literal["train", "held_out"]
Role: TypeAlias = Literal["label", "prediction", "truth"]
Bounds: TypeAlias = tuple[int, int, int, int, int, int]

LABEL = "label"
TRUTH = "truth"
PREDICTION = "prediction:"
"""Start of a pointer's slot; the model's name follows."""
ADOPTED = "adopted"
"""Slot of the prediction that the label was made of."""


def further_slot(role: str, number: int) -> str:
    """Slot of a further layer of label or truth, from 2 on: where objects overlap."""
    return f"{role}:{number}"


def is_pointer(name: str) -> bool:
    """Whether a field of an item says which layer it shows."""
    return name in {LABEL, TRUTH, ADOPTED} or name.partition(":")[0] in _WITH_NAME


_WITH_NAME = frozenset({LABEL, TRUTH, "prediction"})


@dataclass(frozen=True)
class NewItem:
    """An item to be added.

    Parameters
    ----------
    name : what the queue shows; a number is added to a name that is taken.
    sources : files or series folders on one grid; several are channels of one picture.
    shape : the grid in voxels.
    spacing : millimetres, or None.
    affine : (4, 4), index (x, y, z, 1) to RAS+ millimetres, or None.
    group : patient, series or sequence, "" or None if none; whole groups are held out together.
    split : "train", "held_out", or None where nobody has decided.
    as_stack : a series that is no even volume is opened slice by slice, now and always.
    """

    name: str
    sources: Sequence[Path | str]
    shape: Shape
    spacing: Spacing | None = None
    affine: ArrayLike | None = None
    group: str | None = ""
    split: Split | None = None
    as_stack: bool = False


@dataclass(frozen=True)
class ItemRow:
    """What opening a project reads of each item."""

    number: int
    id: str
    name: str
    state: State
    group: str
    split: Split | None
    shape: Shape

    def changed(self, name: str, value: Any) -> ItemRow:
        """With another value for one field; fields that are not kept here change nothing."""
        return replace(self, **{name: value}) if name in _ROW_FIELDS else self


_ROW_FIELDS = frozenset({"name", "state", "group", "split"})

ITEM_COLUMNS: dict[str, str] = {
    "name": "name",
    "state": "state",
    "group": "grp",
    "split": "split",
    "note": "note",
}
"""Fields of an item that a Patch may change, and their columns; other fields are pointers."""


@dataclass(frozen=True)
class LayerRow:
    """A layer without its tiles."""

    number: int
    id: str
    item: str
    role: Role
    name: str
    tile: TileShape
    fill: int
    model_digest: str
    partial: bool
    instances: tuple[dict[str, Any], ...]
    made: float


@dataclass(frozen=True)
class InstanceRow:
    """One object of an item.

    Parameters
    ----------
    id : its number in plane ``instance``; never used again in the item.
    class_id : what it is.
    score : a model's, 0 to 1, or None.
    source : row of `source` that it comes from.
    attributes : named values.
    bounds : (z0, y0, x0, z1, y1, x1), half-open: a box that no pixel of it has ever left. It grows
        with what is painted and does not shrink with what is erased. None if unknown.
    """

    id: int
    class_id: int
    score: float | None = None
    source: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    bounds: Bounds | None = None

    def covering(self, bounds: Bounds | None) -> InstanceRow:
        """With bounds that hold these as well."""
        if self.bounds is None or bounds is None:
            return self
        low = map(min, self.bounds[:3], bounds[:3])
        high = map(max, self.bounds[3:], bounds[3:])
        return replace(self, bounds=cast("Bounds", (*low, *high)))

    def to_json(self) -> dict[str, Any]:
        """The row as values that JSON can hold; `from_json` takes it back."""
        return {
            "class": self.class_id,
            "score": self.score,
            "source": self.source,
            "attributes": dict(self.attributes),
            "bounds": None if self.bounds is None else list(self.bounds),
        }

    @classmethod
    def from_json(cls, number: int, data: Mapping[str, Any]) -> InstanceRow:
        bounds = data.get("bounds")
        return cls(
            number,
            data["class"],
            data.get("score"),
            data.get("source", 0),
            data.get("attributes") or {},
            None if bounds is None else (*bounds,),
        )


@dataclass(frozen=True)
class ObjectFacts:
    """What is known of an object besides its pixels; becomes part of its `InstanceRow`.

    Parameters
    ----------
    class_id : what it is, where its pixels cannot say it; 0 is what they say.
    """

    score: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    class_id: int = 0


@dataclass(frozen=True)
class Origin:
    """A row of table `source`: who set a pixel."""

    id: int
    kind: str
    model_digest: str
    person: str


ORIGIN_KINDS = ("imported", "model", "person", "refined", "interpolated")
PERSONS_KINDS = frozenset({"imported", "person", "refined", "interpolated"})
"""Kinds of origin that stand for a person's word; a model never writes over them."""


@dataclass(frozen=True)
class PredictionLayer:
    """A model's answer for one item.

    Parameters
    ----------
    id : the layer.
    model : name of the model.
    model_digest : SHA-256 of its weights, "" if unknown.
    labels : planes class, origin, confidence and margin, and instance where there are any; of a
        model that finds objects also found and ground.
    partial : it was not computed for the whole item.
    adopted : the label shows, or has shown, this layer: all of it, or all but a person's part.
    instances : rows of the objects that are in plane instance.
    found : rows of all objects of a model that finds them, those with a low score too; none of
        any other. `segcore.store.scored.at_score` chooses among them.
    """

    id: str
    model: str
    model_digest: str
    labels: Labels
    partial: bool = False
    adopted: bool = False
    instances: tuple[InstanceRow, ...] = ()
    found: tuple[InstanceRow, ...] = ()


@dataclass(frozen=True)
class Content:
    """What is loaded of one item: immutable, exchanged as a whole when a step is done.

    Parameters
    ----------
    rows, layers : of the layers that are loaded, by uuid.
    pointers : slot -> uuid of the layer that the item shows there.
    instances : rows of the label's objects, by id.
    next_instance : the first id that no object has had.
    seq : number of the item's last event, 0 if there was none.
    """

    item: str
    shape: Shape
    rows: Mapping[str, LayerRow]
    layers: Mapping[str, Labels]
    pointers: Mapping[str, str]
    instances: Mapping[int, InstanceRow]
    next_instance: int
    seq: int

    @property
    def labels(self) -> Labels:
        """The label that people correct."""
        return self.layers[self.pointers[LABEL]]

    @property
    def truth(self) -> Labels | None:
        pointer = self.pointers.get(TRUTH)
        return None if pointer is None else self.layers[pointer]

    def further(self, role: str) -> tuple[Labels, ...]:
        """The further layers of label or truth, with the objects that overlap others."""
        slots = [slot for slot in self.pointers if slot.startswith(f"{role}:")]
        slots.sort(key=lambda slot: int(slot.partition(":")[2]))
        return tuple(self.layers[self.pointers[slot]] for slot in slots)

    def with_layer(self, row: LayerRow, labels: Labels) -> Content:
        """With one more layer, or another snapshot of one that is there."""
        return replace(
            self,
            rows=MappingProxyType({**self.rows, row.id: row}),
            layers=MappingProxyType({**self.layers, row.id: labels}),
        )

    def with_labels(self, labels: Labels) -> Content:
        """With another snapshot of a layer."""
        return replace(self, layers=MappingProxyType({**self.layers, labels.layer: labels}))

    def with_pointer(self, slot: str, layer: str | None) -> Content:
        """With another layer in a slot; None empties it."""
        pointers = {**self.pointers}
        if layer is None:
            pointers.pop(slot, None)
        else:
            pointers[slot] = layer
        return replace(self, pointers=MappingProxyType(pointers))

    def with_instance(self, number: int, data: Mapping[str, Any] | None) -> Content:
        """With another row for an object; None takes it away."""
        instances = {**self.instances}
        if data is None:
            instances.pop(number, None)
        else:
            instances[number] = InstanceRow.from_json(number, data)
        return replace(
            self,
            instances=MappingProxyType(instances),
            next_instance=max(self.next_instance, number + 1),
        )


def dumps(value: Any) -> str:
    """JSON as the store writes it: short, and with names as people write them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
