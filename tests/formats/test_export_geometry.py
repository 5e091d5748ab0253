"""Exported volumes lie where their images lie, by nibabel and by SimpleITK."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from segcore import images
from segcore.base import CLASS_PRESETS, ClassSet
from segcore.formats import ExportItem, describe, read_mask, write
from segcore.labels import Labels

BINARY = CLASS_PRESETS["binary"]
CAMVID = CLASS_PRESETS["camvid"]


def hippocampus_items(folder):
    classes = ClassSet.from_values([0, 1, 2])
    for path in sorted((folder / "images").iterdir()):
        with images.open(path) as image:
            mask = read_mask(
                folder / "labels" / path.name, classes, size=image.shape, affine=image.affine
            )
            labels = Labels.from_array(mask.classes)
            yield classes, path, ExportItem(path.name, (path,), labels, image.affine, image.spacing)


GEOMETRY = [
    "pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x",
    "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units",
]  # fmt: skip


def assert_on_the_same_grid(image, label):
    assert image.GetSize() == label.GetSize()
    np.testing.assert_allclose(label.GetSpacing(), image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(label.GetDirection(), image.GetDirection(), atol=1e-6)
    far = [n - 1 for n in image.GetSize()]
    for index in ([0, 0, 0], far):
        np.testing.assert_allclose(
            label.TransformIndexToPhysicalPoint(index),
            image.TransformIndexToPhysicalPoint(index),
            atol=1e-3,
        )


def test_a_nifti_volume_keeps_every_field_of_its_geometry(tmp_path, shared_data):
    for classes, path, item in hippocampus_items(shared_data / "hippocampus"):
        out = tmp_path / path.name
        write("nifti", [item], out, classes)
        written = out / "labels" / path.name
        before, after = nib.load(path), nib.load(written)
        np.testing.assert_array_equal(after.affine, before.affine)
        for field in GEOMETRY:
            np.testing.assert_array_equal(after.header[field], before.header[field], field)
        assert after.get_data_dtype() == np.uint8
        truth = nib.load(path.parents[1] / "labels" / path.name)
        np.testing.assert_array_equal(np.asarray(after.dataobj), truth.get_fdata())
        itk = SimpleITK.ReadImage(str(written))
        assert_on_the_same_grid(SimpleITK.ReadImage(str(path)), itk)
        np.testing.assert_array_equal(
            SimpleITK.GetArrayFromImage(itk), item.labels.read_volume() - 1
        )


@pytest.mark.parametrize(("qform", "sform"), [(1, 0), (0, 2), (0, 0), (3, 4)])
def test_a_header_of_any_kind_of_codes_is_taken_over(tmp_path, qform, sform):
    turned = np.array([[0.0, -0.7, 0, 5], [0.9, 0, 0, -3], [0, 0, 1.3, 2], [0, 0, 0, 1]])
    image = nib.Nifti1Image(np.zeros((5, 6, 7), np.float32), None)
    image.header.set_zooms((0.9, 0.7, 1.3))
    image.set_qform(turned if qform else None, qform)
    image.set_sform(turned if sform else None, sform)
    nib.save(image, tmp_path / "image.nii")
    with images.open(tmp_path / "image.nii") as source:
        labels = Labels.from_array(np.arange(7 * 6 * 5).reshape(7, 6, 5) % 2 + 1)
        item = ExportItem("image.nii", (tmp_path / "image.nii",), labels, source.affine)
    write("nifti", [item], tmp_path / "out", BINARY)
    before = nib.load(tmp_path / "image.nii")
    after = nib.load(tmp_path / "out/labels/image.nii.gz")
    np.testing.assert_array_equal(after.affine, before.affine)
    for field in GEOMETRY:
        np.testing.assert_array_equal(after.header[field], before.header[field], field)
    read_mask(tmp_path / "out/labels/image.nii.gz", affine=item.affine, size=item.shape)


def test_big_endian_scaled_and_nifti_2_images_give_plain_labels_on_their_grid(tmp_path):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    labels = Labels.from_array(np.arange(24).reshape(4, 3, 2) % 2 + 1)
    for kind, order in ((nib.Nifti1Image, ">"), (nib.Nifti2Image, "<")):
        image = kind(np.zeros((2, 3, 4), np.int16), affine, kind.header_class(endianness=order))
        image.header.set_slope_inter(2.5, 10)
        image.header["descrip"] = b"A patient's name"
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"John Doe"))
        path = tmp_path / f"{kind.__name__}.nii.gz"
        nib.save(image, path)
        out = tmp_path / kind.__name__
        write("nifti", [ExportItem("a", (path,), labels, affine)], out, BINARY)
        after = nib.load(out / "labels/a.nii.gz")
        assert type(after) is kind
        np.testing.assert_array_equal(
            np.asarray(after.dataobj), labels.read_volume().transpose(2, 1, 0) - 1
        )
        np.testing.assert_array_equal(after.affine, affine)
        assert b"name" not in after.header["descrip"].item()
        assert not after.header.extensions
        assert b"research use" in after.header["descrip"].item()


def test_a_dicom_series_and_its_labels_lie_on_one_grid(tmp_path, shared_data):
    folder = shared_data / "ct_dicom"
    with images.open(folder) as source:
        rng = np.random.default_rng(0)
        labels = Labels.from_array(rng.integers(0, 3, source.shape))
        item = ExportItem("ct", (folder,), labels, source.affine, source.spacing)
    write("nifti", [item], tmp_path / "out", BINARY)
    written = tmp_path / "out/labels/ct.nii.gz"
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    series, label = reader.Execute(), SimpleITK.ReadImage(str(written))
    assert series.GetSize() == label.GetSize()
    # Slices may be stacked the other way; what counts is which voxel is at which millimetre.
    pixels, hounsfield = SimpleITK.GetArrayFromImage(label), SimpleITK.GetArrayFromImage(series)
    with images.open(folder) as source:
        for index in ([0, 0, 0], [511, 0, 3], [100, 400, 15], [511, 511, 8]):
            x, y, z = index
            point = label.TransformIndexToPhysicalPoint(index)
            there = series.TransformPhysicalPointToContinuousIndex(point)
            np.testing.assert_allclose(there, np.round(there), atol=1e-3)
            i, j, k = np.round(there).astype(int)
            assert source.read(z)[y, x, 0] == hounsfield[k, j, i]
            number = labels.read(z=z)[y, x]
            assert pixels[z, y, x] == (255 if number == 0 else number - 1)
    header = nib.load(written).header
    assert int(header["sform_code"]) == int(header["qform_code"]) == 1
    np.testing.assert_allclose(header.get_sform(), header.get_qform(), atol=1e-4)


def test_a_picture_lies_where_itk_puts_it(tmp_path, camvid_items):
    item = camvid_items[0]
    write("nifti", [item], tmp_path / "out", CAMVID)
    label = SimpleITK.ReadImage(str(tmp_path / f"out/labels/{item.name}.nii.gz"))
    picture = SimpleITK.ReadImage(str(item.images[0]))
    assert label.GetSize()[:2] == picture.GetSize()
    np.testing.assert_allclose(label.GetOrigin()[:2], picture.GetOrigin())
    np.testing.assert_allclose(label.GetDirection(), np.eye(3).reshape(-1), atol=1e-7)
    np.testing.assert_allclose(label.GetSpacing()[:2], picture.GetSpacing())


def test_a_tilted_stack_gets_an_sform_and_no_qform_that_lies(tmp_path):
    tilted = np.array([[1.0, 0, 0, 5], [0, 1, 0.3, -3], [0, 0, 2, 2], [0, 0, 0, 1]])
    item = ExportItem("a", (), Labels.from_array(np.ones((4, 5, 6), int)), tilted)
    write("nifti", [item], tmp_path / "out", BINARY)
    after = nib.load(tmp_path / "out/labels/a.nii.gz")
    np.testing.assert_allclose(after.affine, tilted, rtol=1e-6)
    assert int(after.header["qform_code"]) == 0
    assert any("only an sform" in s for s in describe("nifti", [item], BINARY))
