"""Mask files that were cut off or whose bytes were changed: read, or refused in a sentence."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from segcore.base import CLASS_PRESETS, MaskwrightError
from segcore.formats import read_mask

VALUES = np.random.default_rng(0).integers(0, 2, (40, 50)).astype(np.uint8)


def write_palette_png(path):
    picture = Image.fromarray(VALUES, mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(path)


def write_tiff(path):
    tifffile.imwrite(path, VALUES, photometric="minisblack", compression="zlib", tile=(16, 16))


def write_palette_tiff(path):
    picture = Image.fromarray(VALUES, mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(path)


KINDS = {
    "palette.png": write_palette_png,
    "grey.png": lambda path: Image.fromarray(VALUES).save(path),
    "palette.gif": lambda path: Image.fromarray(VALUES, mode="P").save(path),
    "palette.bmp": lambda path: Image.fromarray(VALUES, mode="P").save(path),
    "tiles.tif": write_tiff,
    "palette.tif": write_palette_tiff,
    "volume.nii": lambda path: nib.save(nib.Nifti1Image(VALUES[..., None], np.eye(4)), path),
    "volume.nii.gz": lambda path: nib.save(nib.Nifti1Image(VALUES[..., None], np.eye(4)), path),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("damage", ["cut off", "changed"])
def test_a_damaged_mask_is_read_or_refused_and_never_a_crash(tmp_path, name, damage):
    KINDS[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for number in range(25):
        data = bytearray(whole)
        if damage == "cut off":
            data = data[: rng.integers(1, len(data))]
        else:
            for at in rng.integers(0, len(data), 3):
                data[at] ^= int(rng.integers(1, 256))
        path = tmp_path / f"{number} {name}"
        path.write_bytes(data)
        outcome = mask_or_refusal(path)
        if isinstance(outcome, MaskwrightError):
            refused += 1
            assert path.name in outcome.message
            assert outcome.hint
            assert "Error" not in outcome.message
        else:
            assert outcome.classes is not None
    assert refused > 0


def mask_or_refusal(path):
    try:
        return read_mask(path, CLASS_PRESETS["binary"])
    except MaskwrightError as error:
        return error
