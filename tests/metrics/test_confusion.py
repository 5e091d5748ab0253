"""The confusion matrix against a loop that counts pixel by pixel."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segcore.base import SizeMismatch
from segcore.metrics import (
    ConfusionAccumulator,
    confusion_matrix,
    dice,
    iou,
    mean,
    pixel_accuracy,
    predicted_pixels,
    truth_pixels,
)

DTYPES = [np.uint8, np.uint16, np.uint32, np.int16, np.int32, np.int64]


def counted_slowly(truth, prediction, values, ignore):
    n = len(values)
    matrix = np.zeros((n, n + 1), np.int64)
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t == ignore or t not in values:
            continue
        matrix[values.index(t), values.index(p) if p in values else n] += 1
    return matrix


@st.composite
def masks(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=6))
    pool = st.sampled_from([0, 1, 2, 3, 11, 100, 120])
    arrays = [draw(hnp.arrays(draw(st.sampled_from(DTYPES)), shape, elements=pool)) for _ in "tp"]
    values = draw(st.lists(st.sampled_from([0, 1, 2, 3, 11, 100]), unique=True, max_size=6))
    return (*arrays, values, draw(st.sampled_from([None, 0, 1, 11, 99])))


@given(masks())
def test_the_matrix_is_that_of_a_loop_over_the_pixels(case):
    truth, prediction, values, ignore = case
    expected = counted_slowly(truth, prediction, values, ignore)
    got = confusion_matrix(truth, prediction, values, ignore)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, expected)


@given(masks())
def test_scores_are_those_of_sets_of_pixels(case):
    truth, prediction, values, ignore = case
    matrix = confusion_matrix(truth, prediction, values, ignore)
    counts = np.isin(truth, values) & (truth != ignore if ignore is not None else True)
    for row, value in enumerate(values):
        t, p = counts & (truth == value), counts & (prediction == value)
        assert truth_pixels(matrix)[row] == t.sum()
        assert predicted_pixels(matrix)[row] == p.sum()
        if not (t | p).any():
            assert math.isnan(iou(matrix)[row])
            assert math.isnan(dice(matrix)[row])
        else:
            assert iou(matrix)[row] == pytest.approx((t & p).sum() / (t | p).sum())
            assert dice(matrix)[row] == pytest.approx(2 * (t & p).sum() / (t.sum() + p.sum()))
    if counts.any():
        assert pixel_accuracy(matrix) == pytest.approx((truth == prediction)[counts].mean())
    else:
        assert math.isnan(pixel_accuracy(matrix))


def test_a_number_of_classes_means_the_values_from_zero():
    truth, prediction = np.array([0, 1, 2, 3]), np.array([0, 0, 9, 1])
    np.testing.assert_array_equal(
        confusion_matrix(truth, prediction, 3), [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    )


def test_values_beyond_any_table_are_counted():
    truth = np.array([-5, 3_000_000_000, 3_000_000_000, 7])
    prediction = np.array([3_000_000_000, 3_000_000_000, -5, 7])
    matrix = confusion_matrix(truth, prediction, [3_000_000_000, -5])
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [1, 0, 0]])


def test_erasing_never_raises_a_score():
    truth = np.array([1, 1, 2, 2])
    full = iou(confusion_matrix(truth, np.array([1, 2, 2, 2]), [1, 2]))
    erased = iou(confusion_matrix(truth, np.array([1, 2, 2, 0]), [1, 2]))
    assert erased[1] < full[1]
    assert erased[0] == full[0]


def test_a_class_that_was_only_predicted_scores_zero_and_an_absent_one_is_undefined():
    matrix = confusion_matrix(np.array([0, 0]), np.array([0, 1]), 3)
    scores = iou(matrix)
    assert scores[1] == 0
    assert math.isnan(scores[2])
    assert mean(scores) == (0.25, 2)


def test_the_mean_of_nothing_is_undefined_and_says_so():
    value, n = mean(np.array([np.nan, np.nan]))
    assert math.isnan(value)
    assert n == 0


def test_booleans_count_as_zero_and_one():
    matrix = confusion_matrix(np.array([True, False]), np.array([True, True]), 2)
    np.testing.assert_array_equal(matrix, [[0, 1, 0], [0, 1, 0]])


def test_masks_of_different_sizes_are_refused_with_both_sizes():
    with pytest.raises(SizeMismatch, match=r"3 x 2 pixels.*2 x 3 pixels"):
        confusion_matrix(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)


def test_fractions_are_refused():
    with pytest.raises(TypeError, match="float64"):
        confusion_matrix(np.zeros(3), np.zeros(3, int), 2)


def test_a_matrix_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(n, n \+ 1\)"):
        iou(np.zeros((2, 2), np.int64))


@settings(max_examples=30)
@given(masks(), st.randoms())
def test_counting_in_parts_gives_the_matrix_of_the_whole(case, random):
    truth, prediction, values, ignore = case
    total = ConfusionAccumulator(values, ignore)
    total.add(truth, prediction)
    changed = prediction.ravel().copy()
    random.shuffle(changed)
    changed = changed.reshape(prediction.shape)
    total.replace(truth, prediction, changed)
    np.testing.assert_array_equal(total.matrix, confusion_matrix(truth, changed, values, ignore))


def test_camvid_labels_score_one_against_themselves_without_void(shared_data):
    label = sorted((shared_data / "camvid/val/labels").glob("*.png"))[0]
    mask = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
    matrix = confusion_matrix(mask, mask, 12, ignore_index=11)
    assert matrix.sum() == (mask != 11).sum()
    assert pixel_accuracy(matrix) == 1
    assert mean(iou(matrix)) == (1.0, 11)
    assert math.isnan(iou(matrix)[11])
