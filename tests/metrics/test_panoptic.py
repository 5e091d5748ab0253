"""Panoptic quality against a second implementation of COCO's protocol, and its properties."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hotcoco.panoptic import pq_compute
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_predictions import KINDS, coco_pictures, nuclei_pictures, predicted

from segcore.metrics import (
    OverlapCounter,
    PanopticAccumulator,
    count_overlaps,
    mean,
    segment_keys,
)

small_maps = hnp.arrays(np.int64, (9, 11), elements=st.integers(0, 5))
classes_of_six = st.lists(st.integers(1, 3), min_size=6, max_size=6)


def write_panoptic(folder: Path, pictures, categories) -> Path:
    """A COCO panoptic file with its folder of pictures."""
    folder.mkdir()
    annotations = []
    for number, picture in enumerate(pictures, 1):
        ids = picture.ids
        colours = np.stack([ids >> 16, ids >> 8 & 255, ids & 255], axis=-1)  # blue first
        cv2.imwrite(str(folder / f"{number}.png"), colours.astype(np.uint8))
        segments = [
            {
                "id": n,
                "category_id": c,
                "iscrowd": int(n in picture.crowd),
                "area": int((ids == n).sum()),
                "bbox": [0, 0, 1, 1],
            }
            for n, c in picture.category.items()
        ]
        annotations.append(
            {"image_id": number, "file_name": f"{number}.png", "segments_info": segments}
        )
    images = [
        {"id": n, "file_name": p.name, "height": p.ids.shape[0], "width": p.ids.shape[1]}
        for n, p in enumerate(pictures, 1)
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(content))
    return path


def peer(tmp_path, truth, prediction, categories):
    with contextlib.redirect_stdout(None):
        return pq_compute(
            str(write_panoptic(tmp_path / "truth", truth, categories)),
            str(write_panoptic(tmp_path / "prediction", prediction, categories)),
        )


@pytest.mark.parametrize("source", [coco_pictures, nuclei_pictures])
@pytest.mark.parametrize("kind", KINDS)
def test_quality_of_spoilt_real_annotations_is_the_peers(tmp_path, shared_data, source, kind):
    truth, categories = source(shared_data)
    rng = np.random.default_rng(KINDS.index(kind))
    prediction = [predicted(picture, kind, rng) for picture in truth]
    theirs = peer(tmp_path, truth, prediction, categories)
    total = PanopticAccumulator()
    for t, p in zip(truth, prediction, strict=True):
        total.add(count_overlaps(t.keys(), p.keys()), t.crowd_keys)
    ids = [c["id"] for c in categories]
    ours = total.quality(ids)
    for place, c in enumerate(ids):
        row = theirs["per_class"][c]
        counts = (ours.matched[place], ours.missed[place], ours.invented[place])
        assert counts == (row["tp"], row["fn"], row["fp"])
        for name in ("pq", "sq", "rq"):
            value = getattr(ours, name)[place]
            if sum(counts):
                assert value == pytest.approx(row[name], abs=1e-9)
            else:
                assert math.isnan(value)
    thing = np.array([bool(c["isthing"]) for c in categories])
    for group, chosen in (("All", thing | ~thing), ("Things", thing), ("Stuff", ~thing)):
        for name in ("pq", "sq", "rq"):
            value, n = mean(getattr(ours, name)[chosen])
            assert n == theirs[group]["n"]
            if n:
                assert value == pytest.approx(theirs[group][name], abs=1e-9)


def test_the_spoilt_annotations_are_worth_comparing(shared_data):
    """Each kind of error is there, and crowds and void excuse something."""
    for source in (coco_pictures, nuclei_pictures):
        truth, categories = source(shared_data)
        assert any(picture.crowd for picture in truth)
        assert any((picture.ids == 0).any() for picture in truth)
        with_crowd, without = PanopticAccumulator(), PanopticAccumulator()
        rng = np.random.default_rng(6)
        for picture in truth:
            overlaps = count_overlaps(picture.keys(), predicted(picture, "all", rng).keys())
            with_crowd.add(overlaps, picture.crowd_keys)
            without.add(overlaps)
        ids = [c["id"] for c in categories]
        a, b = with_crowd.quality(ids), without.quality(ids)
        assert a.matched.sum() > 5
        assert a.missed.sum() > 5
        assert a.invented.sum() > 5
        assert a.missed.sum() < b.missed.sum()


def keys_of(ids, classes):
    table = np.array([0, *[(c << 32) + n for n, c in enumerate(classes[1:], 1)]], np.int64)
    return table[ids]


@given(small_maps, small_maps, classes_of_six, classes_of_six)
def test_quality_is_between_zero_and_one_and_the_product_of_its_parts(t, p, c, d):
    total = PanopticAccumulator()
    total.add(count_overlaps(keys_of(t, c), keys_of(p, d)))
    found = total.quality([1, 2, 3])
    for values in (found.pq, found.sq, found.rq):
        defined = values[~np.isnan(values)]
        assert ((defined >= 0) & (defined <= 1)).all()
    np.testing.assert_allclose(found.pq, found.sq * found.rq, atol=1e-12)


@given(small_maps, classes_of_six)
def test_a_map_has_quality_one_against_itself(ids, classes):
    total = PanopticAccumulator()
    total.add(count_overlaps(keys_of(ids, classes), keys_of(ids, classes)))
    found = total.quality([1, 2, 3])
    present = np.isin([1, 2, 3], [c for n, c in enumerate(classes) if n and (ids == n).any()])
    np.testing.assert_array_equal(found.pq, np.where(present, 1.0, np.nan))


@given(small_maps, small_maps, classes_of_six, classes_of_six, st.permutations(range(1, 6)))
def test_other_numbers_for_the_same_objects_change_nothing(t, p, c, d, order):
    def quality(truth, prediction):
        total = PanopticAccumulator()
        total.add(count_overlaps(truth, prediction))
        return total.quality([1, 2, 3]).pq

    truth, prediction = keys_of(t, c), keys_of(p, d)
    renumber = np.array([0, *order])
    moved = np.where(prediction > 0, (prediction >> 32 << 32) + renumber[prediction & 7], 0)
    np.testing.assert_allclose(quality(truth, moved), quality(truth, prediction), atol=1e-12)


@given(small_maps, small_maps, classes_of_six, st.integers(1, 10))
def test_counting_in_parts_gives_the_table_of_the_whole(t, p, c, cut):
    truth, prediction = keys_of(t, c), keys_of(p, c[::-1])
    counter = OverlapCounter()
    for part in (slice(0, cut), slice(cut, None)):
        counter.add(truth[:, part], prediction[:, part])
    parts, whole = counter.overlaps(), count_overlaps(truth, prediction)
    for name in ("truth", "prediction", "truth_area", "prediction_area", "void", "pixels"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    for row, column, pixels in zip(whole.rows, whole.columns, whole.pixels, strict=True):
        both = (truth == whole.truth[row]) & (prediction == whole.prediction[column])
        assert pixels == both.sum()
    assert whole.pixels.sum() == ((truth > 0) & (prediction > 0)).sum()


def test_a_class_not_divided_into_objects_is_one_segment_and_unlabelled_is_none():
    classes = np.array([[1, 1, 0], [2, 2, 2]], np.uint16)
    instances = np.array([[0, 0, 9], [5, 5, 2**32 - 1]], np.uint32)
    keys = segment_keys(classes, instances)
    assert keys[0].tolist() == [1 << 32, 1 << 32, 0]
    assert keys[1].tolist() == [(2 << 32) + 5, (2 << 32) + 5, (3 << 32) - 1]
