"""The rectangle that the dense CRF begins with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.crf import DenseCrf
from app.tools.tool import Number
from app.workspace.gesture import Context, Pointer, SeedsPreview
from segcore.base import Rect, Shape
from segcore.labels import Guard, Labels
from segcore.refine import AUTHORS


def run(events: list[Pointer]) -> tuple[list[Any], list[Rect | None]]:
    """Previews of a gesture on a picture of 100 x 120 pixels, and what it asked for."""
    asked: list[Rect | None] = []
    context = Context(
        z=0, labels=Labels.empty(Shape(1, 100, 120)), class_id=2, class_name="Car",
        guard=Guard(), origin=7, options={}, scale=2.0, refine=asked.append,
    )  # fmt: skip
    gesture = DenseCrf().gesture(context)
    previews = [next(gesture)]
    previews += [gesture.send(event) for event in events[:-1]]
    with pytest.raises(StopIteration) as ended:
        gesture.send(events[-1])
    assert ended.value.value is None  # the edit comes when the answer is taken
    return previews, asked


@given(
    st.floats(-20, 140), st.floats(-20, 140), st.floats(-20, 140), st.floats(-20, 140)
)  # fmt: skip
def test_a_drag_means_the_pixels_that_it_spans_inside_the_picture(
    y0: float, x0: float, y1: float, x1: float
) -> None:
    previews, [dropped, asked] = run(
        [Pointer("press", y0, x0, "left"), Pointer("move", y1, x1), Pointer("release", y1, x1)]
    )
    assert dropped == Rect(0, 0, 0, 0)
    if max(abs(y1 - y0), abs(x1 - x0)) * 2.0 < 4:
        assert asked is None
        return
    assert asked is not None
    assert asked.intersect(Rect(0, 0, 100, 120)) == asked or asked.is_empty
    for y in range(100):
        inside = min(y0, y1) < y + 1 and y < max(y0, y1)
        if not asked.is_empty:
            assert (asked.y <= y < asked.bottom) == inside
    shown = previews[-1]
    assert isinstance(shown, SeedsPreview)
    assert shown.box == asked
    assert not shown.strokes


def test_a_click_means_all_that_is_visible() -> None:
    _, asked = run([Pointer("press", 30, 40, "left"), Pointer("release", 30.5, 41.0, "left")])
    assert asked == [Rect(0, 0, 0, 0), None]


def test_the_sliders_begin_where_the_authors_did() -> None:
    first = {o.name: o.default for o in DenseCrf.options if isinstance(o, Number)}
    assert first == {
        "appearance": AUTHORS.appearance_weight,
        "colour": AUTHORS.appearance_colour,
        "smoothness": AUTHORS.smooth_weight,
        "reach": AUTHORS.appearance_sigma,
        "rounds": AUTHORS.iterations,
    }
