"""Tiles overlap, fade into each other, and cut the picture into pieces without gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore.base import Rect
from segcore.infer.tiles import make_grid, spans


@given(st.integers(1, 5000), st.integers(16, 700), st.data())
def test_weights_along_an_axis_sum_to_one_and_no_tile_is_too_long(
    length: int, tile: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, tile // 4))
    total = np.zeros(length)
    depth = np.zeros(length, int)
    for span in spans(length, tile, overlap):
        assert 0 < span.stop - span.start <= tile
        total[span.start : span.stop] += span.weights()
        depth[span.start : span.stop] += 1
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert depth.max() <= 2


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(8, 40),
)
def test_pieces_cover_every_pixel_once_and_know_their_tiles(
    height: int, width: int, y: int, x: int, tile: int
) -> None:
    where = Rect(y, x, height, width)
    grid = make_grid(where, tile, tile // 4)
    covered = np.zeros((y + height, x + width), int)
    for number, piece in enumerate(grid.pieces):
        covered[piece.rect.slices] += 1
        for n in piece.tiles:
            assert number in grid.tiles[n].pieces
            assert grid.tiles[n].rect.intersect(piece.rect) == piece.rect
        if not piece.rect.is_empty:
            touching = [
                n for n, t in enumerate(grid.tiles) if not t.rect.intersect(piece.rect).is_empty
            ]
            assert sorted(piece.tiles) == touching
    assert (covered[where.slices] == 1).all()
    assert covered.sum() == height * width


def test_a_picture_that_fits_is_one_tile() -> None:
    grid = make_grid(Rect(0, 0, 360, 480), 512, 64)
    assert len(grid.tiles) == len(grid.pieces) == 1


def test_tiles_come_nearest_first() -> None:
    grid = make_grid(Rect(0, 0, 1000, 1000), 256, 64)
    centres = [
        (
            grid.tiles[n].rect.y + grid.tiles[n].rect.height / 2,
            grid.tiles[n].rect.x + grid.tiles[n].rect.width / 2,
        )
        for n in grid.order((990.0, 10.0))
    ]
    far = [(a - 990) ** 2 + (b - 10) ** 2 for a, b in centres]
    assert far == sorted(far)
    assert len(far) == 25


def test_too_much_overlap_is_an_error() -> None:
    with pytest.raises(ValueError, match="overlap"):
        spans(100, 32, 9)
