"""Crops keep picture and target together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segcore.train import Recipe
from segcore.train.augment import Crop, choose_crop, margin_of, place, window

CLASSES = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((20, 20))).astype(np.uint16)
IMAGE = (CLASSES * 10)[:, :, None].repeat(3, 2).astype(np.uint8)

anyhow = st.builds(
    Recipe,
    scale_low=st.floats(0.4, 1.0),
    scale_high=st.floats(1.0, 3.0),
    flip=st.sampled_from((0.0, 1.0)),
    flip_vertical=st.sampled_from((0.0, 1.0)),
    turn=st.sampled_from((0.0, 1.0)),
    rotate=st.sampled_from((0.0, 5.0, 45.0, 180.0)),
)
sides = st.tuples(st.integers(33, 64), st.integers(33, 64))


def as_float(image: NDArray[Any]) -> NDArray[np.float32]:
    """A picture as `prepare` hands it on, with its own values."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)


def cut(
    image: NDArray[Any], target: NDArray[np.uint16], crop: Crop, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    part, told = window(image, target, crop)
    return place(as_float(part), told, crop, size)


def test_a_crop_at_scale_1_is_a_plain_slice() -> None:
    image, target = cut(IMAGE, CLASSES, Crop(7, 11, 32, 40), (32, 40))
    assert (image == as_float(IMAGE)[:, 7:39, 11:51]).all()
    assert (target == CLASSES[7:39, 11:51]).all()


@settings(deadline=None, max_examples=60)
@given(recipe=anyhow, crop_size=sides, seed=st.integers(0, 10_000))
def test_every_pixel_of_the_target_stays_on_its_pixel_of_the_picture(
    recipe: Recipe, crop_size: tuple[int, int], seed: int
) -> None:
    # A picture whose values say where they are, and a target whose two planes say the same.
    rows, columns = (a.astype(np.uint16) for a in np.mgrid[1:121, 1:141])
    target = np.stack((rows, columns), -1)
    crop = choose_crop((120, 140), crop_size, recipe, np.random.default_rng(seed))
    image, told = cut(target.astype(np.float32), target, crop, crop_size)
    # Where the mirror begins a straight line has a kink, which averaging rounds off, and at the
    # rim of the part it has fewer neighbours to average.
    kinked = (told < 4).any(-1) | (told[..., 0] > 117) | (told[..., 1] > 137)
    kinked[[0, 1, -2, -1]] = True
    kinked[:, [0, 1, -2, -1]] = True
    off = np.abs(image.transpose(1, 2, 0) - told)[~kinked]
    # The centre of a pixel of the crop lies within the target's pixel: half a pixel of the
    # picture, and half a pixel of the crop for each of magnification and rotation.
    pixel = max(1.0, crop.height / (crop_size[0] + 2 * crop.margin[0]))
    assert off.max(initial=0.0) <= 0.5 + pixel * (0.75 if crop.angle else 0.05)


@pytest.mark.parametrize("part", [70, 96, 160])  # at twice 32, a centre lies between two pixels
def test_target_and_picture_are_not_shifted_against_each_other(part: int) -> None:
    rows = np.mgrid[1:201, 1:201][0].astype(np.uint16)
    image, told = cut(rows[..., None], rows, Crop(10, 10, part, part), (32, 32))
    assert abs(float((image[0] - told).mean())) <= 0.5 / 16
    assert abs(float(image[0].mean()) - (10.5 + part / 2)) < 1e-3


@settings(deadline=None, max_examples=60)
@given(recipe=anyhow, crop_size=sides, seed=st.integers(0, 10_000), large=st.booleans())
def test_nothing_new_appears_in_a_target_and_an_object_keeps_its_class(
    recipe: Recipe, crop_size: tuple[int, int], seed: int, large: bool
) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 65536 if large else 5, (50, 60)).astype(np.uint16)
    classes = (numbers % 7 + 1).astype(np.uint16)
    third = (numbers // 3).astype(np.uint16)
    crop = choose_crop((50, 60), crop_size, recipe, rng)
    image = np.zeros((50, 60, 1), np.uint8)
    _, told = cut(image, np.stack((classes, numbers, third), -1), crop, crop_size)
    inside = told[..., 0] > 0
    assert set(np.unique(told[..., 1][inside])) <= set(np.unique(numbers))
    assert (told[..., 0][inside] == told[..., 1][inside] % 7 + 1).all()
    assert (told[..., 2][inside] == told[..., 1][inside] // 3).all()
    assert not told[~inside].any()
    assert (cut(image, classes, crop, crop_size)[1] == told[..., 0]).all()


def test_outside_the_picture_there_is_nothing_to_learn_and_the_picture_is_mirrored() -> None:
    image, target = cut(IMAGE, CLASSES, Crop(-20, -30, 100, 140), (100, 140))
    assert (target[:20] == 0).all()
    assert (target[:, :30] == 0).all()
    assert (target[20:80, 30:110] == CLASSES).all()
    expected = np.pad(IMAGE, ((20, 20), (30, 30), (0, 0)), "reflect")
    assert (image == as_float(expected)).all()


def test_a_crop_much_larger_than_the_picture_is_mirrored_again_and_again() -> None:
    small, told = IMAGE[:5, :7], CLASSES[:5, :7]
    image, target = window(small, told, Crop(-40, -40, 90, 90))
    assert (image == np.pad(small, ((40, 45), (40, 43), (0, 0)), "reflect")).all()
    assert (target > 0).sum() == 35
    line, _ = window(IMAGE[:1], CLASSES[:1], Crop(-3, 0, 7, 10))
    assert (line == IMAGE[:1, :10]).all()


def test_a_large_picture_costs_no_more_than_a_small_one() -> None:
    # Two pictures of a tera-pixel, which no memory holds: only the part may be touched.
    huge = np.broadcast_to(np.uint8(7), (1_000_000, 1_000_000, 3))
    target = np.broadcast_to(np.uint16(1), huge.shape[:2])
    recipe = Recipe(scale_low=0.5, scale_high=0.5, rotate=30)
    rng = np.random.default_rng(0)
    for crop in (
        choose_crop((1_000_000, 1_000_000), (64, 64), recipe, rng),
        Crop(-10, 999_950, 64, 64),
    ):
        image, told = cut(huge, target, crop, (64, 64))
        assert image == pytest.approx(7)
        assert told.max() == 1


def test_a_flip_mirrors_both() -> None:
    straight = cut(IMAGE, CLASSES, Crop(5, 5, 32, 32), (32, 32))
    flipped = cut(IMAGE, CLASSES, Crop(5, 5, 32, 32, flip=True, flip_vertical=True), (32, 32))
    assert (straight[0][:, ::-1, ::-1] == flipped[0]).all()
    assert (straight[1][::-1, ::-1] == flipped[1]).all()


def test_a_rotation_by_90_degrees_is_a_quarter_turn_of_both() -> None:
    straight = cut(IMAGE, CLASSES, Crop(5, 5, 32, 32), (32, 32))
    turned = cut(IMAGE, CLASSES, Crop(5, 5, 32, 32, turns=1), (32, 32))
    assert (np.rot90(straight[0], axes=(1, 2)) == turned[0]).all()
    assert (np.rot90(straight[1]) == turned[1]).all()
    margin = margin_of((32, 32), 90.0)
    rim = margin[0]
    around = Crop(5 - rim, 5 - rim, 32 + 2 * rim, 32 + 2 * rim, 90.0, margin)
    rotated = cut(IMAGE, CLASSES, around, (32, 32))
    assert rotated[0] == pytest.approx(turned[0], abs=1e-3)
    assert (rotated[1] == turned[1]).all()


@pytest.mark.parametrize("angle", [1.0, 10.0, 45.0, 133.0, 180.0])
def test_a_rotated_crop_has_no_empty_corner(angle: float) -> None:
    size = (40, 72)
    top, left = margin_of(size, angle)
    crop = Crop(60 - top, 60 - left, 40 + 2 * top, 72 + 2 * left, angle, (top, left))
    image = np.full((400, 400, 1), 9, np.uint8)
    seen, told = cut(image, np.ones((400, 400), np.uint16), crop, size)
    assert seen == pytest.approx(9)
    assert told.all()


def test_rotations_stay_within_their_degrees_and_none_is_none() -> None:
    rng = np.random.default_rng(3)
    none = [choose_crop((100, 100), (64, 64), Recipe(), rng) for _ in range(50)]
    assert {(c.angle, c.margin) for c in none} == {(0.0, (0, 0))}
    some = [choose_crop((100, 100), (64, 64), Recipe(rotate=12), rng).angle for _ in range(200)]
    assert -12 <= min(some) < -9
    assert 9 < max(some) <= 12


def test_a_crop_lies_anywhere_in_its_picture() -> None:
    recipe, rng = Recipe(scale_low=1.0, scale_high=1.0), np.random.default_rng(0)
    tops = {choose_crop((40, 300), (32, 32), recipe, rng).top for _ in range(300)}
    assert tops == set(range(9))
    beyond = {choose_crop((30, 300), (32, 32), recipe, rng).top for _ in range(100)}
    assert beyond == {-2, -1, 0}


def test_16_bit_and_one_channel_pictures_are_cut_alike() -> None:
    crop = Crop(3, 4, 19, 19, flip=True, turns=1)
    image, _ = cut(IMAGE.astype(np.uint16)[:, :, :1] * 200, CLASSES, crop, (32, 32))
    small, _ = cut(IMAGE[:, :, :1], CLASSES, crop, (32, 32))
    assert image.shape == (1, 32, 32)
    assert image / 200 == pytest.approx(small, abs=1e-3)


def test_shrinking_averages_what_it_leaves_out() -> None:
    # Lines of one pixel, black and white: without averaging a shrunk crop would show bars.
    lines = np.tile(np.array([0, 255], np.uint8), 60)[None, :, None].repeat(120, 0)
    image, _ = cut(lines, np.ones((120, 120), np.uint16), Crop(0, 0, 100, 100), (40, 40))
    assert image.std() < 12
