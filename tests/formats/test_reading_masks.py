"""Mask files as people have them: read as they are, or refused in a sentence that helps."""

from __future__ import annotations

import cv2
import nibabel as nib
import numpy as np
import pytest
from odd_scene import SCENE, SIZE
from PIL import Image

from segcore import images
from segcore.base import (
    CLASS_PRESETS,
    BadFile,
    ClassSet,
    MaskwrightError,
    SizeMismatch,
    UnknownValue,
)
from segcore.formats import classes_found, load_mask, read_mask

# -- the folder of awkward masks ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain_mask.png", "mask_palette.png", "mask_colour_coded.png"])
def test_a_mask_by_number_palette_or_colour_is_the_same_scene(odd, plain, name):
    mask = read_mask(odd / name, SCENE, size=SIZE)
    np.testing.assert_array_equal(mask.classes, plain)
    assert mask.classes.dtype == np.uint16
    assert mask.notes == ()


def test_a_palette_is_read_by_index_and_kept(odd):
    mask = load_mask(odd / "mask_palette.png")
    assert mask.counts() == {0: 17355, 1: 885, 2: 960}
    assert mask.palette[:3].tolist() == [[0, 0, 0], [220, 40, 40], [40, 200, 70]]


def test_numbers_of_16_bits_are_kept(odd):
    mask = read_mask(odd / "mask_16bit_ids.png", SCENE, instances_of=2, size=SIZE)
    assert set(mask.counts()) == {0, 1000, 2000}
    np.testing.assert_array_equal(np.unique(mask.instances), [0, 1000, 2000])
    np.testing.assert_array_equal(mask.classes, np.where(mask.instances > 0, 2, 1))


def test_an_empty_mask_is_background_everywhere(odd):
    assert (read_mask(odd / "mask_empty.png", SCENE, size=SIZE).classes == 1).all()


def test_a_one_bit_picture_is_a_mask_of_0_and_1(odd, plain):
    mask = read_mask(odd / "one_bit.png", CLASS_PRESETS["binary"], size=SIZE)
    assert set(mask.counts()) == {0, 1}
    np.testing.assert_array_equal(mask.classes == 2, plain > 1)


def test_0_and_255_are_two_classes(odd, plain):
    mask = read_mask(odd / "mask_0_255.png", CLASS_PRESETS["binary"], size=SIZE)
    np.testing.assert_array_equal(mask.classes == 2, plain > 1)
    assert any("255" in note for note in mask.notes)
    classes, notes = classes_found([mask])
    assert [(c.value, c.ignore) for c in classes] == [(0, False), (255, False)]
    assert any("two classes" in note for note in notes)


def test_unknown_values_are_named_with_the_file_and_their_counts(odd):
    with pytest.raises(UnknownValue) as caught:
        read_mask(odd / "mask_unknown_values.png", SCENE, size=SIZE)
    for part in ("mask_unknown_values.png", "7 (100 pixels)", "200 (100 pixels)"):
        assert part in caught.value.message
    assert caught.value.hint


def test_another_size_is_noticed_and_both_are_named(odd):
    with pytest.raises(SizeMismatch, match=r"mask_other_size.png is 120 x 90.*plain is 160 x 120"):
        read_mask(odd / "mask_other_size.png", SCENE, size=SIZE, image="plain")


def test_a_transposed_mask_is_noticed_as_such(odd):
    with pytest.raises(SizeMismatch, match=r"120 x 160 pixels.*160 x 120 pixels") as caught:
        read_mask(odd / "mask_transposed.png", SCENE, size=SIZE)
    assert "exchanged" in caught.value.hint


def test_a_jpeg_as_mask_is_read_by_the_nearest_colour_and_warned_of(odd, plain):
    mask = read_mask(odd / "mask_jpeg_artefacts.jpg", SCENE, size=SIZE)
    assert (mask.classes != plain).mean() < 0.01
    assert any("compressed with loss" in note for note in mask.notes)
    assert any("nearest class" in note and "pixels" in note for note in mask.notes)


def test_the_colours_of_a_jpeg_are_not_taken_for_classes(odd):
    with pytest.raises(BadFile, match=r"mask_jpeg_artefacts.jpg.*compressed with loss"):
        classes_found([load_mask(odd / "mask_jpeg_artefacts.jpg")])


def test_every_odd_file_is_read_as_a_mask_or_refused_in_a_sentence(odd):
    for path in sorted(odd.iterdir()):
        outcome = mask_or_refusal(path)
        if isinstance(outcome, MaskwrightError):
            assert path.name in outcome.message, path.name
            assert outcome.hint, path.name
            assert "Error" not in outcome.message, path.name
        else:
            assert outcome.classes.shape == SIZE, path.name


def mask_or_refusal(path):
    try:
        return read_mask(path, SCENE, size=SIZE)
    except MaskwrightError as error:
        return error


# -- the other data sets ------------------------------------------------------------------------


def test_camvid_labels_become_its_classes(shared_data):
    classes = CLASS_PRESETS["camvid"]
    path = sorted((shared_data / "camvid/val/labels").glob("*.png"))[0]
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read_mask(path, classes).classes, stored + 1)


def test_camvid_colours_old_and_new_become_its_classes(tmp_path):
    classes = CLASS_PRESETS["camvid"]
    written = ["#808080", "#3C28DE", "#0000C0", "#000000", "#0080C0"]
    row = [tuple(bytes.fromhex(colour[1:])) for colour in written]
    Image.fromarray(np.array([row], np.uint8)).save(tmp_path / "coded.png")
    ids = read_mask(tmp_path / "coded.png", classes).classes
    assert [classes[int(i)].name for i in ids[0]] == [
        "Sky", "Pavement", "Pavement", "void", "Bicyclist",
    ]  # fmt: skip


def test_nuclei_are_objects_of_one_class(shared_data):
    path = max((shared_data / "nuclei/labels").glob("*.png"), key=lambda p: p.stat().st_size)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored.max() > 255
    mask = read_mask(path, CLASS_PRESETS["binary"], instances_of=2)
    np.testing.assert_array_equal(mask.instances, stored)
    np.testing.assert_array_equal(mask.classes, np.where(stored, 2, 1))


def test_whole_numbers_written_as_floats_are_a_mask(shared_data):
    path = shared_data / "hippocampus/labels/hippocampus_003.nii.gz"
    assert nib.load(path).get_data_dtype() == np.float32
    mask = read_mask(path, ClassSet.from_values([0, 1, 2]))
    stored = np.asarray(nib.load(path).dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(mask.values, stored)
    assert mask.values.dtype == np.uint16


def test_a_volume_lies_on_its_images_grid(shared_data):
    folder = shared_data / "hippocampus"
    for path in sorted((folder / "labels").iterdir()):
        with images.open(folder / "images" / path.name) as image:
            read_mask(path, size=image.shape, affine=image.affine)


@pytest.mark.parametrize("shift", [[0.5, 0, 0], [0, 0, -30]])
def test_a_volume_that_lies_elsewhere_is_refused_with_the_distance(tmp_path, shift):
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), affine), tmp_path / "a.nii.gz")
    moved = affine.copy()
    moved[:3, 3] += shift
    with pytest.raises(SizeMismatch, match=f"{np.linalg.norm(shift):.3g} mm apart"):
        read_mask(tmp_path / "a.nii.gz", affine=moved)
    nearly = affine.copy()
    nearly[0, 3] += 0.01
    assert read_mask(tmp_path / "a.nii.gz", affine=nearly).shape == (6, 5, 4)


def test_a_turned_volume_of_the_same_size_is_refused(tmp_path):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    nib.save(nib.Nifti1Image(np.zeros((5, 5, 5), np.uint8), affine), tmp_path / "a.nii.gz")
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    with pytest.raises(SizeMismatch, match="lies elsewhere"):
        read_mask(tmp_path / "a.nii.gz", affine=flipped)
