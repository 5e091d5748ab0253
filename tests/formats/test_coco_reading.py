"""COCO files become the pixels that pycocotools makes of them, and exports come back exactly."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import hotcoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_exports import exports
from PIL import Image
from pycocotools.coco import COCO

from segcore.base import BadFile, ClassId, ClassSet, MaskwrightError, SegClass, SizeMismatch
from segcore.formats import ExportItem, describe, write
from segcore.formats.coco_layers import read_panoptic_png
from segcore.formats.coco_panoptic import encode_segments
from segcore.formats.coco_reading import read_coco
from segcore.labels import Labels

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="session")
def coco_folder(shared_data):
    return shared_data / "coco_panoptic"


def api(path) -> COCO:
    with contextlib.redirect_stdout(None):
        return COCO(str(path))


def objects_in(layers):
    """Every object and region of all layers: (class, number, mask)."""
    for ids, numbers in layers.layers:
        keys = ids.astype(np.int64) << 32 | numbers
        for key in np.unique(keys[ids > 0]).tolist():
            yield key >> 32, key & 0xFFFFFFFF, keys == key


@pytest.mark.parametrize(
    "name", ["instances/instances_4img.json", "panoptic_coco_detection_format.json"]
)
def test_every_object_has_the_pixels_that_the_api_gives_it(coco_folder, name):
    """Polygons that overlap; run lengths and crowds."""
    coco, file = api(coco_folder / name), read_coco(coco_folder / name)
    assert file.kind == "instances"
    crowds = overlapping = 0
    for picture in file.pictures:
        layers = file.layers(picture)
        overlapping += len(layers.layers) > 1
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[picture.id]))
        assert picture.annotations == len(annotations)
        found = {number: (c, mask) for c, number, mask in objects_in(layers) if number}
        assert sorted(found) == list(range(1, len(annotations) + 1))
        for number, annotation in enumerate(annotations, 1):
            class_id, mask = found[number]
            assert file.classes[class_id].value == annotation["category_id"]
            np.testing.assert_array_equal(mask, coco.annToMask(annotation).astype(bool))
            is_crowd = layers.attributes.get(number, {}).get("iscrowd", False)
            assert is_crowd == bool(annotation["iscrowd"])
            crowds += is_crowd
        # Beside the objects there is none, so there it is background.
        anywhere = np.any([m for _, m in found.values()], axis=0)
        assert (layers.layers[0][0][~anywhere] == file.background).all()
        # Where there is one, the first layer has its class, also beneath a further layer.
        for class_id in {c for c, _ in found.values()}:
            of_class = np.any([m for c, m in found.values() if c == class_id], axis=0)
            others = [m for c, m in found.values() if c != class_id]
            alone = of_class & ~np.any([of_class & False, *others], axis=0)
            assert (layers.layers[0][0][alone] == class_id).all()
    if "instances" in name:
        assert overlapping
    else:
        assert crowds == 3


def test_categories_become_classes_with_their_numbers_names_and_kinds(coco_folder):
    file = read_coco(coco_folder / "panoptic_examples.json")
    content = json.loads((coco_folder / "panoptic_examples.json").read_text())
    assert file.background == 0
    assert len(file.classes) == 133
    for entry in content["categories"]:
        c = file.classes.by_value(entry["id"])
        assert c.name.startswith(entry["name"])
        assert c.thing == bool(entry["isthing"])
        assert list(c.rgb) == entry["color"]
        assert c.code == f"COCO:{entry['supercategory']}/{entry['name']}"


def test_a_panoptic_file_has_the_pixels_of_its_pictures(coco_folder):
    path = coco_folder / "panoptic_examples.json"
    content, file = json.loads(path.read_text()), read_coco(path)
    assert file.kind == "panoptic"
    for picture, annotation in zip(file.pictures, content["annotations"], strict=True):
        layers = file.layers(picture)
        (ids, numbers), *further = layers.layers
        assert not further
        png = read_panoptic_png(path.with_suffix("") / annotation["file_name"])
        assert ((ids == 0) == (png == 0)).all()
        for order, segment in enumerate(annotation["segments_info"], 1):
            here = png == segment["id"]
            assert here.sum() == segment["area"]
            (class_id,) = np.unique(ids[here])
            c = file.classes[int(class_id)]
            assert c.value == segment["category_id"]
            assert (numbers[here] == (order if c.thing else 0)).all()
            crowd = layers.attributes.get(order, {}).get("iscrowd", False)
            assert crowd == bool(segment["iscrowd"])


# -- there and back -----------------------------------------------------------------------------


def assert_same(file, item, unlabelled=frozenset()):
    """The file's layers are the item's; classes in `unlabelled` are not in the file."""
    by_slice = {picture.z: picture for picture in file.pictures}
    assert sorted(by_slice) == list(range(item.shape.z))
    for z, picture in by_slice.items():
        made = file.layers(picture).layers
        wanted = [
            (labels.read(z=z), labels.read(z=z, plane="instance"))
            for labels in (item.labels, *item.further)
        ]
        wanted = wanted[:1] + [pair for pair in wanted[1:] if pair[0].any()]
        assert len(made) == len(wanted)
        for (ids, numbers), (true_ids, true_numbers) in zip(made, wanted, strict=True):
            gone = np.isin(true_ids, [0, *unlabelled])
            np.testing.assert_array_equal(ids, np.where(gone, 0, true_ids))
            np.testing.assert_array_equal(numbers, np.where(gone, 0, true_numbers))


def with_ground(classes, item):
    """The classes with one that COCO takes for background, and pixels of it beside unlabelled."""
    ground = SegClass(ClassId(len(classes) + 1), "ground", 0, None)
    rest = [c for c in classes if c.value != 0]
    ids = item.labels.read_volume()
    zero = classes.by_value(0)
    ids = np.where(ids == (0 if zero is None else zero.id), 0, ids)
    ids[:, ::3] = np.where(ids[:, ::3] == 0, ground.id, ids[:, ::3])
    planes = {"instance": np.where(ids > 0, item.labels.read_volume("instance"), 0)}
    return ClassSet((*rest, ground)), replace(item, labels=Labels.from_array(ids, **planes))


@settings(max_examples=40)
@given(case=exports(), ground=st.booleans(), manifest=st.booleans())
def test_annotations_come_back_exactly(tmp_path_factory, case, ground, manifest):
    classes, item = case
    if ground:
        classes, item = with_ground(classes, item)
    out = tmp_path_factory.mktemp("export") / "out"
    write("coco", [item], out, classes)
    if not manifest:  # the file alone, as it is sent to others
        (out / "manifest.json").unlink()
    file = read_coco(out / "annotations.json")
    if manifest:
        assert file.classes == classes
        assert_same(file, item)
    else:
        by_value = {c.value: c for c in file.classes}
        assert {(c.name, c.value, c.thing, c.ignore) for c in file.classes} == {
            (c.name, c.value, c.thing, c.ignore) for c in classes
        }
        table = np.zeros(65536, np.uint16)
        for c in classes:
            table[c.id] = by_value[c.value].id
        ids = table[item.labels.read_volume()]
        planes = {"instance": item.labels.read_volume("instance")}
        assert_same(file, replace(item, labels=Labels.from_array(ids, **planes)))


@settings(max_examples=40)
@given(case=exports())
def test_panoptic_segments_come_back_exactly(tmp_path_factory, case):
    classes, item = case
    classes = classes.changed(1, ignore=True)
    out = tmp_path_factory.mktemp("export") / "out"
    write("coco_panoptic", [item], out, classes)
    file = read_coco(out / "panoptic.json")
    assert file.kind == "panoptic"
    assert_same(file, item, unlabelled={1})


def square(rows, columns, number):
    ids, numbers = np.zeros((30, 40), np.uint16), np.zeros((30, 40), np.uint32)
    ids[rows, columns], numbers[rows, columns] = 2, number
    return Labels.from_array(ids, instance=numbers)


CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "ground", 0, None),
        SegClass(ClassId(2), "person", 1, "#E69F00", thing=True, code="COCO:person/person"),
    )
)


@st.composite
def stacks(draw):
    """An item of two to four layers: blocks of some classes, beneath and above others."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    layers = []
    for n in range(draw(st.integers(2, 4))):
        blocks = rng.choice(draw(st.sampled_from([[0, 1, 2], [0, 2], [0, 2, 3]])), (5, 6))
        ids = blocks.repeat(3, 0).repeat(3, 1).astype(np.uint16)
        objects = rng.integers(0, 3, (5, 6)).repeat(3, 0).repeat(3, 1)
        ids[(ids == 1) & (n > 0)] = 0  # the ground is in the first layer only
        numbers = np.where(ids > 1, objects + (10 * n if n else 0), 0).astype(np.uint32)
        numbers[(numbers == 10 * n) & (n > 0)] += 5  # further layers hold objects
        layers.append(Labels.from_array(ids, instance=np.where(ids > 0, numbers, 0)))
    return ExportItem("item", (), layers[0], further=tuple(layers[1:]))


@settings(max_examples=60)
@given(item=stacks())
def test_layers_come_back_exactly_with_what_lies_beneath_others(tmp_path_factory, item):
    classes = ClassSet((*CLASSES, SegClass(ClassId(3), "car", 2, "#56B4E9", thing=True)))
    out = tmp_path_factory.mktemp("export") / "out"
    write("coco", [item], out, classes)
    assert_same(read_coco(out / "annotations.json"), item)
    # To others, what lies beneath an object is no object: each pixel of a class and layer counts.
    areas = [a["area"] for a in api(out / "annotations.json").anns.values()]
    first = item.labels.read()
    seen = ((first > 1) & (item.labels.read(plane="instance") > 0)).sum()
    loose = (first > 1) & (item.labels.read(plane="instance") == 0)
    for above in item.further:
        loose &= above.read() != first
    further = sum((above.read() > 0).sum() for above in item.further)
    assert sum(areas) == seen + loose.sum() + further


def test_overlapping_objects_their_scores_and_crowds_come_back(tmp_path):
    item = ExportItem(
        "a",
        (),
        square(slice(0, 10), slice(0, 10), 7),
        further=(square(slice(5, 15), slice(0, 10), 8), square(slice(20, 25), slice(30, 40), 9)),
        instances={
            7: {"class": 2, "score": 0.75, "sure": "yes"},
            9: {"class": 2, "score": None, "iscrowd": True},
        },
    )
    write("coco", [item], tmp_path / "out", CLASSES)
    coco = api(tmp_path / "out/annotations.json")
    assert [(a["instance_id"], a["area"], a["iscrowd"]) for a in coco.anns.values()] == [
        (7, 100, 0),
        (8, 100, 0),
        (9, 50, 1),
    ]
    assert coco.cats[1]["supercategory"] == "person"
    file = read_coco(tmp_path / "out/annotations.json")
    assert_same(file, item)
    layers = file.layers(file.pictures[0])
    assert layers.scores == {7: 0.75}
    assert layers.attributes == {7: {"sure": "yes"}, 9: {"iscrowd": True}}
    for key in ("png", "nifti", "coco_panoptic"):
        assert any("further layers" in s for s in describe(key, [item], CLASSES))
    assert not any("further layers" in s for s in describe("coco", [item], CLASSES))


def test_a_panoptic_export_is_perfect_to_a_second_implementation(tmp_path, nuclei_items):
    """It reads our file, finds every segment, and every area and box is that of its pixels."""
    nuclei_items = nuclei_items[1:]
    classes = ClassSet(
        (
            SegClass(ClassId(1), "ground", 0, None),
            SegClass(ClassId(2), "nucleus", 1, "#E69F00", thing=True),
        )
    )
    write("coco_panoptic", nuclei_items, tmp_path / "out", classes)
    path = tmp_path / "out/panoptic.json"
    with contextlib.redirect_stdout(None):
        peer = hotcoco.panoptic.pq_compute(str(path), str(path))
    objects = len(np.unique(nuclei_items[0].labels.read(plane="instance"))) - 1
    assert peer["per_class"][1]["tp"] == objects > 100
    assert peer["All"] == {"pq": 1.0, "sq": 1.0, "rq": 1.0, "n": 2}
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        png = read_panoptic_png(path.with_suffix("") / annotation["file_name"])
        assert {*np.unique(png)} - {0} == {s["id"] for s in annotation["segments_info"]}
        for segment in annotation["segments_info"]:
            rows, columns = np.nonzero(png == segment["id"])
            assert segment["area"] == rows.size
            assert segment["bbox"] == [
                columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1,
            ]  # fmt: skip


def test_ids_of_segments_use_all_three_colours(tmp_path):
    ids = np.random.default_rng(0).integers(0, 2**24, (40, 50), dtype=np.uint32)
    ids[0, :4] = 0, 255, 65_536, 2**24 - 1
    (tmp_path / "a.png").write_bytes(encode_segments(ids))
    np.testing.assert_array_equal(read_panoptic_png(tmp_path / "a.png"), ids)
    red, green, blue = np.moveaxis(np.asarray(Image.open(tmp_path / "a.png")).astype(int), -1, 0)
    np.testing.assert_array_equal(red + 256 * green + 65_536 * blue, ids)


# -- what is wrong ------------------------------------------------------------------------------

GOOD = {
    "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}],
    "categories": [{"id": 5, "name": "cat"}],
    "annotations": [
        {"id": 9, "image_id": 1, "category_id": 5, "segmentation": [[0, 0, 4, 0, 4, 3]]}
    ],
}


def changed(**parts):
    content = json.loads(json.dumps(GOOD))
    for key, value in parts.items():
        what, _, name = key.partition("__")
        content[what][0][name] = value
    return content


BAD = [
    ([1, 2], "list of detections"),
    ({"images": []}, 'no list "annotations"'),
    ("text", 'no list "images"'),
    (changed(images__width="6"), 'entry 1 of "images" has no width'),
    (changed(images__height=0), "height 0"),
    (changed(categories__name=None), 'entry 1 of "categories" has no name'),
    (GOOD | {"categories": []}, "no categories"),
    (GOOD | {"images": GOOD["images"] * 2}, "have the id 1"),
    (changed(annotations__image_id=None), "annotation 1 names no image"),
    (changed(annotations__category_id=6), "annotation 9 has category 6"),
    (changed(annotations__segmentation=[[0, 0, 4, 0]]), "three corners"),
    (changed(annotations__segmentation=[["x"] * 6]), "annotation 9"),
    (changed(annotations__segmentation={"size": [4, 6]}), "annotation 9"),
    (changed(annotations__segmentation={"size": [4, 6], "counts": [3, 4]}), "7 pixels"),
    (changed(annotations__segmentation={"size": [4, 6], "counts": "zzz"}), "annotation 9"),
    (changed(annotations__segmentation={"size": [6, 4], "counts": [24]}), "4 x 6 pixels"),
]


@pytest.mark.parametrize(("content", "said"), BAD)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))

    def read():
        file = read_coco(path)
        return file.layers(file.pictures[0])

    with pytest.raises(MaskwrightError) as caught:
        read()
    assert said in caught.value.message
    assert "bad.json" in caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("images", "under", [{"segmentation": {}}]),
        ("images", "under", 5),
        ("images", "unlabelled", {"size": [30, 40], "counts": "zz"}),
        ("annotations", "instance_id", -1),
        ("annotations", "layer", 10**9),
    ],
)
def test_a_damaged_export_of_ours_is_refused(tmp_path, where, name, value):
    item = ExportItem("a", (), square(slice(0, 10), slice(0, 10), 7))
    write("coco", [item], tmp_path / "out", CLASSES)
    path = tmp_path / "out/annotations.json"
    content = json.loads(path.read_text())
    content[where][0][name] = value
    path.write_text(json.dumps(content))
    file = read_coco(path)
    with pytest.raises(BadFile, match=r"annotations\.json"):
        file.layers(file.pictures[0])


def test_a_file_that_is_no_json_or_missing_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("{")
    for path in (tmp_path / "a.json", tmp_path / "none.json", tmp_path):
        with pytest.raises(BadFile, match=path.name):
            read_coco(path)


def test_annotations_without_a_mask_and_keypoints_are_told(tmp_path):
    content = changed(annotations__keypoints=[1, 2, 2])
    content["annotations"].append({"id": 2, "image_id": 1, "category_id": 5, "bbox": [0, 0, 1, 1]})
    (tmp_path / "a.json").write_text(json.dumps(content))
    file = read_coco(tmp_path / "a.json")
    assert [note.partition(": ")[2] for note in file.notes] == [
        "1 annotation without a mask left out.",
        "keypoints are left out.",
    ]
    assert len([*objects_in(file.layers(file.pictures[0]))]) == 2  # the cat and the background


def test_uncompressed_run_lengths_are_read(tmp_path):
    rle = {"size": [4, 6], "counts": [2, 3, 19]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(changed(annotations__segmentation=rle, annotations__iscrowd=1)))
    file = read_coco(path)
    layers = file.layers(file.pictures[0])
    found = np.argwhere(layers.layers[0][1] == 1).tolist()
    assert sorted(found) == [[0, 1], [2, 0], [3, 0]]
    assert layers.attributes == {1: {"iscrowd": True}}


def panoptic_copy(coco_folder, tmp_path) -> Path:
    path = tmp_path / "p.json"
    path.write_text((coco_folder / "panoptic_examples.json").read_text())
    (tmp_path / "p").mkdir()
    for png in (coco_folder / "panoptic_examples").iterdir():
        (tmp_path / "p" / png.name).write_bytes(png.read_bytes())
    return path


def test_a_panoptic_file_without_its_pictures_says_where_they_belong(coco_folder, tmp_path):
    path = panoptic_copy(coco_folder, tmp_path)
    first, second = sorted((tmp_path / "p").iterdir())
    first.unlink()
    file = read_coco(path)
    with pytest.raises(BadFile, match=first.name) as caught:
        file.layers(file.pictures[0])
    assert str(tmp_path / "p") in caught.value.hint
    first.write_bytes(second.read_bytes())
    with pytest.raises(SizeMismatch, match="640 x 360"):
        file.layers(file.pictures[0])


def test_a_segment_that_the_file_does_not_list_is_named(coco_folder, tmp_path):
    path = panoptic_copy(coco_folder, tmp_path)
    content = json.loads(path.read_text())
    gone = content["annotations"][0]["segments_info"].pop()
    path.write_text(json.dumps(content))
    file = read_coco(path)
    with pytest.raises(BadFile, match=f"segment {gone['id']}"):
        file.layers(file.pictures[0])
