"""Average precision against pycocotools, on spoilt real annotations."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_predictions import KINDS, coco_pictures, nuclei_pictures, predicted
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segcore.metrics import PrecisionAccumulator, count_overlaps, layers_of_masks, mean

# pycocotools 2 decodes with a call that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("ap", "ap50", "ap75", "small", "medium", "large")


def encoded(mask):
    found = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": found["size"], "counts": found["counts"].decode()}


def peer(pictures, max_detections):
    """What pycocotools makes of [(truth, detections)]: lists of (class, mask, extra)."""
    annotations, results, images = [], [], []
    for image, (truth, detections) in enumerate(pictures, 1):
        height, width = (truth or detections)[0][1].shape
        images.append({"id": image, "height": height, "width": width})
        for c, mask, extra in truth:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": c,
                    "segmentation": encoded(mask),
                    "area": extra.get("area", int(mask.sum())),
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": int(extra.get("crowd", False)),
                }
            )
        for c, mask, extra in detections:
            results.append(
                {
                    "image_id": image,
                    "category_id": c,
                    "segmentation": encoded(mask),
                    "score": extra["score"],
                }
            )
    ids = sorted({a["category_id"] for a in annotations} | {r["category_id"] for r in results})
    with contextlib.redirect_stdout(None):
        truth = COCO()
        truth.dataset = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": c, "name": str(c)} for c in ids],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.params.maxDets = [1, 10, max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    table = evaluation.eval["precision"][..., -1]  # thresholds, recalls, classes, sizes
    table = np.where(table < 0, np.nan, table).mean(axis=1)
    everything = table[..., 0]
    return ids, {
        "ap": everything.mean(axis=0),
        "ap50": everything[0],
        "ap75": everything[5],
        **{name: table[..., at].mean(axis=0) for at, name in enumerate(NAMES[3:], 1)},
    }


def layers_of(objects, shape):
    """Keys of the objects, and layers of keys in which each is whole."""
    keys = [(c << 32) + number for number, (c, _, _) in enumerate(objects, 1)]
    layers = layers_of_masks((mask for _, mask, _ in objects), keys, shape)
    for key, (_, mask, _) in zip(keys, objects, strict=True):
        assert sum((layer == key).sum() for layer in layers) == mask.sum()
    return keys, layers


def ours(pictures, classes, max_detections):
    total = PrecisionAccumulator(max_detections)
    for truth, detections in pictures:
        shape = (truth or detections)[0][1].shape
        true_keys, true_layers = layers_of(truth, shape)
        keys, layers = layers_of(detections, shape)
        total.add(
            count_overlaps(true_layers, layers),
            {k: d[2]["score"] for k, d in zip(keys, detections, strict=True)},
            {k for k, t in zip(true_keys, truth, strict=True) if t[2].get("crowd")},
            {k: t[2]["area"] for k, t in zip(true_keys, truth, strict=True) if "area" in t[2]},
        )
    return total.precision(classes)


def assert_equal_to_the_peer(pictures, max_detections=100):
    classes, theirs = peer(pictures, max_detections)
    found = ours(pictures, classes, max_detections)
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), theirs[name], atol=1e-6, err_msg=name)
    return found


def masks_of(picture, things, extra):
    return [(c, picture.ids == n, extra(n)) for n, c in picture.category.items() if c in things]


def spoilt(pictures, categories, kind, rng):
    """Pairs for the peer; every tenth detection shares its score with others."""
    things = {c["id"] for c in categories if c["isthing"]}
    made = []
    for picture in pictures:
        guess = predicted(picture, kind, rng)
        truth = masks_of(picture, things, lambda n, p=picture: {"crowd": n in p.crowd})
        scores = np.round(rng.random(len(guess.category)), 1)
        place = {n: i for i, n in enumerate(guess.category)}
        made.append(
            (truth, masks_of(guess, things, lambda n, s=scores, q=place: {"score": s[q[n]]}))
        )
    return made


@pytest.mark.parametrize("source", [coco_pictures, nuclei_pictures])
@pytest.mark.parametrize("kind", KINDS)
def test_precision_of_spoilt_real_annotations_is_that_of_pycocotools(shared_data, source, kind):
    pictures, categories = source(shared_data)
    rng = np.random.default_rng(KINDS.index(kind))
    found = assert_equal_to_the_peer(spoilt(pictures, categories, kind, rng))
    value, n = mean(found.ap)
    assert n
    assert 0 < value <= 1


def test_a_limit_on_detections_counts_as_in_pycocotools(shared_data):
    pictures, categories = nuclei_pictures(shared_data)
    cases = spoilt(pictures, categories, "all", np.random.default_rng(5))
    few = assert_equal_to_the_peer(cases, max_detections=12)
    many = assert_equal_to_the_peer(cases, max_detections=10_000)
    assert few.ap[0] < many.ap[0]


def test_overlapping_polygons_with_the_areas_of_their_file(shared_data):
    """COCO's persons overlap, and their areas are those of the polygons, not of the pixels."""
    folder = shared_data / "coco_panoptic/instances"
    with contextlib.redirect_stdout(None):
        coco = COCO(str(folder / "instances_4img.json"))
    rng = np.random.default_rng(2)
    cases = []
    for image in sorted(coco.imgs):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image]))
        truth = [(1, coco.annToMask(a).astype(bool), {"area": a["area"]}) for a in annotations]
        detections = []
        for _, mask, _ in truth:
            for _ in range(int(rng.integers(0, 4))):
                moved = np.roll(mask, rng.integers(-12, 13, 2), (0, 1))
                detections.append((1, moved, {"score": float(np.round(rng.random(), 1))}))
        cases.append((truth, detections))
    sharing = [sum(m.astype(int) for _, m, _ in truth) for truth, _ in cases]
    assert any((pixels > 1).any() for pixels in sharing)
    assert_equal_to_the_peer(cases)


def test_the_detection_file_of_coco_panoptic_scores_one_against_itself(shared_data):
    content = json.loads(
        (shared_data / "coco_panoptic/panoptic_coco_detection_format.json").read_text()
    )
    cases = []
    for image in content["images"]:
        truth = [
            (a["category_id"], coco_mask.decode(a["segmentation"]).astype(bool), a["iscrowd"])
            for a in content["annotations"]
            if a["image_id"] == image["id"]
        ]
        cases.append(
            (
                [(c, m, {"crowd": bool(crowd)}) for c, m, crowd in truth],
                [(c, m, {"score": 0.5}) for c, m, crowd in truth if not crowd],
            )
        )
    found = assert_equal_to_the_peer(cases)
    assert mean(found.ap)[0] == pytest.approx(1)


# -- properties ---------------------------------------------------------------------------------

small_maps = hnp.arrays(np.int64, (12, 12), elements=st.integers(0, 6))
KEYS = np.array([0, *[((n % 2 + 1) << 32) + n for n in range(1, 7)]], np.int64)


def precision(truth, prediction, scores=None, **options):
    total = PrecisionAccumulator()
    total.add(count_overlaps(truth, prediction), scores, **options)
    return total.precision([1, 2, 3])


@given(small_maps, small_maps, st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_precision_is_between_zero_and_one_and_undefined_without_objects(t, p, scores):
    found = precision(KEYS[t], KEYS[p], dict(zip(KEYS.tolist(), scores, strict=True)))
    for name in NAMES:
        values = getattr(found, name)
        assert ((values >= 0) & (values <= 1) | np.isnan(values)).all()
    present = [((KEYS[t] >> 32) == c).any() for c in (1, 2, 3)]
    np.testing.assert_array_equal(~np.isnan(found.ap), present)


@given(small_maps)
def test_objects_have_precision_one_against_themselves(ids):
    found = precision(KEYS[ids], KEYS[ids])
    assert mean(found.ap)[0] == pytest.approx(1) or not ids.any()


@given(small_maps, small_maps, st.permutations(range(6)))
def test_other_numbers_for_the_same_objects_change_nothing(t, p, order):
    scores = dict(zip(KEYS[1:].tolist(), np.linspace(0.1, 0.9, 6).tolist(), strict=True))
    fresh = {key: (key >> 32 << 32) + 10 + order[n] for n, key in enumerate(KEYS[1:].tolist())}
    moved = np.array([0, *fresh.values()], np.int64)
    before = precision(KEYS[t], KEYS[p], scores)
    after = precision(KEYS[t], moved[p], {fresh[key]: s for key, s in scores.items()})
    np.testing.assert_allclose(before.ap, after.ap, atol=1e-12)


def test_void_is_a_crowd_of_every_class_where_that_is_asked_for():
    truth, prediction = np.zeros((20, 20), np.int64), np.zeros((20, 20), np.int64)
    truth[:5, :5] = prediction[:5, :5] = KEYS[2]
    truth[5:] = KEYS[1]
    prediction[:5, 10:] = KEYS[4]  # beside everything, in void, and surer than the other
    scores = {int(KEYS[2]): 0.5, int(KEYS[4]): 0.9}
    assert precision(truth, prediction, scores).ap[0] == pytest.approx(0.5)
    assert precision(truth, prediction, scores, void=True).ap[0] == pytest.approx(1)
