"""Objects out of maps of classes: connected regions, numbered. No torch: the window asks too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.uint32]


def objects_of(classes: NDArray[np.uint16], things: Sequence[int]) -> Numbers | None:
    """As `connected_objects`, but None where no pixel is of a class in `things`."""
    wanted = np.zeros(1 << 16, bool)
    wanted[list(things)] = True
    if not any(wanted.take(plane).any() for plane in _slices(classes)):
        return None
    return connected_objects(classes, things)


def connected_objects(classes: NDArray[np.uint16], things: Sequence[int]) -> Numbers:
    """Number the connected regions of each class in `things`, from 1 on.

    Objects that touch are one: a model that only knows classes cannot tell them apart. In a volume
    they go on from slice to slice; beside its result that takes memory for a few slices only.

    Parameters
    ----------
    classes : (y, x), where a pixel has 8 neighbours, or (z, y, x), where it has 26.

    Returns
    -------
    Of the same shape; 0 where no class of `things` is. The numbers have no gap, and follow the
    classes and then the slices in which the objects begin.
    """
    slices = _slices(classes)
    numbers = np.zeros(slices.shape, np.uint32)
    last = 0
    for class_id in things:
        last = _number(slices, class_id, numbers, last)
    return numbers.reshape(classes.shape)


def _slices(classes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return classes[None] if classes.ndim == 2 else classes


def _number(slices: NDArray[np.uint16], class_id: int, numbers: Numbers, last: int) -> int:
    """Number the objects of one class from `last` + 1 on; gives the last number."""
    import cv2

    parents: list[int] = []
    before: Numbers | None = None
    for plane, target in zip(slices, numbers, strict=True):
        count, found = cv2.connectedComponents((plane == class_id).astype(np.uint8), None, 8)
        if count == 1:
            before = None
            continue
        # Regions of this slice count on behind those of the slices before; 0 is none.
        here = np.where(found > 0, found + len(parents), 0).astype(np.uint32)
        parents.extend(range(len(parents), len(parents) + count - 1))
        if before is not None:
            for one, other in _over_each_other(before, here):
                _unite(parents, one - 1, other - 1)
        np.copyto(target, here, where=here > 0)
        before = here
    table = np.zeros(len(parents) + 1, np.uint32)
    for region, parent in enumerate(parents):
        # A parent is never behind its child, so it has its number already.
        if parent == region:
            last += 1
        table[region + 1] = last if parent == region else table[parent + 1]
    for plane, target in zip(slices, numbers, strict=True):
        inside = plane == class_id
        target[inside] = table[target[inside]]
    return last


def _over_each_other(before: Numbers, after: Numbers) -> list[tuple[int, int]]:
    """Pairs of regions of two slices, one after the other, that touch, if only at a corner."""
    height, width = before.shape
    found = []
    for dy in (0, -1, 1):
        for dx in (0, -1, 1):
            here = np.s_[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
            there = np.s_[max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)]
            one, other = before[there], after[here]
            met = (one > 0) & (other > 0)
            if dy or dx:
                # Inside a region the pair was met straight above already.
                met &= one != before[here]
            pairs = one[met].astype(np.uint64) << np.uint64(32) | other[met]
            found.append(np.unique(pairs))
    return [(pair >> 32, pair & 0xFFFFFFFF) for pair in np.unique(np.concatenate(found)).tolist()]


def _unite(parents: list[int], one: int, other: int) -> None:
    """Make two regions one; the root is the smaller number."""
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)


def _root(parents: list[int], region: int) -> int:
    while parents[region] != region:
        parents[region] = parents[parents[region]]
        region = parents[region]
    return region
