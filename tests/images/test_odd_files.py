"""Every awkward file opens rightly or is refused in one sentence; what is expected stands here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from segcore import images
from segcore.base import BadFile


@dataclass(frozen=True)
class Shown:
    """What a file opens as: (z, y, x), channels, dtype, axes, range of the finite values."""

    shape: tuple[int, int, int]
    channels: int
    dtype: str
    low: float
    high: float
    axes: str = "yx"
    hint: str = ""


@dataclass(frozen=True)
class Refused:
    """Part of the sentence that says why not."""

    because: str


SCENE = (1, 120, 160)
RGB = Shown(SCENE, 3, "uint8", 40, 229)

ODD: dict[str, Shown | Refused] = {
    "animated.gif": Shown(SCENE, 3, "uint8", 40, 226, hint="first frame"),
    "bomb_100000x100000.png": Refused("too large to decode at once: 100,000 x 100,000"),
    "cmyk.jpg": Shown(SCENE, 3, "uint8", 30, 233),
    "exif_orientation_6.jpg": Shown(SCENE, 3, "uint8", 22, 236),
    "float32_nan.tif": Shown(SCENE, 1, "float32", -0.33, 0.71),
    "grey16.png": Shown(SCENE, 1, "uint16", 3266, 6826),
    "grey16.tif": Shown(SCENE, 1, "uint16", 3266, 6826),
    "grey_alpha.png": Shown(SCENE, 1, "uint8", 56, 145, hint="alpha"),
    "int16_negative.tif": Shown(SCENE, 1, "int16", -734, 2826),
    "jpeg_named.png": Shown(SCENE, 3, "uint8", 26, 236, hint="is a JPEG, though its name"),
    "mask_0_255.png": Shown(SCENE, 1, "uint8", 0, 255),
    "mask_16bit_ids.png": Shown(SCENE, 1, "uint16", 0, 2000),
    "mask_colour_coded.png": Shown(SCENE, 3, "uint8", 0, 220),
    "mask_empty.png": Shown(SCENE, 1, "uint8", 0, 0),
    "mask_jpeg_artefacts.jpg": Shown(SCENE, 3, "uint8", 0, 249),
    "mask_other_size.png": Shown((1, 90, 120), 1, "uint8", 0, 2),
    "mask_palette.png": Shown(SCENE, 3, "uint8", 0, 220),
    "mask_transposed.png": Shown((1, 160, 120), 1, "uint8", 0, 2),
    "mask_unknown_values.png": Shown(SCENE, 1, "uint8", 0, 200),
    "multipage.tif": Shown((5, 120, 160), 3, "uint8", 40, 229, axes="pyx"),
    "multipage_mixed.tif": Shown(SCENE, 3, "uint8", 40, 229, hint="2 pictures of different size"),
    "name with spaces (1).png": RGB,
    "one_bit.png": Shown(SCENE, 1, "uint8", 0, 255),
    "one_pixel.png": Shown((1, 1, 1), 3, "uint8", 40, 80),
    "palette.png": Shown(SCENE, 3, "uint8", 40, 226),
    "plain.png": RGB,
    "plain_mask.png": Shown(SCENE, 1, "uint8", 0, 2),
    "pyramid_tiled.tif": Shown((1, 768, 1024), 3, "uint8", 40, 220),
    "rgb16_planar.tif": Shown(SCENE, 3, "uint16", 40 * 257, 229 * 257),
    "rgba.png": Shown(SCENE, 3, "uint8", 40, 229, hint="alpha"),
    "text_named.png": Refused("not a picture, whatever its name says"),
    "truncated.jpg": Refused("cut off"),
    "truncated.png": Refused("cut off"),
    "very_wide_9000x2.png": Shown((1, 2, 9000), 3, "uint8", 40, 229),
    "zero_bytes.png": Refused("is empty"),
}

DICOM: dict[str, Shown | Refused] = {
    # Stored 128 .. 2191, intercept -1024; 16 bits are used, so that int16 would not hold all.
    "CT_small.dcm": Shown((1, 128, 128), 1, "int32", 128 - 1024, 2191 - 1024),
    "JPEG-LL.dcm": Shown((1, 1024, 256), 1, "int16", 0, 278),
    "MR_small_RLE.dcm": Shown((1, 64, 64), 1, "int16", 127, 2145),
    "MR_small_bigendian.dcm": Shown((1, 64, 64), 1, "int16", 127, 2145),
    "MR_small_jp2klossless.dcm": Shown((1, 64, 64), 1, "int16", 127, 2145),
    "MR_truncated.dcm": Refused("cut off: 62 bytes of its pixels are missing"),
    "OBXXXX1A_rle.dcm": Shown((1, 600, 800), 3, "uint8", 0, 255),
    "RG3_J2KI.dcm": Shown((1, 1760, 1760), 1, "uint16", 0, 1023),
    "emri_small.dcm": Shown((10, 64, 64), 1, "uint16", 0, 467, axes="pyx", hint="places"),
    "emri_small_RLE.dcm": Shown((10, 64, 64), 1, "uint16", 0, 467, axes="pyx"),
    "emri_small_jpeg_2k_lossless.dcm": Shown((10, 64, 64), 1, "uint16", 0, 467, axes="pyx"),
    "emri_small_jpeg_ls_lossless.dcm": Shown((10, 64, 64), 1, "uint16", 0, 467, axes="pyx"),
    "examples_ybr_color.dcm": Shown((30, 240, 320), 3, "uint8", 0, 220, axes="tyx"),
    "explicit_VR-UN.dcm": Shown((1, 512, 512), 1, "int16", -1024, 1186),
    "image_dfl.dcm": Shown((1, 512, 512), 1, "uint8", 0, 255),
    "liver_1frame.dcm": Shown((1, 512, 512), 1, "uint8", 0, 1, hint="segmentation"),
    "no_meta.dcm": Refused("no sound DICOM file"),
    "rtstruct.dcm": Refused("holds no picture: it is a DICOM object of the kind RT Structure Set"),
    "series_gap_tilt": Refused("unevenly spaced (1.08 to 7.00 mm) and its stack is tilted by 18.5"),
}


def _check(path: Path, expected: Shown | Refused) -> None:
    if isinstance(expected, Refused):
        with pytest.raises(BadFile) as refusal, images.open(path) as source:
            source.read()
        assert expected.because in refusal.value.message
        assert path.name in refusal.value.message
        assert refusal.value.message.count(". ") == 0, "one sentence"
        assert refusal.value.message.endswith(".")
        assert refusal.value.hint.endswith(".")
        assert "Error" not in str(refusal.value)
        return
    with images.open(path) as source:
        assert source.path == path
        assert tuple(source.shape) == expected.shape
        assert (source.channels, source.axes) == (expected.channels, expected.axes)
        assert source.dtype == np.dtype(expected.dtype)
        assert source.dtype.isnative
        assert len(source.channel_names) == source.channels
        assert any(expected.hint in hint for hint in source.hints) or not expected.hint
        slices = [source.read(z) for z in range(source.shape.z)]
        volume = np.stack(slices)
        assert volume.shape == (*expected.shape, expected.channels)
        assert volume.dtype == source.dtype
        finite = volume[np.isfinite(volume)]
        assert float(finite.min()) == pytest.approx(expected.low, abs=0.005)
        assert float(finite.max()) == pytest.approx(expected.high, abs=0.005)
        low, high = images.default_window(source)
        shown = images.to_display(slices[0], low, high, source.invert)
        assert shown.shape == (*expected.shape[1:], 3)


@pytest.mark.parametrize("name", sorted(ODD))
def test_every_odd_picture_is_shown_rightly_or_refused_in_one_sentence(
    shared_data: Path, name: str
) -> None:
    _check(shared_data / "odd" / name, ODD[name])


@pytest.mark.parametrize("name", sorted(DICOM))
def test_every_odd_dicom_is_shown_rightly_or_refused_in_one_sentence(
    shared_data: Path, name: str
) -> None:
    _check(shared_data / "ct_dicom_odd" / name, DICOM[name])


def test_no_odd_file_is_missing_from_the_tables(shared_data: Path) -> None:
    odd = {path.name for path in (shared_data / "odd").iterdir() if path.suffix != ".py"}
    assert odd == set(ODD)
    assert {path.name for path in (shared_data / "ct_dicom_odd").iterdir()} == set(DICOM)


def test_an_upright_picture_comes_out_of_a_turned_jpeg(shared_data: Path) -> None:
    plain = images.open(shared_data / "odd" / "plain.png").read().astype(int)
    turned = images.open(shared_data / "odd" / "exif_orientation_6.jpg").read().astype(int)
    assert np.abs(plain - turned).mean() < 2


@pytest.mark.parametrize(
    ("name", "most"),
    [("cmyk.jpg", 1.0), ("palette.png", 5.0), ("rgba.png", 0.0), ("jpeg_named.png", 3.0)],
)
def test_colours_are_those_of_the_plain_picture(shared_data: Path, name: str, most: float) -> None:
    plain = images.open(shared_data / "odd" / "plain.png").read().astype(int)
    other = images.open(shared_data / "odd" / name).read().astype(int)
    assert np.abs(plain - other).mean() <= most


def test_planar_sixteen_bits_are_the_plain_picture_times_257(shared_data: Path) -> None:
    plain = images.open(shared_data / "odd" / "plain.png").read().astype(np.uint16)
    planar = images.open(shared_data / "odd" / "rgb16_planar.tif").read()
    assert np.array_equal(planar, plain * 257)


def test_no_file_is_written_to_or_touched_by_reading_it(shared_data: Path) -> None:
    folder = shared_data / "odd"
    before = {path: images.fingerprint(path) for path in images.scan(folder)}
    for path in before:
        try:
            with images.open(path) as source:
                source.read()
        except BadFile:
            continue
    assert before == {path: images.fingerprint(path) for path in images.scan(folder)}
