"""Outlines cut anew, and objects that follow their classes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from segcore import images
from segcore.base import Cancelled
from segcore.refine.outlines import BAND, follow_objects, recut
from segcore.refine.pixels import seen_pixels


def disk(size: int, y: int, x: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def test_a_rim_that_is_off_comes_back_to_the_edge_and_what_is_far_stays() -> None:
    truth = disk(80, 40, 40, 18)
    rng = np.random.default_rng(0)
    image = np.where(truth, 190, 60)[..., None].repeat(3, 2) + rng.integers(-12, 12, (80, 80, 3))
    image = image.astype(np.uint8)
    rough = np.where(disk(80, 42, 41, 18), 2, 1).astype(np.uint16)
    none = np.zeros(rough.shape, np.uint32)
    found = recut(image, rough, none, [2])
    assert (found == 2).sum() > 0
    assert ((found == 2) != truth).sum() < 0.1 * ((rough == 2) != truth).sum()
    rim = cv2.morphologyEx((rough == 2).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    far = cv2.distanceTransform((rim == 0).astype(np.uint8), cv2.DIST_L2, 5) > BAND + 2
    assert np.array_equal(found[far], rough[far])


def test_nuclei_that_are_off_by_two_pixels_come_nearer_to_the_truth(shared_data: Path) -> None:
    folder = shared_data / "nuclei"
    gains = []
    for path in sorted((folder / "images").iterdir())[72:192:24]:
        truth = cv2.imread(str(folder / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
        assert truth is not None
        with images.open(path) as source:
            image = seen_pixels(source.read(), images.default_window(source))
        shifted = np.roll(truth, 2, axis=1).astype(np.uint32)
        classes = np.where(shifted > 0, 2, 1).astype(np.uint16)
        classes[:20] = 0
        shifted[:20] = 0
        found = recut(image, classes, shifted, [2])
        assert not found[:20].any()  # unlabelled stays unlabelled

        def overlap(mask: np.ndarray, truth: np.ndarray = truth) -> float:
            one, other = mask[20:] == 2, truth[20:] > 0
            return float((one & other).sum() / (one | other).sum())

        gains.append(overlap(found) - overlap(classes))
    assert len(gains) == 5
    assert min(gains) > 0
    assert np.mean(gains) > 0.05


def test_it_can_be_stopped_between_two_objects() -> None:
    classes = np.ones((40, 80), np.uint16)
    classes[5:35, 5:35] = classes[5:35, 45:75] = 2
    told: list[float] = []
    image = np.zeros((40, 80, 3), np.uint8)
    with pytest.raises(Cancelled):
        recut(
            image, classes, np.zeros(classes.shape, np.uint32), [2],
            cancelled=lambda: bool(told), progress=told.append,
        )  # fmt: skip
    assert told == [0.5]


def test_pixels_that_join_a_class_join_its_nearest_object() -> None:
    before = np.array([[2, 2, 1, 1, 1, 2, 2, 1, 1, 1, 1]])
    instances = np.array([[7, 7, 0, 0, 0, 9, 9, 0, 0, 0, 0]])
    after = np.array([[2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2]])
    found = follow_objects(before, instances, after)
    # Where two objects come together each takes its half; a lone part belongs to nobody.
    assert found.tolist()[0][:3] == [7, 7, 7]
    assert found.tolist()[0][4:] == [9, 9, 0, 0, 0, 0, 0]
    assert found.dtype == np.uint32


def test_an_object_whose_class_changed_is_none_any_more() -> None:
    before = np.array([[2, 2, 3, 3]])
    instances = np.array([[4, 4, 5, 5]])
    found = follow_objects(before, instances, np.array([[3, 3, 3, 3]]))
    assert found.tolist() == [[5, 5, 5, 5]]
    assert follow_objects(before, instances, np.array([[2, 1, 1, 1]])).tolist() == [[4, 0, 0, 0]]


def test_a_solver_sees_every_channel_through_the_window() -> None:
    values = np.arange(0, 4000, 100, dtype=np.uint16).reshape(2, 4, 5)
    found = seen_pixels(values, (1000, 3000))
    assert found.shape == (2, 4, 5)
    wanted = np.clip((values.astype(float) - 1000) / 2000 * 255, 0, 255)
    assert np.abs(found - wanted).max() <= 0.5
    assert np.array_equal(seen_pixels(values, (1000, 3000), invert=True), 255 - found)
