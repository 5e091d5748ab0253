"""Rectangles: against the plain sets of pixels that they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segcore.base import Rect

rects = st.builds(
    Rect, st.integers(-5, 9), st.integers(-5, 9), st.integers(0, 8), st.integers(0, 8)
)


def pixels(rect: Rect) -> set[tuple[int, int]]:
    return {(y, x) for y in range(rect.y, rect.bottom) for x in range(rect.x, rect.right)}


@given(rects, rects)
def test_intersection_holds_the_common_pixels(a: Rect, b: Rect) -> None:
    assert pixels(a.intersect(b)) == pixels(a) & pixels(b)


@given(rects, rects)
def test_union_is_the_smallest_rectangle_with_both(a: Rect, b: Rect) -> None:
    union = a.union(b)
    wanted = pixels(a) | pixels(b)
    assert wanted <= pixels(union)
    if wanted:
        assert union.y == min(y for y, _ in wanted)
        assert union.right == max(x for _, x in wanted) + 1


@given(rects, st.integers(-12, 12), st.integers(-12, 12))
def test_shifting_there_and_back_changes_nothing(a: Rect, dy: int, dx: int) -> None:
    assert a.shifted(dy, dx).shifted(-dy, -dx) == a


@given(rects)
def test_area_counts_the_pixels(a: Rect) -> None:
    assert a.area == len(pixels(a))
    assert a.is_empty == (not pixels(a))
