"""Mask files as people have them: read as they are, or refused in a sentence that helps."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from segcore import images
from segcore.base import (
    CLASS_PRESETS,
    BadFile,
    ClassMismatch,
    ClassSet,
    MaskwrightError,
    SizeMismatch,
    UnknownValue,
)
from segcore.formats import classes_found, load_mask, read_mask, with_instances

SCENE = ClassSet.from_rows(
    [
        {"name": "background", "value": 0, "colour": None},
        {"name": "disc", "value": 1, "colour": "#DC2828"},
        {"name": "square", "value": 2, "colour": "#E69F00", "file_colours": ["#28C846"]},
    ]
)
SIZE = (120, 160)


@pytest.fixture(scope="module")
def odd(shared_data):
    return shared_data / "odd"


@pytest.fixture(scope="module")
def plain(odd):
    """Class ids of the scene that every mask of the folder shows."""
    mask = cv2.imread(str(odd / "plain_mask.png"), cv2.IMREAD_UNCHANGED)
    return (mask + 1).astype(np.uint16)


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


# -- what files can hold ------------------------------------------------------------------------

DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(DTYPES))
def test_numbers_of_a_tiff_are_kept_whatever_their_type(tmp_path_factory, data, dtype):
    top = min(2**32 - 1, int(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else 2**24)
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    values = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, top)))
    path = tmp_path_factory.mktemp("m") / "mask.tif"
    tifffile.imwrite(path, values.astype(dtype), photometric="minisblack")
    mask = load_mask(path)
    np.testing.assert_array_equal(mask.values, values)
    assert mask.values.dtype == (np.uint16 if values.max() < 65536 else np.uint32)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32]))
def test_numbers_of_a_nifti_are_kept_whatever_their_type(tmp_path_factory, data, dtype):
    shape = data.draw(st.tuples(*[st.integers(1, 5)] * 3))
    values = data.draw(hnp.arrays(dtype, shape, elements=st.integers(0, 255 // 2)))
    path = tmp_path_factory.mktemp("m") / "mask.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    got = load_mask(path)
    expected = values.transpose(2, 1, 0)
    np.testing.assert_array_equal(got.values, expected[0] if shape[2] == 1 else expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_png_of_few_bits_has_the_stored_numbers(tmp_path, bits):
    import struct
    import zlib

    values = np.arange(2**bits, dtype=np.uint8).repeat(8 // bits)[None].repeat(3, axis=0)
    spread = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(3, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in spread)

    def chunk(kind, data):
        sum32 = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum32

    header = struct.pack(">IIBBBBB", values.shape[1], 3, bits, 0, 0, 0, 0)
    (tmp_path / "few.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    np.testing.assert_array_equal(load_mask(tmp_path / "few.png").values, values)


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tif"])
def test_palettes_of_every_kind_are_read_by_index(tmp_path, ending):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 5, (13, 17)).astype(np.uint8)
    picture = Image.fromarray(values, mode="P")
    picture.putpalette([90, 90, 90, 255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    path = tmp_path / f"mask.{ending}"
    # Without optimising, which would sort the palette by use.
    picture.save(path, optimize=False) if ending in ("png", "gif") else picture.save(path)
    mask = load_mask(path)
    shown = np.array(Image.open(path).convert("RGB"))
    if ending != "gif":  # GIF writers may renumber the palette, so only the colours count there
        np.testing.assert_array_equal(mask.values, values)
    np.testing.assert_array_equal(mask.palette[mask.values], shown)


def test_slices_of_a_tiff_are_a_volume(tmp_path):
    values = np.random.default_rng(0).integers(0, 300, (4, 6, 5)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", values, photometric="minisblack")
    np.testing.assert_array_equal(load_mask(tmp_path / "stack.tif").values, values)


def test_a_one_bit_tiff_is_0_and_1(tmp_path):
    values = np.random.default_rng(0).random((6, 9)) < 0.5
    tifffile.imwrite(tmp_path / "bits.tif", values, photometric="minisblack")
    np.testing.assert_array_equal(load_mask(tmp_path / "bits.tif").values, values)


def test_grey_written_as_rgb_is_read_as_numbers(tmp_path):
    values = np.array([[0, 1, 2, 2]], np.uint8)
    Image.fromarray(np.dstack([values] * 3)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png", SCENE).classes, values + 1)


def test_unknown_colours_are_named_with_their_counts(tmp_path):
    picture = np.zeros((2, 5, 3), np.uint8)
    picture[0, :3] = (1, 2, 3)
    picture[1, 0] = (220, 40, 41)
    Image.fromarray(picture).save(tmp_path / "coded.png")
    with pytest.raises(UnknownValue) as caught:
        read_mask(tmp_path / "coded.png", SCENE)
    assert "#010203 (3 pixels) and the colour #DC2829 (1 pixel)" in caught.value.message


def test_colours_without_classes_become_classes(odd, plain):
    mask = load_mask(odd / "mask_colour_coded.png")
    classes, _ = classes_found([mask])
    ids = read_mask(odd / "mask_colour_coded.png", classes).classes
    np.testing.assert_array_equal(ids, plain)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[0.0, 1.5]], np.float32), "1.5, which is no whole number"),
        (np.array([[0.0, np.nan]], np.float32), "nan, which is no whole number"),
        (np.array([[0, -3]], np.int16), "holds -3"),
        (np.array([[0.0, 1e12]], np.float64), "holds 1e\\+12"),
    ],
)
def test_what_is_no_mask_is_refused_with_the_value(tmp_path, values, said):
    tifffile.imwrite(tmp_path / "no.tif", values, photometric="minisblack")
    with pytest.raises(BadFile, match=rf"no\.tif is no mask: it .*{said}"):
        load_mask(tmp_path / "no.tif")


def test_many_unknown_values_are_listed_briefly(tmp_path):
    cv2.imwrite(str(tmp_path / "ids.png"), np.arange(100, dtype=np.uint16)[None] * 5)
    with pytest.raises(UnknownValue, match=r"and 95 more, which no class has"):
        read_mask(tmp_path / "ids.png", SCENE)


def test_values_above_16_bits_are_unknown_and_not_wrapped(tmp_path):
    tifffile.imwrite(tmp_path / "big.tif", np.array([[0, 65536 + 1]], np.uint32))
    with pytest.raises(UnknownValue, match="65537"):
        read_mask(tmp_path / "big.tif", SCENE)


def test_0_that_no_class_has_is_unlabelled(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.array([[0, 3]], np.uint8))
    ids = read_mask(tmp_path / "m.png", ClassSet.from_values([3])).classes
    np.testing.assert_array_equal(ids, [[0, 1]])


def test_255_is_void_beside_other_values():
    from segcore.formats.maskfile import MaskFile

    mask = MaskFile(Path("m.png"), np.array([[0, 1, 255]], np.uint16))
    classes, notes = classes_found([mask])
    assert [c.ignore for c in classes] == [False, False, True]
    assert "255 is ignored." in notes


def test_numbers_of_objects_are_not_taken_for_classes(tmp_path):
    cv2.imwrite(str(tmp_path / "ids.png"), np.arange(1500, dtype=np.uint16)[None])
    with pytest.raises(ClassMismatch, match=r"ids\.png") as caught:
        classes_found([load_mask(tmp_path / "ids.png")])
    assert "--instances" in caught.value.hint


def test_numbers_and_colours_together_are_refused(odd):
    with pytest.raises(BadFile, match=r"plain_mask.png has numbers and mask_colour"):
        classes_found([load_mask(odd / "plain_mask.png"), load_mask(odd / "mask_colour_coded.png")])
    with pytest.raises(BadFile, match="no mask"):
        classes_found([])


def test_a_colour_coded_mask_does_not_number_objects(odd):
    with pytest.raises(UnknownValue, match="does not number its objects"):
        read_mask(odd / "mask_colour_coded.png", SCENE, instances_of=2)


def test_the_manifest_says_which_value_is_unlabelled(tmp_path):
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks/m.png"), np.array([[0, 1, 255, 7]], np.uint8))
    with pytest.raises(UnknownValue, match="255"):
        read_mask(tmp_path / "masks/m.png", SCENE)
    manifest = {"made_by": "maskwright", "unlabelled_value": 255}
    manifest["items"] = [{"masks": [{"path": "masks/m.png"}], "instances": []}]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UnknownValue, match=r"holds the value 7 \(1 pixel\), which"):
        read_mask(tmp_path / "masks/m.png", SCENE)
    cv2.imwrite(str(tmp_path / "masks/m.png"), np.array([[0, 1, 255]], np.uint8))
    np.testing.assert_array_equal(read_mask(tmp_path / "masks/m.png", SCENE).classes, [[1, 2, 0]])


def test_objects_of_another_size_than_their_classes_are_refused(tmp_path):
    from segcore.formats import to_classes

    cv2.imwrite(str(tmp_path / "m.png"), np.array([[0, 1, 2]], np.uint8))
    cv2.imwrite(str(tmp_path / "i.png"), np.array([[0, 1]], np.uint16))
    mapped = to_classes(load_mask(tmp_path / "m.png"), SCENE)
    with pytest.raises(SizeMismatch, match=r"i\.png"):
        with_instances(mapped, load_mask(tmp_path / "i.png"))
