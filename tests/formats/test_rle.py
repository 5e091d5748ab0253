"""Run lengths, byte for byte those of the COCO API."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from segcore.formats.rle import compress, runs_by_key

pictures = hnp.arrays(
    np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3)
)


def bands_of(picture, width):
    return [picture[:, x : x + width] for x in range(0, picture.shape[1], width)]


def assert_as_the_api(picture, width):
    found = runs_by_key(bands_of(picture, width), *picture.shape)
    assert list(found) == np.unique(picture).tolist()
    for number, runs in found.items():
        mask = np.asfortranarray(picture == number, np.uint8)
        theirs = coco_mask.encode(mask)
        assert compress(runs.counts()).encode() == theirs["counts"]
        assert runs.area == coco_mask.area(theirs)
        assert list(runs.bbox) == coco_mask.toBbox(theirs).tolist()


@settings(max_examples=300)
@given(pictures, st.integers(1, 12))
def test_runs_of_every_number_are_those_of_the_api(picture, width):
    assert_as_the_api(picture, width)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (300, 400)])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 1.0])
def test_runs_of_long_and_of_noisy_pictures_are_those_of_the_api(shape, share):
    picture = (np.random.default_rng(3).random(shape) < share).astype(np.uint8)
    assert_as_the_api(picture, 64)


@given(st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=12))
def test_counts_of_any_length_are_written_as_the_api_writes_them(lengths):
    # Differences of these take one to seven groups and both signs.
    values = np.array(lengths, np.int64)
    written = compress(values)
    read, at, text = [], 0, written.encode()
    while at < len(text):
        x = k = 0
        while True:
            c = text[at] - 48
            x |= (c & 31) << 5 * k
            at, k = at + 1, k + 1
            if not c & 32:
                if c & 16:
                    x |= -1 << 5 * k
                break
        read.append(x + read[-2] if len(read) > 2 else x)
    assert read == lengths


def test_bands_that_do_not_make_up_the_picture_are_noticed():
    with pytest.raises(ValueError, match="picture of 3 x 2"):
        runs_by_key([np.zeros((2, 2), int)], 2, 3)
