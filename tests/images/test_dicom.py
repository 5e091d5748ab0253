"""DICOM against SimpleITK and pydicom: geometry, values, and what must be refused."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from segcore import images
from segcore.base import BadFile

Slices = list[Dataset]


@pytest.fixture
def series(shared_data: Path) -> Slices:
    """Six slices of the chest, 32 x 24 pixels cut out, from feet to head."""
    found = [pydicom.dcmread(path) for path in (shared_data / "ct_dicom").iterdir()]
    found.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    for ds in found[:6]:
        pixels = ds.pixel_array[240:264, 200:232]
        ds.Rows, ds.Columns = pixels.shape
        ds.PixelData = pixels.tobytes()
    return found[:6]


def save(folder: Path, slices: Slices) -> Path:
    """Write slices under names whose order means nothing."""
    folder.mkdir(exist_ok=True)
    for i, ds in enumerate(slices):
        ds.SOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(i)])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(folder / f"{(i * 7 + 3) % 11:02}-{i}.dcm")
    return folder


def itk_volume(folder: Path) -> tuple[np.ndarray, sitk.Image]:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    return sitk.GetArrayFromImage(image), image


def itk_affine(image: sitk.Image) -> np.ndarray:
    """Index to RAS+ millimetres, out of ITK's LPS."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ affine


def volume_of(source: images.ImageSource) -> np.ndarray:
    return np.stack([source.read(z)[..., 0] for z in range(source.shape.z)])


def test_the_chest_lies_where_simpleitk_says(shared_data: Path) -> None:
    volume, image = itk_volume(shared_data / "ct_dicom")
    with images.open(shared_data / "ct_dicom") as source:
        assert (source.axes, source.shape) == ("zyx", (16, 512, 512))
        assert source.dtype == np.int16
        assert np.array_equal(volume_of(source), volume)
        assert source.affine is not None
        assert np.allclose(source.affine, itk_affine(image), rtol=0, atol=1e-9)
        assert source.spacing == tuple(reversed(image.GetSpacing()))
        assert source.spacing == (8, 0.646484375, 0.646484375)
        assert source.view_flip == (False, False)
        assert source.hints == ()
        assert (volume_of(source).min(), volume_of(source).max()) == (-1024, 1548)


def test_position_sorts_and_neither_name_nor_number_does(series: Slices, tmp_path: Path) -> None:
    for ds in series:
        ds.InstanceNumber = str(100 - int(ds.ImagePositionPatient[2]) % 37)
    expected = np.stack([ds.pixel_array.astype(int) - 1024 for ds in series])
    with images.open(save(tmp_path / "series", series)) as source:
        assert np.array_equal(volume_of(source), expected)


@pytest.mark.parametrize("seed", range(4))
def test_an_oblique_series_lies_where_simpleitk_says(
    series: Slices, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    row, column = rotation[:, 0], rotation[:, 1]
    normal = np.cross(row, column)
    start = rng.normal(size=3) * 100
    for k, ds in enumerate(series):
        ds.ImageOrientationPatient = [f"{v:.10g}" for v in (*row, *column)]
        ds.ImagePositionPatient = [f"{v:.10g}" for v in start + normal * 2.5 * k]
        ds.PixelSpacing = ["0.5", "0.75"]
    folder = save(tmp_path / "oblique", series)
    volume, image = itk_volume(folder)
    with images.open(folder) as source:
        assert np.array_equal(volume_of(source), volume)
        assert source.affine is not None
        assert np.allclose(source.affine, itk_affine(image), atol=1e-5)
        assert source.spacing == pytest.approx((2.5, 0.5, 0.75))
        flip_y, flip_x = source.view_flip
        for flipped, column_of in ((flip_x, 0), (flip_y, 1)):
            direction = source.affine[:3, column_of] * (-1 if flipped else 1)
            assert direction[np.abs(direction).argmax()] < 0


def _without_one(slices: Slices) -> Slices:
    return slices[:2] + slices[3:]


def _doubled(slices: Slices) -> Slices:
    return [*slices, copy.deepcopy(slices[2])]


def _uneven(slices: Slices) -> Slices:
    slices[3].ImagePositionPatient[2] += 1.5
    return slices


def _tilted(slices: Slices) -> Slices:
    for k, ds in enumerate(slices):
        ds.ImagePositionPatient[1] += k * 1.0
    return slices


def _turned(slices: Slices) -> Slices:
    slices[0].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    return slices


def _other_size(slices: Slices) -> Slices:
    slices[1].Rows, slices[1].Columns = 12, 32
    slices[1].PixelData = slices[1].PixelData[: 12 * 32 * 2]
    return slices


def _other_pixels(slices: Slices) -> Slices:
    slices[1].PixelSpacing = [0.7, 0.7]
    return slices


def _nowhere(slices: Slices) -> Slices:
    del slices[1].ImagePositionPatient
    return slices


@pytest.mark.parametrize(
    ("spoil", "because", "slices"),
    [
        (_without_one, "a slice is missing from the stack", 5),
        (_doubled, "one place has more than one slice", 7),
        (_uneven, "unevenly spaced (6.50 to 9.50 mm)", 6),
        (_tilted, "its stack is tilted by 7.1 degrees", 6),
        (_turned, "its slices point in different directions", 6),
        (_other_size, "its slices have 2 different sizes", 5),
        (_other_pixels, "its slices differ in the size of their pixels", 6),
        (_nowhere, "1 of its slices have no place", 6),
    ],
)
def test_what_is_no_even_volume_is_refused_and_opens_as_a_stack(
    series: Slices,
    tmp_path: Path,
    spoil: Callable[[Slices], Slices],
    because: str,
    slices: int,
) -> None:
    folder = save(tmp_path / "spoilt", spoil(series))
    with pytest.raises(BadFile) as refusal:
        images.open(folder)
    assert because in refusal.value.message
    assert refusal.value.message.startswith("spoilt is no even volume: ")
    assert "stack" in refusal.value.hint
    with images.open(folder, as_stack=True) as source:
        assert source.shape.z == slices
        assert (source.spacing, source.affine, source.axes) == (None, None, "pyx")
        assert source.hints
        assert volume_of(source).shape == source.shape


def test_the_tilted_head_opens_as_a_stack_in_the_order_of_its_places(shared_data: Path) -> None:
    folder = shared_data / "ct_dicom_odd" / "series_gap_tilt"
    with images.open(folder, as_stack=True) as source:
        assert source.spacing is None
        expected = [pydicom.dcmread(folder / f"{n}.dcm").pixel_array for n in range(13, 18)]
        assert np.array_equal(volume_of(source), expected)
        assert "distances are not known" in source.hints[0]


def test_rounded_positions_are_no_gap(series: Slices, tmp_path: Path) -> None:
    for k, ds in enumerate(series):
        ds.ImagePositionPatient[2] = round(100 + k * 2.34567, 2)
    with images.open(save(tmp_path / "rounded", series)) as source:
        assert source.spacing is not None
        assert source.spacing.z == pytest.approx(2.346, abs=1e-3)


def test_of_several_series_the_largest_is_shown_and_all_are_listed(
    series: Slices, tmp_path: Path
) -> None:
    for ds in series[:2]:
        ds.SeriesInstanceUID = "1.2.3.4"
        ds.SeriesDescription = "Scout"
    folder = save(tmp_path / "two", series)
    with images.open(folder) as source:
        assert source.shape.z == 4
        assert source.hints[0] == "The folder holds 2 series; the largest is shown (4 slices)."
    large, small = images.dicom_series(folder)
    assert (large.slices, small.slices) == (4, 2)
    assert (small.uid, small.description, small.modality) == ("1.2.3.4", "Scout", "CT")
    with images.open_series(small, folder) as source:
        assert source.shape.z == 2


def test_a_scale_that_changes_from_slice_to_slice_is_applied_to_each(
    series: Slices, tmp_path: Path
) -> None:
    for k, ds in enumerate(series):
        ds.RescaleSlope, ds.RescaleIntercept = 0.5 + k / 4, "3"
    expected = np.stack([ds.pixel_array * (0.5 + k / 4) + 3 for k, ds in enumerate(series)])
    with images.open(save(tmp_path / "pet", series)) as source:
        assert source.dtype == np.float32
        assert np.allclose(volume_of(source), expected)


def test_white_is_zero_turns_the_view_and_not_the_values(shared_data: Path) -> None:
    path = shared_data / "ct_dicom_odd" / "RG3_J2KI.dcm"
    with images.open(path) as source:
        values = source.read()
        assert source.invert
        assert np.array_equal(values[..., 0], pydicom.dcmread(path).pixel_array)
        shown = images.to_display(values, *images.default_window(source), source.invert)
    dark, bright = (
        values[..., 0] <= np.quantile(values, 0.1),
        values[..., 0] >= np.quantile(values, 0.9),
    )
    assert shown[dark].mean() > shown[bright].mean() + 100


@pytest.mark.parametrize("kind", ["RLE", "jpeg_2k_lossless", "jpeg_ls_lossless"])
def test_every_compression_gives_the_same_frames(shared_data: Path, kind: str) -> None:
    folder = shared_data / "ct_dicom_odd"
    plain = pydicom.dcmread(folder / "emri_small.dcm").pixel_array
    assert np.array_equal(volume_of(images.open(folder / "emri_small.dcm")), plain)
    assert np.array_equal(volume_of(images.open(folder / f"emri_small_{kind}.dcm")), plain)


@pytest.mark.parametrize("name", ["JPEG-LL.dcm", "MR_small_jp2klossless.dcm", "CT_small.dcm"])
def test_single_slices_are_what_simpleitk_reads(shared_data: Path, name: str) -> None:
    path = shared_data / "ct_dicom_odd" / name
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.array_equal(volume_of(images.open(path)), expected.reshape(1, *expected.shape[-2:]))


@pytest.mark.parametrize("codec", ["jpegls_decode", "ljpeg_decode"])
def test_decoders_that_pydicom_lacks_are_found_without_its_plugins(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    import imagecodecs

    from segcore.images import dicom_pixels

    class Missing:
        is_available = False

    used = []
    real = getattr(imagecodecs, codec)
    monkeypatch.setattr("pydicom.pixels.get_decoder", lambda syntax: Missing)
    monkeypatch.setattr(imagecodecs, codec, lambda data: used.append(1) or real(data))
    folder = shared_data / "ct_dicom_odd"
    names = {"jpegls_decode": "emri_small_jpeg_ls_lossless.dcm", "ljpeg_decode": "JPEG-LL.dcm"}
    oracles = {"jpegls_decode": "emri_small.dcm", "ljpeg_decode": "JPEG-LL.dcm"}
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / oracles[codec])))
    with images.open(folder / names[codec]) as source:
        assert np.array_equal(volume_of(source), expected.reshape(source.shape))
    assert used
    assert dicom_pixels._codec("1.2.3") is None


def test_a_compression_that_nobody_decodes_is_named(shared_data: Path, tmp_path: Path) -> None:
    ds = pydicom.dcmread(shared_data / "ct_dicom_odd" / "emri_small_RLE.dcm")
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    path = tmp_path / "film.dcm"
    ds.save_as(path)
    with pytest.raises(BadFile, match=r"film\.dcm is compressed in a way .*MPEG-4"):
        images.open(path).read()


def test_palette_colours_are_pydicoms(shared_data: Path) -> None:
    path = shared_data / "ct_dicom_odd" / "OBXXXX1A_rle.dcm"
    ds = pydicom.dcmread(path)
    colours = pydicom.pixels.apply_color_lut(ds.pixel_array, ds)
    pixels = images.open(path).read()
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, colours >> 8 if colours.dtype == np.uint16 else colours)


def test_ybr_is_shown_as_rgb(shared_data: Path) -> None:
    path = shared_data / "ct_dicom_odd" / "examples_ybr_color.dcm"
    raw = pydicom.pixels.pixel_array(path, index=7, raw=True)
    expected = pydicom.pixels.convert_color_space(raw, "YBR_FULL", "RGB")
    with images.open(path) as source:
        assert source.channel_names == ("red", "green", "blue")
        assert np.abs(source.read(7).astype(int) - expected).max() <= 1


def test_a_multi_frame_volume_is_sorted_by_its_functional_groups(
    shared_data: Path, tmp_path: Path
) -> None:
    ds = pydicom.dcmread(shared_data / "ct_dicom_odd" / "emri_small.dcm")
    order = np.random.default_rng(3).permutation(10)
    shared = Dataset()
    shared.PlaneOrientationSequence = Sequence([Dataset()])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([Dataset()])
    shared.PixelMeasuresSequence[0].PixelSpacing = [1.5, 1.25]
    shared.FrameVOILUTSequence = Sequence([Dataset()])
    shared.FrameVOILUTSequence[0].WindowCenter = 200
    shared.FrameVOILUTSequence[0].WindowWidth = 400
    frames = []
    for place in order:
        item = Dataset()
        item.PlanePositionSequence = Sequence([Dataset()])
        item.PlanePositionSequence[0].ImagePositionPatient = [-10, 20, float(place) * 3 - 5]
        item.PixelValueTransformationSequence = Sequence([Dataset()])
        item.PixelValueTransformationSequence[0].RescaleSlope = 2
        item.PixelValueTransformationSequence[0].RescaleIntercept = -7
        frames.append(item)
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    path = tmp_path / "enhanced.dcm"
    ds.save_as(path)
    with images.open(path) as source:
        assert source.axes == "zyx"
        assert source.spacing == (3, 1.5, 1.25)
        assert source.presets[0][1:] == (200, 400)
        expected = ds.pixel_array.astype(int)[np.argsort(order)] * 2 - 7
        assert np.array_equal(volume_of(source), expected)
        assert source.affine is not None
        assert np.allclose(source.affine[:3, 3], (10, -20, -5))


def test_a_table_of_values_goes_before_slope_and_intercept(series: Slices, tmp_path: Path) -> None:
    ds = series[0]
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = (np.arange(4096, dtype=np.uint16)[::-1] * 3).tolist()
    table.ModalityLUTType = "US"
    ds.ModalityLUTSequence = Sequence([table])
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    path = save(tmp_path / "lut", [ds]) / "03-0.dcm"
    with images.open(path) as source:
        assert source.dtype == np.uint16
        assert np.array_equal(source.read()[..., 0], (4095 - ds.pixel_array) * 3)


def test_what_is_kept_of_a_file_names_nobody(series: Slices, tmp_path: Path) -> None:
    secrets = {
        "PatientName": "Doe^Jane",
        "PatientID": "4711-0815",
        "PatientBirthDate": "19700102",
        "InstitutionName": "Saint Elsewhere",
        "ReferringPhysicianName": "House^Gregory",
        "AccessionNumber": "ACC99",
        "StudyDate": "20210304",
        "StudyDescription": "Doe Jane chest",
        "StationName": "CT-ROOM-7",
        "DeviceSerialNumber": "SN12345",
    }
    for ds in series:
        for name, value in secrets.items():
            setattr(ds, name, value)
    with images.open(save(tmp_path / "series", series)) as source:
        kept: list[Any] = [source.metadata, source.hints, source.presets, source.channel_names]
        text = repr(kept).lower()
        assert source.metadata["modality"] == "CT"
        assert source.metadata["kernel"] == "B40f"
        assert source.frame_of_reference == series[0].FrameOfReferenceUID
    assert not [value for value in secrets.values() if value.lower() in text]
    assert "jane" not in text


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_file_cut_off_anywhere_is_refused(
    shared_data: Path, tmp_path: Path, share: float
) -> None:
    for name in ("CT_small.dcm", "emri_small_RLE.dcm", "MR_small_jp2klossless.dcm"):
        data = (shared_data / "ct_dicom_odd" / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(BadFile, match=re.escape(name)), images.open(path) as source:
            volume_of(source)


def test_a_file_that_is_tiff_and_dicom_is_opened_as_dicom(shared_data: Path) -> None:
    path = shared_data / "ct_dicom_odd" / "MR_small_RLE.dcm"
    assert path.read_bytes()[:4] == b"II*\0", "its preamble is a TIFF header"
    assert images.open(path).family == "dicom"


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["CT_small.dcm", "emri_small_RLE.dcm", "rtstruct.dcm", "JPEG-LL.dcm"]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=9),
)
def test_a_damaged_file_never_raises_anything_but_a_sentence(
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    changes: list[tuple[int, int]],
) -> None:
    content = bytearray((shared_data / "ct_dicom_odd" / name).read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    path = tmp_path_factory.mktemp("damaged") / "damaged.dcm"
    path.write_bytes(content)
    with contextlib.suppress(BadFile):
        images.open(path, limit_bytes=10**8).read()


def test_values_of_a_ct_are_in_hounsfield_units_unless_the_file_says_otherwise(
    series: Slices, tmp_path: Path
) -> None:
    with images.open(save(tmp_path / "ct", series)) as source:
        assert source.unit == "HU"
    for ds in series:
        ds.RescaleType = "US"
    with images.open(save(tmp_path / "other", series)) as source:
        assert source.unit == ""
    for ds in series:
        del ds.RescaleType
        ds.Modality = "MR"
    with images.open(save(tmp_path / "mr", series)) as source:
        assert source.unit == ""
