"""Crops keep picture and target together."""

from __future__ import annotations

import numpy as np
import pytest

from segcore.train import Recipe
from segcore.train.augment import Crop, choose_crop, cut, jitter

CLASSES = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((20, 20))).astype(np.uint16)
IMAGE = (CLASSES * 10)[:, :, None].repeat(3, 2).astype(np.uint8)


def test_a_crop_at_scale_1_is_a_plain_slice() -> None:
    crop = Crop(7, 11, 1.0, False, False, 0)
    image, target = cut(IMAGE, CLASSES, crop, 32, 40)
    assert (image == IMAGE[7:39, 11:51]).all()
    assert (target == CLASSES[7:39, 11:51]).all()


@pytest.mark.parametrize("seed", range(20))
def test_picture_and_target_stay_together_under_any_crop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recipe = Recipe(scale_low=0.5, scale_high=3.0, flip_vertical=0.5, turn=0.5)
    crop = choose_crop(CLASSES.shape, (48, 48), recipe, rng)  # type: ignore[arg-type]
    image, target = cut(IMAGE, CLASSES, crop, 48, 48)
    assert image.shape == (48, 48, 3)
    inside = target > 0
    assert inside.sum() > 200
    # Interpolation moves values only where classes meet.
    exact = image[:, :, 0] == target * 10
    assert exact[inside].mean() > 0.7
    assert abs(image[:, :, 0].astype(int) - target * 10.0)[inside].mean() < 6


def test_outside_the_picture_there_is_nothing_to_learn() -> None:
    image, target = cut(IMAGE, CLASSES, Crop(-20, -30, 1.0, False, False, 0), 100, 140)
    assert (target[:20] == 0).all()
    assert (target[:, :30] == 0).all()
    assert (target[20:80, 30:110] == CLASSES).all()
    assert image[:20].any(), "the picture is mirrored there, not black"


def test_a_flip_mirrors_both() -> None:
    straight = cut(IMAGE, CLASSES, Crop(5, 5, 1.0, False, False, 0), 32, 32)
    flipped = cut(IMAGE, CLASSES, Crop(5, 5, 1.0, True, True, 0), 32, 32)
    for one, other in zip(straight, flipped, strict=True):
        assert (one[::-1, ::-1] == other).all()


def test_16_bit_and_one_channel_pictures_are_cut_alike() -> None:
    crop = Crop(3.3, 4.7, 1.7, True, False, 1)
    wide = IMAGE.astype(np.uint16) * 200
    image, _ = cut(wide[:, :, :1], CLASSES, crop, 32, 32)
    small, _ = cut(IMAGE[:, :, :1], CLASSES, crop, 32, 32)
    assert image.dtype == np.uint16
    assert image.shape == (32, 32, 1)
    assert abs(image / 200.0 - small).max() <= 1


def test_colour_changes_are_bounded_and_none_is_none() -> None:
    values = np.random.default_rng(0).normal(size=(3, 40, 40)).astype(np.float32)
    same = jitter(values.copy(), "none", np.random.default_rng(1))
    assert (same == values).all()
    for seed in range(10):
        mild = jitter(values.copy(), "mild", np.random.default_rng(seed))
        assert 0.5 < mild.std() / values.std() < 1.5
        strong = jitter(values.copy(), "strong", np.random.default_rng(seed))
        assert np.isfinite(strong).all()
        assert not (mild == values).all()
