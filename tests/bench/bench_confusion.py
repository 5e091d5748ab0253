"""How long it takes to score a picture, beside counting its values once."""

from __future__ import annotations

import time

import numpy as np
import pytest

from segcore.metrics import ConfusionAccumulator, confusion_matrix

pytestmark = pytest.mark.bench


def best_ms(run, times=7):
    """The fastest of some runs in milliseconds of the processor, so that others do not count."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds) * 1000


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_matrix_costs_a_few_times_a_histogram(dtype):
    rng = np.random.default_rng(0)
    truth, prediction = (rng.integers(0, 12, (2000, 2000)).astype(dtype) for _ in "tp")
    spent = best_ms(lambda: confusion_matrix(truth, prediction, 12, ignore_index=11))
    least = best_ms(lambda: np.bincount(truth.reshape(-1)))
    print(f"\n4 megapixels: {spent:.1f} ms, {spent / least:.1f} x a histogram")
    assert spent <= 6 * least


def test_following_a_stroke_costs_its_tiles_and_not_the_picture():
    rng = np.random.default_rng(0)
    truth, before, after = (rng.integers(0, 12, (256, 256)).astype(np.uint16) for _ in "tba")
    total = ConfusionAccumulator(12, 11)
    total.add(truth, before)
    spent = best_ms(lambda: total.replace(truth, before, after))
    print(f"\none tile: {spent:.2f} ms")
    assert spent <= 4.0
