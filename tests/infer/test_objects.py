"""Objects out of maps of classes, beside SciPy's labelling of the whole volume at once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segcore.infer.objects import connected_objects, objects_of


def assert_same_objects(numbers: np.ndarray, expected: np.ndarray) -> None:
    """One number for one number, whatever they are called."""
    pairs = np.unique(np.stack([numbers.reshape(-1), expected.reshape(-1)]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    assert ((pairs[0] == 0) == (pairs[1] == 0)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9999),
    st.tuples(st.integers(1, 7), st.integers(1, 12), st.integers(1, 12)),
    st.floats(0.02, 0.6),
)
def test_objects_of_a_volume_are_those_of_scipy_with_26_neighbours(seed, shape, share):
    random = np.random.default_rng(seed)
    classes = np.where(random.random(shape) < share, random.integers(2, 5, shape), 1)
    numbers = connected_objects(classes.astype(np.uint16), [2, 4])
    last = 0
    for class_id in (2, 4):
        inside = classes == class_id
        expected, count = ndimage.label(inside, np.ones((3, 3, 3)))
        assert_same_objects(np.where(inside, numbers, 0), expected)
        present = np.unique(numbers[inside])
        assert present.tolist() == list(range(last + 1, last + count + 1))
        last += count
    assert not numbers[(classes != 2) & (classes != 4)].any()
    begins = [np.nonzero(numbers == n)[0].min() for n in np.unique(numbers[classes == 2])]
    assert begins == sorted(begins)


def test_arms_that_meet_in_the_last_slice_are_one_object():
    classes = np.ones((6, 20, 20), np.uint16)
    classes[:5, 2:4, 2:4] = 2
    classes[1:5, 2:4, 12:14] = 2
    classes[3:5, 12:14, 2:4] = 2
    classes[5, 2:14, 2:14] = 2
    classes[0, 17, 17] = 2
    assert np.unique(connected_objects(classes, [2])).tolist() == [0, 1, 2]


def test_a_picture_is_numbered_with_8_neighbours():
    random = np.random.default_rng(3)
    classes = random.integers(1, 3, (40, 50)).astype(np.uint16)
    expected, _ = ndimage.label(classes == 2, np.ones((3, 3)))
    numbers = connected_objects(classes, [2])
    assert numbers.shape == (40, 50)
    assert_same_objects(numbers, expected)


@pytest.mark.parametrize("things", [[], [3]])
def test_there_are_no_objects_where_no_thing_is(things):
    assert objects_of(np.ones((2, 5, 5), np.uint16), things) is None


def test_a_volume_takes_memory_for_a_few_slices_beside_its_result():
    random = np.random.default_rng(0)
    coarse = random.integers(1, 3, (60, 32, 32)).astype(np.uint16)
    classes = coarse.repeat(8, 1).repeat(8, 2)
    tracemalloc.start()
    numbers = connected_objects(classes, [2])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one_slice = numbers.nbytes // 60
    assert peak < numbers.nbytes + 16 * one_slice
