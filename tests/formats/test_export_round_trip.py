"""What is exported comes back as it was, pixel for pixel, read by us and by others."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from made_up_exports import class_set, exports
from pycocotools.coco import COCO
from scipy import ndimage

from segcore.base import CLASS_PRESETS, ClassId, ClassSet, SegClass, digest_file
from segcore.formats import (
    FORMATS,
    ExportItem,
    ExportOptions,
    describe,
    load_mask,
    read_mask,
    with_instances,
    write,
)
from segcore.formats.coco_classes import category_ids
from segcore.labels import Labels

# pycocotools 2 decodes with a call that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BINARY = CLASS_PRESETS["binary"]
CAMVID = CLASS_PRESETS["camvid"]


def read_back(folder, entry, classes):
    """Class ids and objects (z, y, x) of one item of a manifest."""
    masks = [read_mask(folder / file["path"], classes) for file in entry["masks"]]
    ids = np.concatenate([m.classes.reshape(-1, *m.classes.shape[-2:]) for m in masks])
    if masks[0].instances is None:
        return ids, np.zeros_like(ids)
    return ids, np.concatenate([m.instances.reshape(-1, *ids.shape[1:]) for m in masks])


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", [row.key for row in FORMATS if row.reads and row.writes])
@settings(max_examples=40, deadline=None)
@given(case=exports())
def test_masks_come_back_exactly(tmp_path_factory, key, case):
    classes, item = case
    out = tmp_path_factory.mktemp("export") / "out"
    write(key, [item], out, classes)
    entry = manifest_of(out)["items"][0]
    ids, objects = read_back(out, entry, classes)
    np.testing.assert_array_equal(ids, item.labels.read_volume())
    np.testing.assert_array_equal(objects, item.labels.read_volume("instance"))


def coco_of(folder):
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        return COCO(str(folder / "annotations.json"))


def assert_decodes_to(coco, items, classes, unannotated=(0,)):
    """Every annotation is one region of the labels, and together they are all of it."""
    class_of = {number: class_id for class_id, number in category_ids(classes).items()}
    picture = 0
    for item in items:
        for z in range(item.shape.z):
            picture += 1
            ids = item.labels.read(z=z)
            objects = item.labels.read(z=z, plane="instance")
            seen = np.isin(ids, unannotated)
            for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[picture])):
                mask = coco.annToMask(annotation).astype(bool)
                wanted = ids == class_of[annotation["category_id"]]
                wanted &= objects == annotation.get("instance_id", 0)
                np.testing.assert_array_equal(mask, wanted)
                assert annotation["area"] == mask.sum()
                rows, columns = np.nonzero(mask)
                assert annotation["bbox"] == [
                    columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1,
                ]  # fmt: skip
                assert annotation["iscrowd"] == 0
                assert not seen[mask].any()
                seen |= mask
            assert seen.all()


@settings(max_examples=40, deadline=None)
@given(case=exports())
def test_coco_annotations_decode_to_the_pixels(tmp_path_factory, case):
    classes, item = case
    out = tmp_path_factory.mktemp("export") / "out"
    write("coco", [item], out, classes)
    assert_decodes_to(coco_of(out), [item], classes)


def test_camvid_as_coco_decodes_exactly_with_holes_and_several_parts(tmp_path, camvid_items):
    write("coco", camvid_items, tmp_path / "out", CAMVID)
    coco = coco_of(tmp_path / "out")
    assert len(coco.anns) >= 50
    assert_decodes_to(coco, camvid_items, CAMVID)
    masks = [coco.annToMask(a) for a in coco.anns.values()]
    assert sum(ndimage.label(mask)[1] > 1 for mask in masks) > 10
    holes = [ndimage.binary_fill_holes(mask).sum() > mask.sum() for mask in masks]
    assert sum(holes) > 10
    assert [c["name"] for c in coco.loadCats([0, 8, 11])] == ["Sky", "Car", "void"]


def test_nuclei_as_coco_have_one_annotation_each(tmp_path, nuclei_items):
    nuclei_items = nuclei_items[1:]
    write("coco", nuclei_items, tmp_path / "out", BINARY)
    coco = coco_of(tmp_path / "out")
    numbered = sum(len(np.unique(i.labels.read(plane="instance"))) - 1 for i in nuclei_items)
    assert len(coco.anns) == numbered > 100
    assert_decodes_to(coco, nuclei_items, BINARY, unannotated=(0, 1))


@pytest.mark.parametrize("key", ["png", "nifti"])
def test_real_labels_and_objects_come_back(tmp_path, nuclei_items, camvid_items, key):
    for items, classes, name in ((nuclei_items, BINARY, "n"), (camvid_items, CAMVID, "c")):
        out = tmp_path / name
        report = write(key, items, out, classes)
        assert report.items == len(items)
        for item, entry in zip(items, manifest_of(out)["items"], strict=True):
            ids, objects = read_back(out, entry, classes)
            np.testing.assert_array_equal(ids, item.labels.read_volume())
            np.testing.assert_array_equal(objects, item.labels.read_volume("instance"))


def test_the_two_files_of_a_picture_make_its_labels_again(tmp_path, nuclei_items):
    from segcore.formats import to_classes

    item = nuclei_items[0]
    write("png", [item], tmp_path / "out", BINARY)
    mapped = to_classes(load_mask(tmp_path / f"out/masks/{item.name}.png"), BINARY)
    both = with_instances(mapped, load_mask(tmp_path / f"out/instances/{item.name}.png"))
    np.testing.assert_array_equal(both.classes, item.labels.read())
    np.testing.assert_array_equal(both.instances, item.labels.read(plane="instance"))


def test_files_are_as_small_as_their_numbers_allow(tmp_path, camvid_items, nuclei_items):
    write("nifti", camvid_items[:1], tmp_path / "a", CAMVID)
    write("nifti", nuclei_items[:1], tmp_path / "b", BINARY)
    assert nib.load(next((tmp_path / "a/labels").iterdir())).get_data_dtype() == np.uint8
    assert nib.load(next((tmp_path / "b/instances").iterdir())).get_data_dtype() == np.uint16
    write("png", nuclei_items[:1], tmp_path / "c", BINARY)
    mask = (tmp_path / f"c/masks/{nuclei_items[0].name}.png").read_bytes()
    assert mask[24] == 8  # bits a sample, in the PNG's header
    assert (tmp_path / f"c/instances/{nuclei_items[0].name}.png").read_bytes()[24] == 16


def test_the_same_labels_give_the_same_bytes(tmp_path, camvid_items):
    for key in ("png", "coco", "coco_panoptic", "nifti"):
        for name in ("a", "b"):
            write(key, camvid_items[:2], tmp_path / key / name, CAMVID)
        a, b = (manifest_of(tmp_path / key / name)["files"] for name in ("a", "b"))
        assert a == b


# -- the manifest -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [row.key for row in FORMATS if row.writes])
@pytest.mark.parametrize("copied", ["copy", "reference"])
def test_the_manifest_names_every_file_with_its_digest(tmp_path, camvid_items, key, copied):
    out = tmp_path / "out"
    options = ExportOptions(images=copied, left_out={"dull": "rejected"})
    report = write(key, camvid_items, out, CAMVID, options)
    manifest = manifest_of(out)
    present = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert present == {*manifest["files"], "manifest.json"}
    assert report.files == len(present)
    for name, digest in manifest["files"].items():
        assert digest_file(out / name) == digest
    assert manifest["notice"] == "For research use, not a medical device."
    assert manifest["left_out"] == [{"name": "dull", "reason": "rejected"}]
    assert ClassSet.from_rows(manifest["classes"]) == CAMVID
    for item, entry in zip(camvid_items, manifest["items"], strict=True):
        assert (entry["state"], entry["split"], entry["group"]) == ("accepted", "train", "0016E5")
        (image,) = entry["images"]
        assert digest_file(out / image["path"]) == digest_file(item.images[0]) == image["sha256"]
        assert ((out / "images").is_dir()) == (copied == "copy")
    if key == "coco":
        for picture in coco_of(out).imgs.values():
            assert (out / picture["file_name"]).is_file()
            assert picture["split"] == "train"


def test_the_slices_of_a_series_name_its_folder_and_their_number(tmp_path, shared_data):
    item = ExportItem("ct", (shared_data / "ct_dicom",), Labels.empty((16, 512, 512), fill=2))
    for copied in ("copy", "reference"):
        out = tmp_path / copied
        write("coco", [item], out, BINARY, ExportOptions(images=copied))
        pictures = list(coco_of(out).imgs.values())
        assert [p["slice"] for p in pictures] == list(range(16))
        (folder,) = {p["file_name"] for p in pictures}
        assert len(list((out / folder).glob("*.dcm"))) == 16


def test_a_missing_image_is_noted_and_the_labels_are_exported_all_the_same(tmp_path):
    item = ExportItem("gone", (tmp_path / "gone.jpg",), Labels.from_array(np.ones((4, 4), int)))
    for key in ("png", "coco", "nifti"):
        report = write(key, [item], tmp_path / key, BINARY)
        assert "gone.jpg could not be read" in report.notes[0]
        assert manifest_of(tmp_path / key)["items"][0]["images"][0]["sha256"] is None


@pytest.mark.parametrize("key", [row.key for row in FORMATS if row.writes])
def test_pixels_of_a_retired_class_are_unlabelled_and_noted(tmp_path, key):
    # The retired class had the value that another one has now.
    before = class_set([0, 5]).changed(2, retired=True)
    classes = ClassSet((*before, SegClass(ClassId(3), "class 3", 5, "#E69F00")))
    item = ExportItem("a", (), Labels.from_array(np.array([[1, 2, 2], [3, 3, 0]])))
    report = write(key, [item], tmp_path / "out", classes)
    assert report.notes == (
        'a: 2 pixels of the retired class "class 2" are exported as unlabelled.',
    )
    if key == "coco":
        areas = [a["area"] for a in coco_of(tmp_path / "out").anns.values()]
        assert areas == [1, 2]
    elif key == "coco_panoptic":
        (annotation,) = json.loads((tmp_path / "out/panoptic.json").read_text())["annotations"]
        assert [s["area"] for s in annotation["segments_info"]] == [1, 2]
    else:
        ids, _ = read_back(tmp_path / "out", manifest_of(tmp_path / "out")["items"][0], classes)
        np.testing.assert_array_equal(ids[0], [[1, 0, 0], [3, 3, 0]])


def test_unlabelled_gets_a_number_that_no_class_has():
    from segcore.formats.export import Numbers

    assert Numbers.of(class_set([1, 2])).unlabelled == 0
    assert Numbers.of(class_set([0, 1])).unlabelled == 255
    assert Numbers.of(class_set([0, 255])).unlabelled == 256


# -- what is said before ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [row.key for row in FORMATS if row.writes])
def test_what_a_format_cannot_hold_is_said_in_sentences(key, camvid_items, nuclei_items):
    rows = CAMVID.to_rows()
    rows[3]["value"] = None
    volume = ExportItem("ct", (), Labels.empty((4, 5, 6)))
    options = ExportOptions(left_out={"a": "new", "b": "new"})
    sentences = describe(
        key, [*camvid_items, *nuclei_items, volume], ClassSet.from_rows(rows), options
    )
    text = " ".join(sentences)
    assert not any(s[0].islower() for s in sentences)
    assert all(s.endswith(".") for s in sentences)
    assert '"Road" has no value in files' in text
    assert "2 items will be left out." in text
    assert "nlabelled" in text
    if key == "png":
        assert "every slice is a file" in text
    if key == "coco":
        assert "category_id of a class is its id in the project" in text


def test_categories_keep_the_numbers_of_the_classes():
    assert category_ids(CAMVID) == {c.id: c.value for c in CAMVID}
    rows = CAMVID.to_rows()
    rows[3]["value"] = None
    assert category_ids(ClassSet.from_rows(rows)) == {c.id: c.id for c in CAMVID}
