"""How a picture is cut into overlapping tiles whose blended sum is smooth.

Along one axis equal tiles overlap by a fixed number of pixels, so that any pixel lies in one tile
or in two. Where two overlap one fades in as the other fades out and their weights sum to 1. The
borders of the overlaps cut the picture into pieces; a piece is finished when all its tiles (1, 2
or 4) are done, so only the seams between done and undone tiles are ever held as probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Span:
    """A tile along one axis: pixels start .. stop, faded in and out over so many pixels."""

    start: int
    stop: int
    fade_in: int
    fade_out: int

    def weights(self) -> NDArray[np.float32]:
        """(stop - start,) float32 in 0 .. 1; with the neighbours' they sum to 1 everywhere."""
        weights = np.ones(self.stop - self.start, np.float32)
        if self.fade_in:
            weights[: self.fade_in] = _ramp(self.fade_in)
        if self.fade_out:
            weights[-self.fade_out :] = 1.0 - _ramp(self.fade_out)
        return weights


def _ramp(count: int) -> NDArray[np.float32]:
    phase = (np.arange(count) + 0.5) / count
    return (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Equal tiles of at most `tile` pixels over `length`; one if it fits.

    Raises
    ------
    ValueError : overlap above a quarter of the tile, where three tiles could meet.
    """
    if overlap * 4 > tile:
        raise ValueError(f"an overlap of {overlap} is too much for tiles of {tile}")
    if length <= tile:
        return [Span(0, length, 0, 0)]
    count = -(-(length - overlap) // (tile - overlap))
    # starts of the shares without overlap, spread evenly
    edges = [round(i * (length - overlap) / count) for i in range(count + 1)]
    return [
        Span(
            edges[i],
            edges[i + 1] + overlap,
            overlap if i else 0,
            overlap if i < count - 1 else 0,
        )
        for i in range(count)
    ]


@dataclass(frozen=True)
class Piece:
    """A part of the picture that lies in the same tiles throughout."""

    rect: Rect
    tiles: tuple[int, ...]


@dataclass(frozen=True)
class Tile:
    """One tile: its rectangle, its fading, and the pieces it contributes to."""

    rect: Rect
    rows: Span
    columns: Span
    pieces: tuple[int, ...]

    @property
    def is_alone(self) -> bool:
        """Whether no other tile overlaps it, so that it weighs 1 throughout."""
        return not any(
            (self.rows.fade_in, self.rows.fade_out, self.columns.fade_in, self.columns.fade_out)
        )

    def weights(self) -> NDArray[np.float32]:
        """(h, w) float32 in 0 .. 1."""
        return self.rows.weights()[:, None] * self.columns.weights()[None, :]


@dataclass(frozen=True)
class Grid:
    """All tiles and pieces over a rectangle of a picture."""

    tiles: tuple[Tile, ...]
    pieces: tuple[Piece, ...]

    def order(self, near: tuple[float, float] | None) -> list[int]:
        """Numbers of the tiles, those nearest to the point `near` (y, x) first."""
        numbers = list(range(len(self.tiles)))
        if near is not None:
            numbers.sort(key=lambda n: _distance(self.tiles[n].rect, near))
        return numbers


def _distance(rect: Rect, point: tuple[float, float]) -> float:
    dy = rect.y + rect.height / 2 - point[0]
    dx = rect.x + rect.width / 2 - point[1]
    return dy * dy + dx * dx


def make_grid(rect: Rect, tile: int, overlap: int) -> Grid:
    """The tiles over `rect`, in the picture's coordinates."""
    rows, columns = spans(rect.height, tile, overlap), spans(rect.width, tile, overlap)
    parts_y, parts_x = list(_parts(rows)), list(_parts(columns))
    wide = len(columns)
    pieces = tuple(
        Piece(
            Rect(rect.y + y0, rect.x + x0, y1 - y0, x1 - x0),
            tuple(i * wide + j for i in in_rows for j in in_columns),
        )
        for y0, y1, in_rows in parts_y
        for x0, x1, in_columns in parts_x
    )
    of_tile: dict[int, list[int]] = {}
    for n, piece in enumerate(pieces):
        for number in piece.tiles:
            of_tile.setdefault(number, []).append(n)
    tiles = []
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            where = Rect(
                rect.y + row.start,
                rect.x + column.start,
                row.stop - row.start,
                column.stop - column.start,
            )
            tiles.append(Tile(where, row, column, tuple(of_tile[i * wide + j])))
    return Grid(tuple(tiles), pieces)


def _parts(axis: list[Span]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Intervals along an axis with the numbers of the spans that cover them."""
    for i, span in enumerate(axis):
        yield span.start + span.fade_in, span.stop - span.fade_out, (i,)
        if span.fade_out:
            yield span.stop - span.fade_out, span.stop, (i, i + 1)
