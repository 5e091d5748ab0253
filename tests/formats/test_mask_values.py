"""What mask files can hold: numbers of every type, palettes, colours, and what is no mask."""

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
from odd_scene import SCENE
from PIL import Image

from segcore.base import (
    BadFile,
    ClassMismatch,
    ClassSet,
    SizeMismatch,
    UnknownValue,
)
from segcore.formats import classes_found, load_mask, read_mask, with_instances

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


@pytest.mark.parametrize("width", [1, 7, 8, 9, 31])
@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("upside", [1, -1])
def test_a_bmp_of_few_colours_is_read_by_index(tmp_path, width, bits, upside):
    import struct

    # Black and white first, which decoders like to take for a picture of one bit.
    palette = np.array([[0, 0, 0], [255, 255, 255], [9, 8, 7], [4, 5, 6]], np.uint8)[: 2**bits]
    values = np.random.default_rng(width).integers(0, len(palette), (5, width)).astype(np.uint8)
    spread = np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(5, -1)
    rows = np.packbits(np.pad(spread, [(0, 0), (0, -spread.shape[1] % 32)]), axis=1)
    table = np.pad(palette[:, ::-1], [(0, 0), (0, 1)]).tobytes()
    start = 54 + len(table)
    path = tmp_path / "m.bmp"
    path.write_bytes(
        struct.pack("<2sIHHI", b"BM", start + rows.size, 0, 0, start)
        + struct.pack("<IiiHHIIiiII", 40, width, 5 * upside, 1, bits, 0, 0, 0, 0, len(palette), 0)
        + table
        + (rows[::-1] if upside > 0 else rows).tobytes()
    )
    mask = load_mask(path)
    np.testing.assert_array_equal(mask.values, values)
    np.testing.assert_array_equal(mask.palette, palette)
    shown = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
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


def test_more_colours_than_classes_can_be_are_no_numbers_of_objects(tmp_path):
    picture = np.random.default_rng(3).integers(0, 255, (40, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), picture)
    with pytest.raises(ClassMismatch, match="over 1,000 different colours") as caught:
        classes_found([load_mask(tmp_path / "photo.png")])
    assert "--instances" not in caught.value.hint


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
