"""GrabCut for people: any picture, any seeds, always the same answer, and never a flipped seed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from segcore.base import Cancelled, MaskwrightError, Rect
from segcore.refine import grabcut, grabcut_region

MODULE = sys.modules["segcore.refine.grabcut"]


def disk(size: int, centre: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size] + 0.5
    inside: NDArray[np.bool_] = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    return inside


def noisy_disk(size: int = 120, dtype: str = "uint8") -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A bright disk on a dark ground with noise in both; and where it is."""
    truth = disk(size, (size * 0.5, size * 0.45), size * 0.25)
    noise = np.random.default_rng(5).normal(0, 12, (size, size, 3))
    values = np.where(truth[..., None], (170, 150, 90), (60, 70, 80)) + noise
    return values.clip(0, 255).astype(dtype), truth


def strokes(size: int = 120) -> NDArray[np.uint8]:
    seeds = np.zeros((size, size), np.uint8)
    seeds[size // 2 - 2 : size // 2 + 2, int(size * 0.35) : int(size * 0.55)] = 1
    seeds[3:7, 10 : size - 10] = 2
    return seeds


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


# -- what it finds ------------------------------------------------------------------------------


def test_two_strokes_find_the_object() -> None:
    image, truth = noisy_disk()
    assert iou(grabcut(image, strokes()), truth) > 0.97


def test_a_box_alone_finds_the_object() -> None:
    image, truth = noisy_disk()
    found = grabcut(image, np.zeros((120, 120), np.uint8), Rect(24, 18, 72, 72))
    assert iou(found, truth) > 0.97


def test_a_stroke_and_a_ring_cut_nuclei_out_of_real_pictures(shared_data: Path) -> None:
    """The median over pictures: single ones are too dark, or two nuclei touch."""
    scores = []
    for path in sorted((shared_data / "nuclei" / "labels").iterdir())[:200:16]:
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        (image_path,) = (shared_data / "nuclei" / "images").glob(f"{path.stem}.*")
        image = cv2.imread(str(image_path), cv2.IMREAD_UNCHANGED)
        sizes = np.bincount(labels.ravel())
        truth = labels == sizes[1:].argmax() + 1
        near, far = (
            cv2.dilate(truth.astype(np.uint8), np.ones((n, n), np.uint8)) for n in (11, 13)
        )
        seeds = np.where((near != far) & (labels == 0), 2, 0).astype(np.uint8)
        depth = cv2.distanceTransform(truth.astype(np.uint8), cv2.DIST_L2, 3)
        seeds[depth > 0.6 * depth.max()] = 1
        region = grabcut_region(seeds, None, labels.shape)
        found = grabcut(image[region.slices], seeds[region.slices], connected=True)
        scores.append(iou(found, truth[region.slices]))
    assert np.median(scores) > 0.75, scores


def test_a_box_around_one_of_many_alike_still_finds_something() -> None:
    image = np.full((90, 260, 3), 40, np.uint8)
    for x in range(45, 260, 85):
        image[disk(260, (45, x), 25)[:90]] = 180
    image = (image + np.random.default_rng(2).normal(0, 4, image.shape)).clip(0, 255)
    seeds = np.zeros((90, 260), np.uint8)
    found = grabcut(image.astype(np.uint8), seeds, Rect(16, 16, 58, 58))
    assert iou(found, disk(260, (45, 45), 25)[:90]) > 0.95


def test_connected_leaves_out_what_only_looks_alike() -> None:
    image, truth = noisy_disk()
    image[80:110, 90:115] = image[50:80, 45:70]
    seeds = strokes()
    assert grabcut(image, seeds)[90:100, 95:110].mean() > 0.9
    assert iou(grabcut(image, seeds, connected=True), truth) > 0.97


def test_inside_a_box_the_answer_is_that_of_opencv() -> None:
    image, _ = noisy_disk()
    box = Rect(20, 15, 80, 80)
    seeds = strokes()
    mask = np.full((120, 120), cv2.GC_BGD, np.uint8)
    mask[box.slices] = cv2.GC_PR_FGD
    mask[seeds == 1], mask[seeds == 2] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(MODULE._RNG_SEED)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, mask, None, *models, 5, cv2.GC_INIT_WITH_MASK)
    theirs = (mask & 1).astype(bool)
    # They may differ by what the last iterations move, which are left out once little happens.
    assert (grabcut(image, seeds, box) != theirs).mean() <= 1e-3


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64", "int32"])
def test_every_depth_gives_nearly_the_same_object(dtype: str) -> None:
    image, truth = noisy_disk()
    scaled = image.astype(dtype)
    if dtype != "uint8":
        scaled = (image.astype(np.float64) * 40 - 1000).astype(dtype)
    if dtype == "uint16":
        scaled = image.astype(np.uint16) * 200
    assert iou(grabcut(scaled, strokes()), truth) > 0.97


@pytest.mark.parametrize("channels", [None, 1, 2, 4, 7])
def test_any_number_of_channels_will_do(channels: int | None) -> None:
    image, truth = noisy_disk()
    shown = image[..., 0] if channels is None else np.repeat(image, 3, axis=2)[..., :channels]
    assert iou(grabcut(shown, strokes()), truth) > 0.95


def test_the_second_of_two_channels_counts() -> None:
    image, truth = noisy_disk()
    pair = np.stack([np.full((120, 120), 90, np.uint8), image[..., 0]], axis=2)
    assert iou(grabcut(pair, strokes()), truth) > 0.95


def test_a_few_wild_values_do_not_hide_the_object() -> None:
    image, truth = noisy_disk(dtype="float32")
    image[0, :5] = 1e30
    image[1, :5] = np.nan
    image[2, :5] = -np.inf
    assert iou(grabcut(image, strokes()), truth) > 0.97


# -- seeds --------------------------------------------------------------------------------------


SMALL = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def small_problems(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[np.uint8], Rect | None]:
    shape = draw(SMALL)
    dtype = draw(st.sampled_from(["u1", "u2", "i2", "f4", "f8", "?"]))
    channels = draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
    image = draw(arrays_of.arrays(dtype, shape + channels))
    seeds = draw(arrays_of.arrays(np.uint8, shape, elements=st.integers(0, 2)))
    sides = st.integers(-3, 11)
    box = draw(st.none() | st.builds(Rect, sides, sides, st.integers(0, 12), st.integers(0, 12)))
    return image, seeds, box


@given(small_problems(), st.integers(1, 4))
@settings(deadline=None, max_examples=300)
def test_no_seed_changes_its_side_and_every_tiny_picture_has_an_answer(
    problem: tuple[NDArray[Any], NDArray[np.uint8], Rect | None], iterations: int
) -> None:
    image, seeds, box = problem
    found = grabcut(image, seeds, box, iterations)
    assert found.dtype == np.bool_
    assert found.shape == seeds.shape
    assert found[seeds == 1].all()
    assert not found[seeds == 2].any()
    if box is not None:
        outside = np.ones(seeds.shape, np.bool_)
        outside[box.intersect(Rect(0, 0, *seeds.shape)).slices] = False
        assert np.array_equal(found[outside], seeds[outside] == 1)
    assert np.array_equal(found, grabcut(image, seeds, box, iterations)), "not the same twice"


@pytest.mark.parametrize("size", [(1000, 1300), (400, 3000), (3, 200_000)])
def test_in_a_large_picture_seeds_hold_to_the_single_pixel(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 40, (*size, 3), np.uint8)
    image[:, size[1] // 2 :] += 150
    seeds = np.zeros(size, np.uint8)
    # Single pixels side by side on both sides of the edge, closer than a coarse pixel.
    seeds[1, 10:-10:7] = 1
    seeds[1, 11:-10:7] = 2
    found = grabcut(image, seeds, iterations=1)
    assert found[seeds == 1].all()
    assert not found[seeds == 2].any()


def test_a_large_picture_is_cut_as_well_as_a_small_one() -> None:
    image, truth = noisy_disk()
    scale = 10
    big = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    seeds = cv2.resize(strokes(), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    wanted = np.kron(truth, np.ones((scale, scale))).astype(bool)
    assert iou(grabcut(big, seeds), wanted) > 0.97


def test_outside_the_box_only_foreground_seeds_are_object() -> None:
    image, truth = noisy_disk()
    seeds = np.zeros((120, 120), np.uint8)
    seeds[110, 110:115] = 1
    found = grabcut(image, seeds, Rect(24, 18, 72, 72))
    assert found[110, 110:115].all()
    found[110, 110:115] = False
    assert iou(found, truth) > 0.95


@pytest.mark.parametrize("box", [Rect(200, 5, 10, 10), Rect(-20, -20, 10, 10), Rect(5, 5, 0, 9)])
def test_a_box_outside_of_the_picture_leaves_the_seeds_as_the_answer(box: Rect) -> None:
    image, _ = noisy_disk()
    assert np.array_equal(grabcut(image, strokes(), box), strokes() == 1)


def test_without_seeds_and_box_nothing_is_object() -> None:
    image, _ = noisy_disk()
    assert not grabcut(image, np.zeros((120, 120), np.uint8)).any()


def test_background_seeds_alone_make_no_object() -> None:
    image, _ = noisy_disk()
    seeds = strokes()
    seeds[seeds == 1] = 0
    assert not grabcut(image, seeds).any()


def test_a_foreground_stroke_alone_takes_the_rim_for_background() -> None:
    image, truth = noisy_disk()
    seeds = strokes()
    seeds[seeds == 2] = 0
    assert iou(grabcut(image, seeds), truth) > 0.95


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_constant_picture_has_an_answer_that_keeps_the_seeds(value: int) -> None:
    image = np.full((50, 60, 3), value, np.uint8)
    seeds = np.zeros((50, 60), np.uint8)
    seeds[10, 10:20], seeds[40, 10:20] = 1, 2
    found = grabcut(image, seeds)
    assert found[seeds == 1].all()
    assert not found[seeds == 2].any()


def test_only_nan_is_a_picture_too() -> None:
    found = grabcut(np.full((20, 20), np.nan), strokes(20))
    assert found[strokes(20) == 1].all()


def test_seeds_everywhere_are_the_answer() -> None:
    image, truth = noisy_disk()
    seeds = np.where(truth, 1, 2)
    assert np.array_equal(grabcut(image, seeds), truth)
    assert grabcut(image, np.ones((120, 120), np.uint8)).all()


def test_the_arguments_are_left_as_they_were() -> None:
    image, _ = noisy_disk()
    seeds = strokes()
    image.setflags(write=False)
    seeds.setflags(write=False)
    grabcut(image, seeds, Rect(10, 10, 90, 90))


def test_an_empty_picture_has_an_empty_answer() -> None:
    assert grabcut(np.zeros((0, 5, 3), np.uint8), np.zeros((0, 5), np.uint8)).shape == (0, 5)


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "seeds", "said"),
    [
        (np.zeros((5, 5)), np.zeros((5, 4), np.uint8), "seeds have shape"),
        (np.zeros(5), np.zeros(5, np.uint8), "one slice"),
        (np.zeros((2, 5, 5, 3)), np.zeros((2, 5), np.uint8), "one slice"),
        (np.zeros((5, 5)), np.full((5, 5), 3, np.uint8), "values from 3 to 3"),
        (np.zeros((5, 5)), np.full((5, 5), -1, np.int8), "values from -1"),
        (np.zeros((5, 5)), np.zeros((5, 5)), "numbers"),
        (np.zeros((5, 5), complex), np.zeros((5, 5), np.uint8), "numbers"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(image: Any, seeds: Any, said: str) -> None:
    with pytest.raises(MaskwrightError, match=said) as caught:
        grabcut(image, seeds)
    assert caught.value.hint


def test_less_than_one_iteration_is_refused() -> None:
    with pytest.raises(MaskwrightError, match="0 iterations"):
        grabcut(np.zeros((5, 5)), np.zeros((5, 5), np.uint8), iterations=0)


def test_a_cut_stops_between_iterations_when_told() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    asked = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) == 2

    with pytest.raises(Cancelled):
        grabcut(image, strokes(60), iterations=50, cancelled=cancelled)
    assert len(asked) == 2


# -- the region ---------------------------------------------------------------------------------


def test_the_region_holds_seeds_box_and_a_margin_inside_the_picture() -> None:
    seeds = np.zeros((1000, 2000), np.uint8)
    seeds[500, 600:700] = 1
    region = grabcut_region(seeds, None, (1000, 2000))
    assert region == Rect.from_bounds(500 - 100, 600 - 100, 501 + 100, 700 + 100)
    seeds[900, 1900] = 2  # ground far off is not where the object is
    assert grabcut_region(seeds, None, (1000, 2000)) == region
    boxed = grabcut_region(seeds, Rect(480, 10, 60, 640), (1000, 2000), margin=40)
    assert boxed == Rect.from_bounds(440, 0, 580, 740)


def test_the_region_of_a_dot_is_large_enough_to_learn_from() -> None:
    assert grabcut_region(Rect(100, 100, 1, 1), None, (500, 500)) == Rect(68, 68, 65, 65)


def test_where_nothing_is_marked_the_region_is_empty() -> None:
    assert grabcut_region(np.zeros((9, 9), np.uint8), None, (9, 9)).is_empty
    assert grabcut_region(np.full((9, 9), 2, np.uint8), None, (9, 9)).is_empty
    assert grabcut_region(Rect(50, 50, 3, 3), None, (9, 9)).is_empty


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_the_region_never_leaves_the_picture(random: int) -> None:
    rng = np.random.default_rng(random)
    shape = tuple(int(v) for v in rng.integers(1, 90, 2))
    seeds = (rng.random(shape) < 0.02).astype(np.uint8)
    region = grabcut_region(seeds, None, (shape[0], shape[1]), margin=int(rng.integers(0, 50)))
    assert region.intersect(Rect(0, 0, shape[0], shape[1])) == region
    assert np.count_nonzero(seeds[region.slices]) == np.count_nonzero(seeds)


def test_the_package_gives_the_function_and_no_torch() -> None:
    assert callable(grabcut)
    assert grabcut is not MODULE
