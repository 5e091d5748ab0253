"""The grid that pieces of the screen are kept by: squares of the zoomed picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from segcore.base import Rect

TILE = 256
Place: TypeAlias = tuple[int, int]


def tiles_over(rect: Rect) -> Iterator[Place]:
    """The places of the tiles that meet a rectangle of the zoomed grid."""
    if rect.is_empty:
        return
    for row in range(rect.y // TILE, -(-rect.bottom // TILE)):
        for column in range(rect.x // TILE, -(-rect.right // TILE)):
            yield row, column


def tile_rect(place: Place, zoomed: tuple[int, int]) -> Rect:
    """The part of the zoomed grid that a tile covers."""
    return Rect(place[0] * TILE, place[1] * TILE, TILE, TILE).intersect(Rect(0, 0, *zoomed))
