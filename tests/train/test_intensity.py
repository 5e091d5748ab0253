"""Colour, blur and noise change a crop within their bounds, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segcore.train import Recipe
from segcore.train.intensity import alter, blur, jitter


def some(channels: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(channels, 40, 48)).astype(np.float32)


def test_colour_changes_are_bounded_and_none_is_none() -> None:
    values = some()
    same = jitter(values.copy(), "none", np.random.default_rng(1))
    assert (same == values).all()
    for seed in range(10):
        mild = jitter(values.copy(), "mild", np.random.default_rng(seed))
        assert 0.5 < mild.std() / values.std() < 1.5
        strong = jitter(values.copy(), "strong", np.random.default_rng(seed))
        assert np.isfinite(strong).all()
        assert not (mild == values).all()


@pytest.mark.parametrize("channels", [1, 3, 7])
@pytest.mark.parametrize("sigma", [0.7, 2.0, 10.0])
def test_a_blur_is_the_one_that_opencv_makes(channels: int, sigma: float) -> None:
    values = some(channels)
    size = 2 * int(np.ceil(3 * sigma)) + 1
    expected = [
        cv2.GaussianBlur(plane, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)
        for plane in values
    ]
    assert blur(values.copy(), sigma) == pytest.approx(np.stack(expected), abs=2e-5)


def test_a_blur_too_narrow_to_be_seen_is_none() -> None:
    values = some()
    assert (blur(values.copy(), 0.1) == values).all()


def test_the_largest_blur_fits_the_smallest_crop() -> None:
    smallest = np.ones((3, 32, 32), np.float32)
    assert blur(smallest, Recipe(blur=10).blur) == pytest.approx(1.0, abs=1e-5)


def test_noise_has_at_most_the_spread_that_was_asked_for() -> None:
    recipe, flat = Recipe(colour="none", noise=0.5), np.zeros((7, 64, 64), np.float32)
    spreads = [alter(flat.copy(), recipe, np.random.default_rng(s)).std() for s in range(40)]
    assert max(spreads) <= 0.51
    assert max(spreads) > 0.4
    assert min(spreads) < 0.1


def test_what_is_off_changes_nothing() -> None:
    values = some()
    assert (alter(values.copy(), Recipe(colour="none"), np.random.default_rng(0)) == values).all()


def test_all_together_are_one_and_the_same_for_a_seed() -> None:
    recipe = Recipe(colour="strong", blur=2, noise=0.3)
    first, second = (alter(some(), recipe, np.random.default_rng(5)) for _ in range(2))
    assert first.dtype == np.float32
    assert (first == second).all()
    assert not (first == alter(some(), recipe, np.random.default_rng(6))).all()
