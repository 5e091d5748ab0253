"""Strokes and polygons against tests of every single pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk, polygon2mask

from segcore.base import Rect
from segcore.edits.raster import polygon_mask, stroke_bounds, stroke_mask, stroke_parts

RECT = Rect(-3, -5, 34, 40)
# Quarters hit pixel centres, corners and tangents exactly; the others hit nothing exactly.
COORDINATE = st.one_of(
    st.integers(-20, 160).map(lambda quarter: quarter / 4),
    st.floats(-8, 45, allow_nan=False, width=32),
)
PATH = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=6)
RADIUS = st.one_of(st.integers(0, 60).map(lambda quarter: quarter / 4), st.floats(0, 15))


def centres(rect, scale=(1.0, 1.0)):
    y = (np.arange(rect.y, rect.bottom) + 0.5) * scale[0]
    x = (np.arange(rect.x, rect.right) + 0.5) * scale[1]
    return np.meshgrid(y, x, indexing="ij")


def distances_to_path(path, rect, scale=(1.0, 1.0)):
    """Least squared distance of every pixel's centre from the path, the slow way."""
    y, x = centres(rect, scale)
    least = np.full(y.shape, np.inf)
    for (ay, ax), (by, bx) in zip(path, path[1:] or path, strict=False):
        dy, dx = by - ay, bx - ax
        length = dy * dy + dx * dx
        t = np.clip(((y - ay) * dy + (x - ax) * dx) / length, 0, 1) if length > 0 else 0.0
        least = np.minimum(least, (y - ay - t * dy) ** 2 + (x - ax - t * dx) ** 2)
    return least


def assert_same_but_for_rounding(got, squared, radius):
    """Where the distance is the radius to 12 digits, either answer is right."""
    margin = 1e-12 * max(1.0, radius * radius)
    assert (got[squared < radius * radius - margin]).all()
    assert not (got[squared > radius * radius + margin]).any()


@settings(max_examples=300)
@given(PATH, RADIUS)
def test_a_stroke_holds_exactly_the_pixels_within_its_radius(path, radius):
    got = stroke_mask(path, radius, RECT)
    assert_same_but_for_rounding(got, distances_to_path(path, RECT), radius)


@settings(max_examples=100)
@given(PATH, RADIUS, st.sampled_from([(2.0, 2.0), (4.0, 4.0), (2.5, 1.5), (0.5, 0.5)]))
def test_a_preview_at_another_scale_has_the_same_geometry(path, radius, scale):
    rect = Rect(-2, -2, 24, 26)
    got = stroke_mask(path, radius, rect, scale=scale)
    assert_same_but_for_rounding(got, distances_to_path(path, rect, scale), radius)


@settings(max_examples=200)
@given(PATH, RADIUS)
def test_a_square_stroke_holds_the_pixels_within_its_squares(path, radius):
    got = stroke_mask(path, radius, RECT, square=True)
    y, x = centres(RECT)
    inside, close = np.zeros(y.shape, bool), np.zeros(y.shape, bool)
    for (ay, ax), (by, bx) in zip(path, path[1:] or path, strict=False):
        # Bounds of the share of the segment that is near along each axis.
        low, high = np.zeros(y.shape), np.ones(y.shape)
        for offset, step in ((y - ay, by - ay), (x - ax, bx - ax)):
            if abs(step) < 1e-300:
                high = np.where(np.abs(offset) <= radius, high, -1.0)
                continue
            ends = np.sort([(offset - radius) / step, (offset + radius) / step], axis=0)
            low, high = np.maximum(low, ends[0]), np.minimum(high, ends[1])
        inside |= low <= high
        close |= np.abs(low - high) < 1e-9
    assert (got == inside)[~close].all()


@pytest.mark.parametrize("radius", [0.5, 1.0, 5.0, 12.5, 13.0])
@pytest.mark.parametrize("at", [(20.5, 20.5), (20.0, 20.0), (20.25, 19.75)])
def test_one_point_gives_the_disk(radius, at):
    # scikit-image leaves out what lies exactly on the rim; we do not.
    rows, columns = disk((at[0] - 0.5, at[1] - 0.5), radius + 1e-9, shape=(40, 40))
    expected = np.zeros((40, 40), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(stroke_mask([at], radius, Rect(0, 0, 40, 40)), expected)


def test_a_centre_exactly_on_the_rim_belongs_to_the_disk():
    got = stroke_mask([(10.5, 10.5)], 5, Rect(0, 0, 21, 21))
    for y, x in ((5, 0), (0, 5), (3, 4), (4, 3), (-3, 4), (-4, -3), (-5, 0)):
        assert got[10 + y, 10 + x]
    assert not got[10, 16]


@given(PATH, RADIUS, st.integers(0, 20), st.integers(0, 20))
def test_a_part_of_a_stroke_is_cut_out_of_the_whole(path, radius, y, x):
    part = Rect(RECT.y + y, RECT.x + x, 9, 11)
    whole = stroke_mask(path, radius, RECT)
    np.testing.assert_array_equal(
        stroke_mask(path, radius, part), whole[part.shifted(-RECT.y, -RECT.x).slices]
    )


@given(PATH, RADIUS)
def test_nothing_of_a_stroke_is_outside_its_bounds(path, radius):
    bounds = stroke_bounds(path, radius)
    wide = bounds.grown(3)
    inside = stroke_mask(path, radius, bounds).sum()
    assert stroke_mask(path, radius, wide).sum() == inside


@given(PATH, RADIUS, st.integers(1, 9))
def test_the_parts_of_a_stroke_hold_all_of_it_once(path, radius, rows):
    whole = stroke_mask(path, radius, RECT)
    seen = np.zeros(whole.shape, int)
    for part in stroke_parts(path, radius, RECT, rows):
        mask = stroke_mask(path, radius, part)
        seen[part.shifted(-RECT.y, -RECT.x).slices] += mask
    np.testing.assert_array_equal(seen, whole.astype(int))


def test_a_stroke_without_points_is_empty():
    assert not stroke_mask([], 5, RECT).any()
    assert stroke_bounds([], 5).is_empty
    assert not list(stroke_parts([], 5, RECT))


@settings(max_examples=200)
@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(-4, 40, width=32)] * 2), min_size=3, max_size=8),
        min_size=1,
        max_size=3,
    )
)
def test_a_polygon_holds_the_centres_with_an_odd_number_of_crossings(rings):
    y, x = centres(RECT)
    inside, close = np.zeros(y.shape, bool), np.zeros(y.shape, bool)
    for ring in rings:
        for (ay, ax), (by, bx) in zip(ring, [*ring[1:], ring[0]], strict=True):
            spans = (ay <= y) != (by <= y)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                crossing = ax + (y - ay) / (by - ay) * (bx - ax)
            inside ^= spans & (crossing <= x)
            close |= spans & (np.abs(crossing - x) < 1e-9)
    got = polygon_mask(rings, RECT)
    np.testing.assert_array_equal(got[~close], inside[~close])


def test_a_polygon_agrees_with_scikit_image():
    rng = np.random.default_rng(5)
    for _ in range(20):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
        reach = rng.uniform(8, 30, 9)
        ring = np.stack([32.1 + reach * np.sin(angle), 31.7 + reach * np.cos(angle)], axis=1)
        np.testing.assert_array_equal(
            polygon_mask([ring.tolist()], Rect(0, 0, 64, 64)),
            polygon2mask((64, 64), ring - 0.5),
        )


def test_polygons_that_share_an_edge_neither_overlap_nor_leave_a_gap():
    left = [(0.0, 0.0), (0.0, 5.5), (9.0, 3.5), (9.0, 0.0)]
    right = [(0.0, 5.5), (0.0, 9.0), (9.0, 9.0), (9.0, 3.5)]
    rect = Rect(0, 0, 9, 9)
    both = polygon_mask([left], rect).astype(int) + polygon_mask([right], rect)
    assert (both == 1).all()


def test_a_ring_in_a_ring_is_a_hole():
    rings = [[(0, 0), (0, 9), (9, 9), (9, 0)], [(3, 3), (3, 6), (6, 6), (6, 3)]]
    got = polygon_mask(rings, Rect(0, 0, 9, 9))
    assert got.sum() == 81 - 9
    assert not got[4, 4]
