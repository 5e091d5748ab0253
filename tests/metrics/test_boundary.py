"""Boundary IoU against erosion of each class's mask, as its authors compute it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segcore.base import SizeMismatch
from segcore.metrics import BoundaryAccumulator, confusion_matrix, iou

maps = hnp.arrays(np.uint8, (14, 17), elements=st.sampled_from([0, 1, 2, 9]))


def eroded_away(mask, width):
    """A mask without what `width` erosions by 3 x 3 leave, the picture's end being an edge."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & ~inner.astype(bool)


def directly(pairs, classes, share):
    counts = np.zeros((len(classes), 2), np.int64)
    for truth, prediction in pairs:
        scored = np.isin(truth, classes)
        width = max(1, round(share * math.hypot(*truth.shape)))
        for place, c in enumerate(classes):
            t = eroded_away((truth == c) & scored, width)
            p = eroded_away((prediction == c) & scored, width)
            counts[place] += (t & p).sum(), (t | p).sum()
    with np.errstate(invalid="ignore"):
        return counts[:, 0] / counts[:, 1]


@given(st.lists(st.tuples(maps, maps), min_size=1, max_size=3), st.sampled_from([0.02, 0.1, 0.3]))
def test_boundary_iou_is_that_of_eroded_masks(pairs, share):
    total = BoundaryAccumulator([2, 0, 1], share)
    for truth, prediction in pairs:
        total.add(truth, prediction)
    np.testing.assert_allclose(total.iou(), directly(pairs, [2, 0, 1], share))


def test_boundary_iou_of_street_scenes_is_that_of_eroded_masks(shared_data):
    paths = sorted((shared_data / "camvid/val/labels").glob("*.png"))[:3]
    truths = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths]
    pairs = [(t, np.roll(t, (2, 3), (0, 1))) for t in truths]
    total = BoundaryAccumulator(range(11))
    for truth, prediction in pairs:
        total.add(truth, prediction)
    found = total.iou()
    np.testing.assert_allclose(found, directly(pairs, list(range(11)), 0.02))
    plain = iou(sum(confusion_matrix(t, p, 11) for t, p in pairs))
    # A shift hurts edges: large classes, which plain IoU hardly blames, lose most.
    assert found[3] < plain[3] - 0.1


@given(maps)
def test_a_map_scores_one_against_itself_and_absent_classes_are_undefined(ids):
    total = BoundaryAccumulator([0, 1, 2])
    total.add(ids, ids)
    present = np.array([(ids == c).any() for c in (0, 1, 2)])
    np.testing.assert_array_equal(total.iou(), np.where(present, 1.0, np.nan))


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(SizeMismatch):
        BoundaryAccumulator([0]).add(np.zeros((2, 3), int), np.zeros((3, 2), int))
