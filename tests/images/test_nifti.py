"""NIfTI against nibabel and SimpleITK: values, types, and the affine bit by bit."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore import images
from segcore.base import BadFile, Rect, Spacing

CASES = ("001", "003", "004", "006", "007", "008")
TILTED = np.array(
    [[-0.7, 0.1, 0.02, 80.3], [0.1, 0.69, -0.3, -90.1], [0.01, 0.2, 2.4, 11.7], [0, 0, 0, 1]]
)


def volume_of(source: images.ImageSource, channel: int = 0) -> np.ndarray:
    return np.stack([source.read(z)[..., channel] for z in range(source.shape.z)])


@pytest.mark.parametrize("kind", ["images", "labels"])
@pytest.mark.parametrize("case", CASES)
def test_hippocampus_is_what_nibabel_and_simpleitk_read(
    shared_data: Path, kind: str, case: str
) -> None:
    path = shared_data / "hippocampus" / kind / f"hippocampus_{case}.nii.gz"
    oracle: Any = nib.load(path)
    other = sitk.ReadImage(str(path))
    with images.open(path) as source:
        volume = volume_of(source)
        assert source.axes == "zyx"
        assert source.dtype == oracle.get_data_dtype()
        assert np.array_equal(volume, np.asarray(oracle.dataobj).transpose(2, 1, 0))
        assert np.array_equal(volume, sitk.GetArrayFromImage(other))
        assert source.affine is not None
        assert source.affine.tobytes() == oracle.affine.tobytes()
        assert source.spacing == Spacing(*reversed(other.GetSpacing())) == (1, 1, 1)


def test_a_volume_in_ras_is_turned_over_to_the_radiologists_view(shared_data: Path) -> None:
    path = shared_data / "hippocampus" / "images" / "hippocampus_001.nii.gz"
    with images.open(path) as source:
        assert nib.aff2axcodes(source.affine) == ("R", "A", "S")
        assert source.view_flip == (True, True)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "RPI", "LIP", "PIR"])
def test_left_is_on_the_right_and_front_and_head_are_up(tmp_path: Path, codes: str) -> None:
    path = tmp_path / "turned.nii"
    start = nib.orientations.axcodes2ornt("RAS")
    to = nib.orientations.axcodes2ornt(codes)
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([1.0, 2, 3, 1]))
    nib.save(image.as_reoriented(nib.orientations.ornt_transform(start, to)), path)
    flip_y, flip_x = images.open(path).view_flip
    # On the screen axes must run to the left, the back or the feet.
    assert flip_x == (codes[0] in "RAS")
    assert flip_y == (codes[1] in "RAS")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".hdr"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_type_and_affine_survive(tmp_path: Path, dtype: type, suffix: str, kind: Any) -> None:
    pair = {nib.Nifti1Image: nib.Nifti1Pair, nib.Nifti2Image: nib.Nifti2Pair}
    values = (np.random.default_rng(7).random((5, 6, 7)) * 200).astype(dtype)
    path = tmp_path / f"volume{suffix}"
    nib.save((pair[kind] if suffix == ".hdr" else kind)(values, TILTED), path)
    with images.open(path) as source:
        assert source.dtype == dtype
        assert np.array_equal(volume_of(source), values.transpose(2, 1, 0))
        assert source.affine is not None
        assert source.affine.tobytes() == nib.load(path).affine.tobytes()
        assert source.read(3, Rect(2, 1, 3, 4)).shape == (3, 4, 1)
        assert np.array_equal(source.read(3, Rect(2, 1, 3, 4))[..., 0], values[1:5, 2:5, 3].T)


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (1.0, 0.0, np.uint8),
        (0.0, 0.0, np.uint8),
        (np.nan, np.nan, np.uint8),
        (2.0, -10.0, np.int16),
        (300.0, 0.0, np.int32),
        (0.5, 0.25, np.float32),
    ],
)
def test_scaling_is_applied_in_the_smallest_type_that_keeps_it(
    tmp_path: Path, slope: float, intercept: float, expected: type
) -> None:
    stored = np.arange(5 * 6 * 7).reshape(5, 6, 7).astype(np.uint8)
    path = tmp_path / "scaled.nii"
    header = nib.Nifti1Header()
    header.set_data_shape(stored.shape)
    header.set_data_dtype(np.uint8)
    header["vox_offset"] = 352
    header["scl_slope"], header["scl_inter"] = slope, intercept
    header["magic"] = b"n+1"
    path.write_bytes(header.binaryblock + bytes(4) + stored.tobytes(order="F"))
    oracle: Any = nib.load(path)
    with images.open(path) as source:
        assert source.dtype == expected
        assert np.allclose(volume_of(source), np.asarray(oracle.dataobj).transpose(2, 1, 0))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("unit", "name"), [("sec", "time"), (None, "channel")])
def test_a_fourth_axis_becomes_named_channels(
    tmp_path: Path, suffix: str, unit: str | None, name: str
) -> None:
    values = np.random.default_rng(8).integers(0, 99, (5, 6, 7, 4)).astype(np.int16)
    image = nib.Nifti1Image(values, TILTED)
    image.header.set_xyzt_units("mm", unit)
    path = tmp_path / f"film{suffix}"
    nib.save(image, path)
    with images.open(path) as source:
        assert (source.axes, source.channels) == ("zyx", 4)
        assert source.channel_names == tuple(f"{name} {i}" for i in (1, 2, 3, 4))
        assert name[:4] in source.hints[0] or "volumes" in source.hints[0]
        assert np.array_equal(source.read(2), values[:, :, 2].transpose(1, 0, 2))
        assert np.array_equal(source.read(2, channels=(3,))[..., 0], values[:, :, 2, 3].T)


def test_one_slice_over_time_is_a_film(tmp_path: Path) -> None:
    values = np.random.default_rng(9).integers(0, 99, (5, 6, 1, 4)).astype(np.int16)
    image = nib.Nifti1Image(values, TILTED)
    image.header.set_xyzt_units("mm", "sec")
    path = tmp_path / "film.nii.gz"
    nib.save(image, path)
    with images.open(path) as source:
        assert (source.axes, source.shape, source.channels) == ("tyx", (4, 6, 5), 1)
        assert np.array_equal(source.read(3)[..., 0], values[:, :, 0, 3].T)


def test_coloured_voxels_are_three_channels(tmp_path: Path) -> None:
    rgb = np.random.default_rng(10).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    packed = rgb.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    path = tmp_path / "rgb.nii.gz"
    nib.save(nib.Nifti1Image(packed, TILTED), path)
    with images.open(path) as source:
        assert (source.channels, source.dtype) == (3, np.uint8)
        assert np.array_equal(source.read(4), rgb[:, :, 4].transpose(1, 0, 2))


def test_metres_and_microns_are_millimetres(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.diag([25.0, 25, 50, 1]))
    image.header.set_xyzt_units("micron")
    path = tmp_path / "small.nii"
    nib.save(image, path)
    assert images.open(path).spacing == pytest.approx((0.05, 0.025, 0.025))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_cut_off_volume_is_refused(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(11).integers(0, 99, (15, 16, 17)).astype(np.int16)
    path = tmp_path / f"cut{suffix}"
    nib.save(nib.Nifti1Image(values, TILTED), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadFile, match="damaged or cut off"):
        images.open(path).read(16)


def test_half_a_pair_names_the_other_half(tmp_path: Path) -> None:
    path = tmp_path / "volume.hdr"
    nib.save(nib.Nifti1Pair(np.zeros((3, 3, 3), np.uint8), TILTED), path)
    path.with_suffix(".img").unlink()
    with pytest.raises(BadFile, match=r"volume\.hdr"):
        images.open(path).read()


def test_a_packed_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((20_000, 20_000, 20_000))
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4)))
    with pytest.raises(BadFile, match="too large to decode at once: 20,000 x 20,000 x 20,000"):
        images.open(path, limit_bytes=2**30)


def test_complex_voxels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "spectrum.nii"
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), np.complex64), TILTED), path)
    with pytest.raises(BadFile, match="numbers of type complex64"):
        images.open(path)


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 360), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_a_damaged_header_never_raises_anything_but_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "damaged.nii"
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), TILTED), path)
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at] = value
    path.write_bytes(content)
    with contextlib.suppress(BadFile):
        images.open(path, limit_bytes=10**7).read(rect=Rect(0, 0, 1, 1))
