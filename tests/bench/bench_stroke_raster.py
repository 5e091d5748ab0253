"""How long a stroke takes from its path to pixels, beside the cheapest thing of the same size."""

from __future__ import annotations

import time

import numpy as np
import pytest

from segcore.base import Rect, Shape
from segcore.edits import Stroke, stroke_bounds, stroke_mask, stroke_parts
from segcore.labels import Labels

pytestmark = pytest.mark.bench


def best_ms(run, times=5):
    """The fastest of some runs in milliseconds of the processor, so that others do not count."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds) * 1000


def wandering(points, step, seed=1):
    rng = np.random.default_rng(seed)
    return tuple(map(tuple, np.cumsum(rng.normal(0, step, (points, 2)), axis=0) + 4000.5))


# Budget: times the floor, which is to count up along each row of the parts that hold the stroke.
# Short strokes are bound by the number of calls, so their budget is in milliseconds instead.
CASES = [
    pytest.param(5, 1000, None, 40.0, id="radius 5, 1000 points"),
    pytest.param(40, 60, None, 10.0, id="radius 40, 60 points"),
    pytest.param(2000, 2, 4.0, None, id="radius 2000, 2 points"),
    pytest.param(2000, 300, 30.0, None, id="radius 2000, 300 points"),
]


@pytest.mark.parametrize(("radius", "points", "ratio", "limit_ms"), CASES)
def test_rasterising_a_stroke_costs_rows_and_pixels(radius, points, ratio, limit_ms):
    path = wandering(points, 8)
    parts = list(stroke_parts(path, radius, stroke_bounds(path, radius)))
    spent = best_ms(lambda: [stroke_mask(path, radius, part) for part in parts])

    def floor():
        for part in parts:
            counts = np.zeros((part.height, part.width + 1), np.int32)
            np.cumsum(counts, axis=1, out=counts)

    least = best_ms(floor)
    print(f"\nradius {radius}, {points} points: {spent:.2f} ms, {spent / least:.1f} x the floor")
    assert ratio is None or spent <= ratio * least
    assert limit_ms is None or spent <= limit_ms


def test_a_stroke_of_brush_40_is_applied_in_few_milliseconds():
    labels = Labels.empty(Shape(1, 8000, 8000))
    stroke = Stroke(0, wandering(60, 8), 40.0, 3, origin=1)
    spent = best_ms(lambda: stroke.apply(labels, None))
    rect = stroke_bounds(stroke.path, 40.0).intersect(Rect(0, 0, 8000, 8000))
    least = best_ms(lambda: labels.read(rect))
    print(f"\napply: {spent:.2f} ms, {spent / least:.1f} x reading the pixels")
    assert spent <= 40.0
