"""The transform between picture and screen: there and back, at every zoom and orientation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.canvas.view import View
from segcore.base import Rect

views = st.builds(
    View,
    shape=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    size=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    scale=st.floats(0.02, 64),
    aspect=st.floats(0.2, 5),
    origin=st.tuples(st.integers(-5000, 5000), st.integers(-5000, 5000)),
    rotation=st.sampled_from([0, 90, 180, 270]),
    flip_y=st.booleans(),
    flip_x=st.booleans(),
)
small_views = st.builds(
    View,
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.just((60, 70)),
    scale=st.floats(0.3, 4),
    aspect=st.sampled_from([0.5, 1.0, 1.7]),
    origin=st.tuples(st.integers(-20, 60), st.integers(-20, 60)),
    rotation=st.sampled_from([0, 90, 180, 270]),
    flip_y=st.booleans(),
    flip_x=st.booleans(),
)
coordinates = st.floats(-1000, 5000)


@given(views, coordinates, coordinates)
def test_image_to_screen_and_back_is_the_same_point(view: View, y: float, x: float) -> None:
    assert np.allclose(view.to_image(*view.to_screen(y, x)), (y, x), atol=1e-6)


@given(views, st.integers(-3000, 3000), st.integers(-3000, 3000))
def test_screen_to_image_and_back_is_the_same_point(view: View, y: int, x: int) -> None:
    assert np.allclose(view.to_screen(*view.to_image(y, x)), (y, x), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(small_views)
def test_an_oriented_array_lies_where_the_transform_says(view: View) -> None:
    height, width = view.zoomed
    numbers = np.arange(height * width).reshape(height, width)
    place = view.screen_rect(Rect(0, 0, height, width))
    turned = view.oriented(numbers)
    assert turned.shape == (place.height, place.width)
    sy, sx = view.steps
    for zy in range(height):
        for zx in range(width):
            y, x = view.to_screen((zy + 0.5) / sy, (zx + 0.5) / sx)
            assert turned[int(np.floor(y)) - place.y, int(np.floor(x)) - place.x] == numbers[zy, zx]


@given(small_views, st.integers(0, 59), st.integers(0, 69))
def test_a_screen_pixel_of_the_picture_is_in_the_zoomed_rectangle(
    view: View, y: int, x: int
) -> None:
    pixel = view.pixel_at(y + 0.5, x + 0.5)
    zoomed = view.zoomed_rect(Rect(y, x, 1, 1))
    if pixel is not None:
        assert zoomed.area == 1
        assert view.screen_rect(zoomed) == Rect(y, x, 1, 1)


@given(views)
def test_fitting_shows_the_whole_picture_in_the_middle(view: View) -> None:
    fitted = view.fitted()
    place = fitted.screen_rect(Rect(0, 0, *fitted.zoomed))
    assert place.height <= max(1, view.size[0]) + 1
    assert place.width <= max(1, view.size[1]) + 1
    middle = fitted.to_screen(view.shape[0] / 2, view.shape[1] / 2)
    assert np.allclose(middle, (view.size[0] / 2, view.size[1] / 2), atol=0.51)


@given(views, st.floats(0.05, 32), st.floats(0, 1), st.floats(0, 1))
def test_zooming_keeps_the_point_under_the_mouse(
    view: View, scale: float, share_y: float, share_x: float
) -> None:
    view = view.fitted()
    place = view.screen_rect(Rect(0, 0, *view.zoomed))
    at = place.y + share_y * place.height, place.x + share_x * place.width
    # A picture thinner than a screen pixel is shown as one: much of that lies beside it.
    if view.pixel_at(*at) is None:
        return
    zoomed = view.zoomed_at(*at, scale)
    point = view.to_image(*at)
    if 48 < at[0] < view.size[0] - 48 and 48 < at[1] < view.size[1] - 48:
        assert np.allclose(zoomed.to_screen(*point), at, atol=0.51)


@given(views, st.integers(-9000, 9000), st.integers(-9000, 9000))
def test_panning_never_loses_the_picture(view: View, dy: int, dx: int) -> None:
    moved = view.fitted().panned(dy, dx)
    assert not moved.visible.is_empty


@given(views)
def test_the_visible_pixels_are_those_whose_squares_meet_the_canvas(view: View) -> None:
    part = view.visible_image
    if part.is_empty:
        return
    zoomed = view.zoomed_of_image(part)
    assert zoomed.intersect(view.visible) == view.visible


@given(views, st.integers(0, 8), st.integers(0, 60))
def test_a_fitted_picture_leaves_what_is_covered_below_free(
    view: View, margin: int, below: int
) -> None:
    view = replace(view, size=(view.size[0] + 100, view.size[1] + 100))
    fitted = view.fitted(margin, below)
    place = fitted.screen_rect(Rect(0, 0, *fitted.zoomed))
    assert place.y >= margin - 1
    assert place.bottom <= view.size[0] - max(margin, below) + 1
