"""The scores of a data set, gathered item by item and slice by slice: classes, edges, objects.

What is compared is read once, a band of rows at a time. What is unlabelled or ignored in truth is
void: it is left out, and a predicted object that lies there is neither right nor wrong. Pixels of a
class of things that the truth did not give to an object are a crowd: several objects that nobody
told apart. In the prediction such pixels are one segment of the panoptic quality, and no object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, SegClass, Shape
from segcore.base.dataclass import dataclass
from segcore.metrics import (
    AveragePrecision,
    BoundaryAccumulator,
    ConfusionAccumulator,
    OverlapCounter,
    Overlaps,
    PanopticAccumulator,
    PanopticQuality,
    PrecisionAccumulator,
    aggregated_jaccard,
    mean,
    segment_keys,
)
from segcore.metrics.overlaps import class_of, object_of

Task: TypeAlias = Literal["semantic", "boundary", "instances", "panoptic"]
TASKS: tuple[Task, ...] = get_args(Task)
OBJECT_TASKS: frozenset[Task] = frozenset({"instances", "panoptic"})

# Pixels compared at once: a huge picture is never in memory as a whole.
_BAND = 1 << 22

Layer: TypeAlias = tuple[NDArray[np.uint16], NDArray[np.uint32] | None]
"""Class ids and numbers of objects of some rows of a slice, (y, x)."""


@dataclass(frozen=True)
class Side:
    """Truth or prediction of an item.

    Parameters
    ----------
    read : gives the layers of some rows of a slice, by its number, the first row and the row after
        the last; the first layer has every pixel's class, further ones objects that overlap
        those of others.
    scores : of objects, by their number.
    crowd : numbers of objects that are several.
    """

    read: Callable[[int, int, int], Sequence[Layer]]
    scores: Mapping[int, float] = field(default_factory=dict)
    crowd: Collection[int] = ()


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """Scores of objects of a data set, in the order of the scored classes.

    Parameters
    ----------
    things : (n,) bool, classes of things, or with single objects in truth or prediction.
    panoptic : see `PanopticQuality`; None if it was not asked for.
    precision : see `AveragePrecision`; None if it was not asked for.
    jaccard : (n,) aggregated Jaccard index, the mean over the items that have the class.
    max_detections : how many of a class in an item counted; None for all.
    """

    things: NDArray[np.bool_]
    panoptic: PanopticQuality | None
    precision: AveragePrecision | None
    jaccard: NDArray[np.float64]
    max_detections: int | None

    def panoptic_json(self, classes: Sequence[SegClass]) -> dict[str, Any]:
        """Key "panoptic" of ``maskwright evaluate --json``."""
        assert self.panoptic is not None
        names = ("pq", "sq", "rq", "matched", "missed", "invented")
        rows = [getattr(self.panoptic, name).tolist() for name in names]
        groups = {"all": self.things | ~self.things, "things": self.things, "stuff": ~self.things}
        return {
            "classes": [
                {"id": int(c.id), "name": c.name, "thing": bool(self.things[place])}
                | {name: row[place] for name, row in zip(names, rows, strict=True)}
                for place, c in enumerate(classes)
            ]
        } | {
            group: {
                name: mean(getattr(self.panoptic, name)[chosen])[0] for name in ("pq", "sq", "rq")
            }
            | {"classes": mean(self.panoptic.pq[chosen])[1]}
            for group, chosen in groups.items()
        }

    def instances_json(self, classes: Sequence[SegClass]) -> dict[str, Any]:
        """Key "instances" of ``maskwright evaluate --json``: classes of things only."""
        assert self.precision is not None
        p = self.precision
        columns = {
            "ap": p.ap, "ap50": p.ap50, "ap75": p.ap75, "ap_small": p.small,
            "ap_medium": p.medium, "ap_large": p.large, "aji": self.jaccard,
        }  # fmt: skip
        places = np.flatnonzero(self.things).tolist()
        return (
            {
                "classes": [
                    {"id": int(classes[place].id), "name": classes[place].name}
                    | {"objects": int(p.objects[place])}
                    | {name: float(values[place]) for name, values in columns.items()}
                    for place in places
                ]
            }
            | {name: mean(values[self.things])[0] for name, values in columns.items()}
            | {"defined": mean(p.ap[self.things])[1], "max_detections": self.max_detections}
        )


class Scoring:
    """Gathers the scores of a data set.

    Parameters
    ----------
    classes : of the project; what is not scored is void in truth and nothing in the prediction.
    tasks : what is asked for.
    max_detections : of a class in an item, for average precision; None for all.
    """

    def __init__(
        self, classes: ClassSet, tasks: Collection[Task], max_detections: int | None = None
    ) -> None:
        self.classes = classes.scored
        self._tasks = frozenset(tasks)
        ids = [int(c.id) for c in self.classes]
        self._table = np.zeros(65536, np.int64)
        self._table[ids] = ids
        self._things = np.array([c.thing for c in self.classes], bool)
        self._ids = np.array(ids, np.int64)
        self.confusion = ConfusionAccumulator(ids)
        self.boundary = BoundaryAccumulator(ids)
        self._panoptic = PanopticAccumulator()
        self._precision = PrecisionAccumulator(max_detections)
        self._max_detections = max_detections
        self._jaccard: list[NDArray[np.float64]] = []
        self.items = 0

    def add(self, shape: Shape, truth: Side, prediction: Side) -> None:
        """Compare an item, a band of rows at a time.

        Raises
        ------
        SizeMismatch : truth and prediction have different sizes.
        """
        flat, layered = OverlapCounter(), OverlapCounter()
        objects = bool(self._tasks & OBJECT_TASKS)
        several = False
        for z, top, bottom in _bands(shape, _BAND):
            true, given = truth.read(z, top, bottom), prediction.read(z, top, bottom)
            self.confusion.add(true[0][0], given[0][0])
            if objects:
                true_keys, given_keys = self._keys(true), self._keys(given)
                flat.add(true_keys[0], given_keys[0])
                several = len(true_keys) > 1 or len(given_keys) > 1
                if several:
                    layered.add(true_keys, given_keys)
        if "boundary" in self._tasks:  # an edge is seen in its surroundings only
            for z in range(shape.z):
                true, given = truth.read(z, 0, shape.y), prediction.read(z, 0, shape.y)
                self.boundary.add(true[0][0], given[0][0])
        if objects:
            table = flat.overlaps()
            self._add_objects(table, layered.overlaps() if several else table, truth, prediction)
        self.items += 1

    def _keys(self, layers: Sequence[Layer]) -> list[NDArray[np.int64]]:
        """Keys of segments; pixels of a class that is not scored are in none."""
        return [segment_keys(self._table[ids], numbers) for ids, numbers in layers]

    def _add_objects(self, flat: Overlaps, layered: Overlaps, truth: Side, given: Side) -> None:
        for keys in (layered.truth, layered.prediction):
            numbered = class_of(keys[object_of(keys) > 0])
            self._things |= np.isin(self._ids, numbered)
        if "panoptic" in self._tasks:
            self._panoptic.add(flat, self._crowd(flat, truth))
        if "instances" in self._tasks:
            crowd = self._crowd(layered, truth)
            alone = _objects_only(layered, crowd)
            numbers = object_of(alone.prediction).tolist()
            scores = {
                key: given.scores[number]
                for key, number in zip(alone.prediction.tolist(), numbers, strict=True)
                if number in given.scores
            }
            self._precision.add(alone, scores, crowd, void=True)
            crowd = self._crowd(flat, truth)
            disjoint = _objects_only(flat, crowd)
            self._jaccard.append(aggregated_jaccard(disjoint, self._ids.tolist(), crowd))

    def _crowd(self, overlaps: Overlaps, truth: Side) -> set[int]:
        keys = overlaps.truth
        declared = self._ids[[c.thing for c in self.classes]]
        undivided = (object_of(keys) == 0) & np.isin(class_of(keys), declared)
        named = np.isin(object_of(keys), np.array(sorted(truth.crowd), np.int64))
        return set(keys[undivided | named].tolist())

    def objects(self) -> ObjectScores | None:
        """The scores of objects; None if none were asked for."""
        if not self._tasks & OBJECT_TASKS:
            return None
        ids = self._ids.tolist()
        return ObjectScores(
            self._things.copy(),
            self._panoptic.quality(ids) if "panoptic" in self._tasks else None,
            self._precision.precision(ids) if "instances" in self._tasks else None,
            np.array([mean(column)[0] for column in np.stack(self._jaccard, axis=1)])
            if self._jaccard
            else np.full(len(ids), np.nan),
            self._max_detections,
        )


def _objects_only(overlaps: Overlaps, crowd: Collection[int]) -> Overlaps:
    """Objects and crowds: what is no object is ground, on which a detection is wrong."""
    keys = overlaps.truth
    return overlaps.only(
        (object_of(keys) > 0) | np.isin(keys, np.array(sorted(crowd), np.int64)),
        object_of(overlaps.prediction) > 0,
    )


def _bands(shape: Shape, pixels: int) -> Iterator[tuple[int, int, int]]:
    rows = max(1, pixels // max(1, shape.x))
    for z in range(shape.z):
        for top in range(0, shape.y, rows):
            yield z, top, min(shape.y, top + rows)


def parse_tasks(text: str) -> frozenset[Task]:
    """Tasks out of a list with commas, such as ``instances,panoptic``.

    Raises
    ------
    BadFile : one is unknown; names those there are.
    """
    found = {part.strip() for part in text.split(",") if part.strip()}
    unknown = sorted(found - set(TASKS))
    if unknown or not found:
        raise BadFile(
            f'There is no task "{unknown[0] if unknown else text}".',
            f"Name one or more of {', '.join(TASKS)}, with commas.",
        )
    return frozenset(task for task in TASKS if task in found)
