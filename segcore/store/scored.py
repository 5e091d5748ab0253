"""A prediction with the objects from a score on: what is left out becomes what was beneath.

A model's objects are painted best first, so an object keeps its pixels whatever becomes of those
that score less: none of a kept object's pixels was ever lost to one that is left out, and a pixel
of an object that is left out has no other that is kept. Beneath lies the class that the model gives
to the pixel without any object, plane ``ground``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.labels import Handle, Labels, TileIndex, TilesAside, is_uniform, uniform_value
from segcore.store.records import InstanceRow, PredictionLayer

_GRIDS = (0.5, 0.1, 0.05, 0.01)


def at_score(layer: PredictionLayer, least: float) -> PredictionLayer:
    """The prediction with the objects that score at least so much, to be shown and to be taken.

    Its tiles are its own where they differ, and go with it. Reads the layer; a layer without
    objects of its own stays as it is.
    """
    if not layer.found:
        return layer
    kept = tuple(row for row in layer.found if _score(row) >= least)
    if {row.id for row in kept} == {row.id for row in layer.instances}:
        return layer
    labels = replace(layer.labels, cache=TilesAside(layer.labels.cache))
    classes = {row.id: row.class_id for row in kept}
    labels = labels.with_tiles(_repainted(labels, classes, layer.found[0].source))
    return replace(layer, labels=labels, instances=kept)


def chosen_score(found: Iterable[InstanceRow], kept: Iterable[int]) -> float:
    """The roundest score that tells the kept objects from the others.

    Parameters
    ----------
    found : rows of all objects.
    kept : numbers of those that are kept: all from some score on.
    """
    numbers = set(kept)
    scores = {row.id: _score(row) for row in found}
    low = max((s for n, s in scores.items() if n not in numbers), default=-1.0)
    high = min((s for n, s in scores.items() if n in numbers), default=1.0)
    for grid in _GRIDS:
        value = round(np.floor(high / grid + 1e-9) * grid, 2)
        if value > low:
            return float(value)
    return high


def _score(row: InstanceRow) -> float:
    return 1.0 if row.score is None else row.score


def _repainted(
    labels: Labels, classes: Mapping[int, int], origin: int
) -> Iterator[tuple[str, TileIndex, Handle]]:
    """The tiles that are others once only the objects in `classes` are kept.

    Parameters
    ----------
    classes : number of a kept object -> its class.
    """
    last = max(classes, default=0)
    class_of = np.zeros(last + 1, np.uint16)
    for number, class_id in classes.items():
        class_of[number] = class_id
    for index in sorted(labels.tiles("found")):
        handle = labels.handle("found", index)
        if is_uniform(handle) and not uniform_value(handle):
            continue
        found = labels.tile_array("found", index)
        wanted = class_of.take(np.where(found > last, 0, found))
        covered = found > 0
        instance = np.where(wanted > 0, found, np.uint32(0))
        beneath = labels.tile_array("ground", index)
        before = labels.tile_array("class", index)
        said = np.where(covered, np.where(wanted > 0, wanted, beneath), before)
        if np.array_equal(instance, labels.tile_array("instance", index)):
            continue
        planes: dict[str, NDArray[Any]] = {"class": said, "instance": instance}
        if origin:
            planes["origin"] = np.where(said > 0, np.uint16(origin), np.uint16(0))
        for plane, array in planes.items():
            yield plane, index, labels.cache.put(array)


__all__ = ["at_score", "chosen_score"]
