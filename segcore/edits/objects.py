"""Objects: which object of a thing class painted pixels belong to.

Where an edit begins decides. On an object of its class, or in a volume right over or under one, it
extends that object. Elsewhere it makes a new one, unless at least half of its pixels lie on one
object already: then that is what it mends. Pixels of the class that have no number (a mask without
objects was imported) count as one object without a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.labels import Labels, is_uniform, uniform_value

Mask: TypeAlias = NDArray[np.bool_]

OWN = -1
"""The instance of an edit that finds its object itself when its turn comes."""


def pixel_at(point: tuple[float, float]) -> tuple[int, int]:
    """Row and column of the pixel under a point (y, x)."""
    return math.floor(point[0]), math.floor(point[1])


def object_at(
    labels: Labels, z: int, at: tuple[int, int], class_id: int, *, resident_only: bool = False
) -> int | None:
    """The object of a class at a pixel, or right over or under it in a volume.

    Parameters
    ----------
    at : row and column; may lie outside of the image.
    resident_only : look at no tile that would have to be read from the store.

    Returns
    -------
    Its number, 0 if the pixel has the class but no number, None if there is no such object.
    """
    for near in (z, z - 1, z + 1):
        index = next(iter(labels.tiles_in(Rect(*at, 1, 1), near)), None)
        if index is None:
            continue
        z0, rect = labels.tile_rect(index)
        found = []
        for plane in ("class", "instance"):
            if resident_only:
                tile = labels.tile_resident(plane, index)
            else:
                tile = labels.tile_array(plane, index)
            found.append(
                None if tile is None else int(tile[near - z0, at[0] - rect.y, at[1] - rect.x])
            )
        if found[0] == class_id:
            return found[1]
    return None


def object_under(
    labels: Labels, z: int, parts: Iterable[tuple[Rect, Mask]], class_id: int
) -> int | None:
    """The object of a class that at least half of the pixels lie on; see `object_at`.

    Parameters
    ----------
    parts : rectangles and masks (h, w) that share no pixel; may reach beyond the image.
    """
    total = 0
    shares: dict[int, int] = {}
    for rect, mask in parts:
        inside = rect.intersect(labels.extent)
        if inside.is_empty:
            continue
        painted = mask[inside.shifted(-rect.y, -rect.x).slices]
        total += int(np.count_nonzero(painted))
        if not _may_hold(labels, z, inside, class_id):
            continue
        hit = painted & (labels.read(inside, z) == class_id)
        numbers, counts = np.unique(labels.read(inside, z, "instance")[hit], return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            shares[number] = shares.get(number, 0) + count
    if not shares:
        return None
    most = max(shares, key=lambda number: (shares[number], -number))
    return most if 2 * shares[most] >= total else None


def _may_hold(labels: Labels, z: int, rect: Rect, class_id: int) -> bool:
    """False if the tiles' handles alone say that a rectangle has no pixel of a class."""
    handles = (labels.handle("class", index) for index in labels.tiles_in(rect, z))
    return any(not is_uniform(h) or uniform_value(h) == class_id for h in handles)
