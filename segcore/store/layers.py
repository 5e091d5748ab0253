"""New layers out of whole arrays: imports of masks and predictions of models."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet, Rect, Shape, SizeMismatch, UnknownValue
from segcore.base.dataclass import dataclass
from segcore.labels import Labels, TileCache, TileChange
from segcore.store.records import InstanceRow, LayerRow, ObjectFacts, Role


@dataclass(frozen=True)
class NewLayer:
    """A layer that is made but not yet part of its item."""

    row: LayerRow
    empty: Labels
    labels: Labels
    instances: tuple[InstanceRow, ...]

    @property
    def changes(self) -> tuple[TileChange, ...]:
        """All its tiles, as changes of the empty layer."""
        return self.empty.difference(self.labels)

    @property
    def whole(self) -> tuple[int, int, Rect]:
        """The bounds of a patch that changes everything."""
        return 0, self.labels.shape.z - 1, self.labels.extent


def require_fits(name: str, shape: Shape, array: NDArray[Any]) -> NDArray[Any]:
    """The array as (z, y, x).

    Raises
    ------
    SizeMismatch : it does not lie on the item's grid.
    """
    volume = array[None] if array.ndim == 2 else array
    if volume.shape != tuple(shape):
        got = " x ".join(str(n) for n in reversed(array.shape))
        size = " x ".join(str(n) for n in (shape.x, shape.y, *([shape.z] if shape.z > 1 else [])))
        raise SizeMismatch(
            f"A mask of {got} pixels was given for {name}, which has {size}.",
            "Resize the mask, or choose the image that it belongs to.",
        )
    return volume


def require_known(name: str, classes: ClassSet, array: NDArray[Any]) -> None:
    """Raise `UnknownValue` if the array has an id that no class of the project has."""
    known = np.zeros(65536, bool)
    known[[0, *(c.id for c in classes)]] = True
    if array.dtype.itemsize > 2 and array.size and (array.max() > 65535 or array.min() < 0):
        found = int(array[(array > 65535) | (array < 0)].flat[0])
    else:
        present = np.flatnonzero(np.bincount(array.reshape(-1).astype(np.uint16), minlength=1))
        unknown = [int(value) for value in present if not known[value]]
        if not unknown:
            return
        found = unknown[0]
    count = int((array == found).sum())
    raise UnknownValue(
        f"A mask of {name} has {count} pixels of class id {found}, which the project has not.",
        "Add the class, or map the values of the mask to the project's ids.",
    )


def make(
    cache: TileCache,
    *,
    number: int,
    item: str,
    role: Role,
    planes: Mapping[str, NDArray[Any]],
    origin: int,
    first_instance: int,
    model: str = "",
    model_digest: str = "",
    partial: bool = False,
    facts: Mapping[int, ObjectFacts] = MappingProxyType({}),
) -> NewLayer:
    """Cut arrays into the tiles of a new layer.

    Parameters
    ----------
    planes : "class" and maybe "instance", "confidence", "margin", "found" and "ground", all
        (z, y, x). Numbers of objects may be any; they are moved up to begin at `first_instance`.
    origin : row of `source` that labelled pixels are said to come from; 0 keeps no origins.
    facts : what is known of objects, by their number in plane "found" or "instance".
    """
    arrays = dict(planes)
    classes = arrays["class"] = arrays["class"].astype(np.uint16, copy=False)
    rows: tuple[InstanceRow, ...] = ()
    shown: set[int] | None = None
    numbered = "found" if "found" in arrays else "instance"
    if numbered in arrays:
        given = arrays.get("instance")
        arrays[numbered], rows = _number_instances(
            classes, arrays[numbered], first_instance, origin, arrays.get("confidence")
        )
        if facts:
            rows = tuple(_with_facts(row, facts.get(row.id - first_instance + 1)) for row in rows)
        if numbered == "found" and given is not None:
            # The objects in plane instance are the better ones of the same, with their numbers.
            arrays["instance"] = np.where(given > 0, arrays["found"], np.uint32(0))
            shown = set(np.unique(arrays["instance"]).tolist())
    if origin:
        arrays["origin"] = np.where(classes != 0, np.uint16(origin), np.uint16(0))
    layer = str(uuid.uuid4())
    labels = Labels.from_array(
        arrays.pop("class"),
        cache=cache,
        layer=layer,
        **arrays,  # the rest by their names
    )
    row = LayerRow(
        number,
        layer,
        item,
        role,
        model,
        labels.tile,
        0,
        model_digest,
        partial,
        # The rows of the label's objects are steps of the log, and can be undone.
        tuple(_stored(r, shown) for r in rows) if role != "label" else (),
        time.time(),
    )
    empty = Labels.empty(labels.shape, cache=cache, layer=layer, tile=labels.tile)
    return NewLayer(row, empty, labels, rows)


LEFT_OUT = "left out"
"""In a layer's row of an object: it is in plane found only, for its score is low."""


def _stored(row: InstanceRow, shown: set[int] | None) -> dict[str, Any]:
    left_out = {LEFT_OUT: True} if shown is not None and row.id not in shown else {}
    return row.to_json() | {"id": row.id} | left_out


def _with_facts(row: InstanceRow, facts: ObjectFacts | None) -> InstanceRow:
    if facts is None:
        return row
    class_id = facts.class_id or row.class_id
    return replace(row, class_id=class_id, score=facts.score, attributes=dict(facts.attributes))


def _number_instances(
    classes: NDArray[Any],
    instances: NDArray[Any],
    first: int,
    origin: int,
    confidence: NDArray[Any] | None,
) -> tuple[NDArray[np.uint32], tuple[InstanceRow, ...]]:
    """Give the objects numbers of their own, 1.. becoming `first`.., and a row each.

    All arrays (z, y, x). The score of an object is the mean confidence of its pixels. Goes slice
    by slice, so that what it needs beside its result follows a slice and the number of objects.
    """
    out = np.zeros(instances.shape, np.uint32)
    ids = np.unique(np.concatenate([np.unique(plane) for plane in instances]))
    ids = ids[ids > 0]
    if not ids.size:
        return out, ()
    # Numbers of a file stay as far apart as they were, so that people find them again.
    shift = first - 1
    low = np.full((3, ids.size), np.iinfo(np.int64).max)
    high = np.zeros((3, ids.size), np.int64)
    class_of = np.zeros(ids.size, np.int64)
    pixels, sums = np.zeros(ids.size, np.int64), np.zeros(ids.size)
    for z, plane in enumerate(instances):
        y, x = np.nonzero(plane)
        numbers = plane[y, x]
        out[z, y, x] = (numbers.astype(np.int64) + shift).astype(np.uint32)
        group = np.searchsorted(ids, numbers)
        for axis, at in enumerate((np.full(y.shape, z), y, x)):
            np.minimum.at(low[axis], group, at)
            np.maximum.at(high[axis], group, at + 1)
        # An object of several classes, as files may have them, is what its first pixel is.
        fresh, place = np.unique(group, return_index=True)
        is_first = pixels[fresh] == 0
        class_of[fresh[is_first]] = classes[z][y, x][place[is_first]]
        pixels += np.bincount(group, minlength=ids.size)
        if confidence is not None:
            sums += np.bincount(group, confidence[z][y, x], ids.size)
    scores = None if confidence is None else (sums / pixels / 255).round(4)
    rows = tuple(
        InstanceRow(
            int(number) + shift,
            int(class_of[k]),
            score=None if scores is None else float(scores[k]),
            source=origin,
            bounds=(*low[:, k].tolist(), *high[:, k].tolist()),
        )
        for k, number in enumerate(ids)
    )
    return out, rows
