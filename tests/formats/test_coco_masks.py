"""Polygons and run lengths become the pixels that the COCO API makes of them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from segcore.formats.coco_polygons import polygons_mask
from segcore.formats.rle import compress, decompress, mask_of, runs_by_key

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def theirs(polygons, height, width):
    pieces = coco_mask.frPyObjects(polygons, height, width)
    return coco_mask.decode(coco_mask.merge(pieces)).astype(bool)


coordinates = st.one_of(
    st.integers(-3, 33).map(float),
    st.floats(-5, 40, allow_nan=False, width=32),
    st.integers(0, 300).map(lambda n: n / 10),
)
polygon = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9).map(
    lambda corners: [n for corner in corners for n in corner]
)


@settings(max_examples=200)
@given(st.lists(polygon, min_size=1, max_size=3), st.integers(1, 30), st.integers(1, 30))
def test_polygons_are_filled_as_the_api_fills_them(polygons, height, width):
    np.testing.assert_array_equal(
        polygons_mask(polygons, height, width), theirs(polygons, height, width)
    )


def test_the_persons_of_coco_are_filled_as_the_api_fills_them(shared_data):
    with contextlib.redirect_stdout(None):
        coco = COCO(str(shared_data / "coco_panoptic/instances/instances_4img.json"))
    assert len(coco.anns) == 14
    for annotation in coco.anns.values():
        image = coco.imgs[annotation["image_id"]]
        found = polygons_mask(annotation["segmentation"], image["height"], image["width"])
        np.testing.assert_array_equal(found, coco.annToMask(annotation).astype(bool))
        assert found.sum() == pytest.approx(annotation["area"], rel=0.05)


masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14))


@settings(max_examples=200)
@given(masks)
def test_compressed_run_lengths_come_back(mask):
    height, width = mask.shape
    text = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    np.testing.assert_array_equal(mask_of(decompress(text), height, width), mask)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=12))
def test_counts_of_any_length_come_back(counts):
    values = np.array(counts, np.int64)
    np.testing.assert_array_equal(decompress(compress(values)), values)


@given(masks)
def test_our_own_runs_come_back(mask):
    height, width = mask.shape
    for key, runs in runs_by_key([mask], height, width).items():
        counts = decompress(compress(runs.counts()))
        np.testing.assert_array_equal(mask_of(counts, height, width), mask == key)


@pytest.mark.parametrize("text", ["~~", "a b", "0P", "P" * 14 + "0", "\x00"])
def test_what_is_no_string_of_run_lengths_is_refused(text):
    with pytest.raises(ValueError, match=r"run lengths|bits"):
        decompress(text)


@pytest.mark.parametrize("counts", [[5], [3, 4], [-1, 7], [2, 2, 3]])
def test_run_lengths_of_another_picture_are_refused(counts):
    with pytest.raises(ValueError, match="picture of 3 x 2"):
        mask_of(np.array(counts), 2, 3)
