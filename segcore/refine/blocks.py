"""Blocks: a picture of any size, refined piece by piece with a rim of context around each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from segcore.base import Rect

# What one call may hold: about a gigabyte together with the solver's lattice.
_MOST_PIXELS = 1 << 20
_MOST_VALUES = 12 << 20
_LEAST_SIDE = 128


class Block(NamedTuple):
    """A piece: `inner` is kept, `outer` is what the solver sees."""

    inner: Rect
    outer: Rect


def with_rim(rect: Rect, reach: int, shape: tuple[int, int]) -> Rect:
    """The rectangle and `reach` pixels around it, as far as the picture (height, width) goes."""
    return rect.grown(reach).intersect(Rect(0, 0, *shape))


def blocks(
    rect: Rect, reach: int, shape: tuple[int, int], classes: int, pixels: int = _MOST_PIXELS
) -> Iterator[Block]:
    """Equal pieces that cover `rect` without overlap, as few as memory allows.

    Parameters
    ----------
    rect : of the picture.
    reach : pixels of context around each piece; see `CrfParams.reach`.
    shape : (height, width) of the picture.
    classes : how many probabilities a pixel has.
    pixels : the most that the solver may see at once.
    """
    limit = min(pixels, _MOST_VALUES // max(1, classes))
    whole = with_rim(rect, reach, shape)
    if whole.area <= limit:
        yield Block(rect, whole)
        return
    side = max(_LEAST_SIDE, int(limit**0.5) - 2 * reach)
    rows, columns = -(-rect.height // side), -(-rect.width // side)
    for row in range(rows):
        top, bottom = rect.height * row // rows, rect.height * (row + 1) // rows
        for column in range(columns):
            left, right = rect.width * column // columns, rect.width * (column + 1) // columns
            inner = Rect(rect.y + top, rect.x + left, bottom - top, right - left)
            yield Block(inner, with_rim(inner, reach, shape))
