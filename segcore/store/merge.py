"""Several patches of one item, done in a row, as the one patch that leads to the same place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from segcore.base import Rect
from segcore.labels import FieldChange, Handle, Patch, TileChange, TileIndex


def merge(patches: Sequence[Patch]) -> Patch:
    """The net change; name, tool and id are those of the last patch."""
    if len(patches) == 1:
        return patches[0]
    tiles: dict[tuple[str, str, TileIndex], tuple[Handle, Handle]] = {}
    fields: dict[tuple[str, str, str], tuple[Any, Any]] = {}
    pixels: dict[int, tuple[int, int]] = {}
    bounds: tuple[int, int, Rect] | None = None
    for patch in patches:
        for c in patch.changes:
            first, _ = tiles.get((c.layer, c.plane, c.at), (c.before, c.after))
            tiles[c.layer, c.plane, c.at] = (first, c.after)
        for f in patch.fields:
            first_value, _ = fields.get((f.table, f.key, f.field), (f.before, f.after))
            fields[f.table, f.key, f.field] = (first_value, f.after)
        for class_id, (gained, lost) in patch.pixels.items():
            so_far = pixels.get(class_id, (0, 0))
            pixels[class_id] = (so_far[0] + gained, so_far[1] + lost)
        bounds = _union(bounds, patch.bounds)
    return replace(
        patches[-1],
        changes=tuple(
            TileChange(*place, before, after)
            for place, (before, after) in tiles.items()
            if before != after
        ),
        fields=tuple(
            FieldChange(*place, before, after)
            for place, (before, after) in fields.items()
            if before != after
        ),
        pixels=pixels,
        bounds=bounds,
    )


def _union(
    one: tuple[int, int, Rect] | None, other: tuple[int, int, Rect] | None
) -> tuple[int, int, Rect] | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1]), one[2].union(other[2])
