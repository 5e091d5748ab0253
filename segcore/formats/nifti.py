"""Labels as NIfTI volumes that lie exactly on their image's grid.

Of a NIfTI image the geometry is taken over field by field (pixdim, qform and sform with their
codes), so that no rounding moves it; of others the affine is written.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import segcore
from segcore.base import ClassSet
from segcore.formats.export import (
    NOTICE,
    Export,
    Numbers,
    further_sentences,
    run,
    shared_sentences,
    smallest,
)
from segcore.formats.item import DEFAULTS, ExportItem, ExportOptions, ExportReport, OnItem

_LABEL_INTENT = "label"
_ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")


def write_nifti(
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions = DEFAULTS,
    on_item: OnItem | None = None,
) -> ExportReport:
    """``labels/NAME.nii.gz`` with the classes' values in the smallest type that holds them, and
    ``instances/NAME.nii.gz`` with the objects' numbers."""
    return run("nifti", _write_items, items, out, classes, options, on_item)


def describe_nifti(
    items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = DEFAULTS
) -> list[str]:
    """What NIfTI cannot hold, in sentences."""
    sentences = [
        f"Unlabelled voxels are written as {Numbers.of(classes).unlabelled}.",
        "Names and colours of the classes are in manifest.json only.",
    ]
    if any(item.affine is None for item in items):
        sentences.append(
            "Pictures without a position get one: their first pixel is at 0 mm, "
            "right and down as on the screen."
        )
    if any(_is_sheared(item.affine) for item in items if item.affine is not None):
        sentences.append(
            "Where slices are not perpendicular to their stack, only an sform is written: "
            "a qform cannot hold a tilt."
        )
    if any(item.has_instances for item in items):
        sentences.append("The numbers of objects are in files of their own.")
    return sentences + further_sentences(items) + shared_sentences(items, classes, options)


def _write_items(export: Export, items: Iterable[ExportItem]) -> None:
    for item in items:
        stem = export.names.stem_of(item.name)
        header = _header_of_image(item)
        name = f"labels/{stem}.nii.gz"
        numbers = export.numbers.write(item.labels.read_volume())
        digest = export.target.write(name, encode_nifti(numbers, item, header))
        written: dict[str, Any] = {"masks": [{"path": name, "sha256": digest}], "instances": []}
        if item.has_instances:
            name = f"instances/{stem}.nii.gz"
            objects = item.labels.read_volume("instance")
            digest = export.target.write(name, encode_nifti(objects, item, header))
            written["instances"].append({"path": name, "sha256": digest})
        export.add_item(item, stem, **written)


def encode_nifti(values: NDArray[Any], item: ExportItem, header: Any | None) -> bytes:
    """The bytes of a compressed NIfTI file.

    Parameters
    ----------
    values : (z, y, x) whole numbers.
    item : gives affine or spacing where there is no header.
    header : nibabel's header of the image on the same grid, whose geometry is taken over.
    """
    import nibabel as nib

    volume = smallest(values).transpose(2, 1, 0)
    if header is None:
        image = nib.Nifti1Image(volume, _affine(item))
        image.header.set_xyzt_units("mm")
        image.set_sform(_affine(item), code=1)
        # A qform holds no tilt: rather none than one that lies.
        image.set_qform(_affine(item), code=0 if _is_sheared(_affine(item)) else 1)
    else:
        kind = nib.Nifti2Image if int(header["sizeof_hdr"]) == 540 else nib.Nifti1Image
        own = header.copy()
        own.extensions.clear()  # may hold what is not ours to pass on
        own.set_data_dtype(volume.dtype)
        own.set_slope_inter(1, 0)
        for field in ("cal_max", "cal_min"):
            own[field] = 0
        for field in ("db_name", "aux_file"):
            if field in own:
                own[field] = b""
        # Without an affine nibabel leaves the geometry as the header has it.
        image = kind(volume, None, own)
    image.header.set_intent(_LABEL_INTENT)
    image.header["descrip"] = f"Maskwright {segcore.__version__}. {NOTICE}".encode()
    stream = io.BytesIO()
    # No time and no name inside: the same labels give the same bytes.
    with gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0, compresslevel=6) as packed:
        packed.write(image.to_bytes())
    return stream.getvalue()


def _header_of_image(item: ExportItem) -> Any | None:
    """Header of the item's NIfTI file; None where there is none that fits."""
    if not item.images or not item.images[0].name.lower().endswith(_ENDINGS):
        return None
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nib.load(item.images[0])
    except (OSError, EOFError, ValueError, ImageFileError):
        return None  # the manifest says that the image is missing; the affine is still known
    z, y, x = item.shape
    if not isinstance(image, nib.Nifti1Pair) or tuple((*image.shape, 1)[:3]) != (x, y, z):
        return None
    return image.header


def _affine(item: ExportItem) -> NDArray[np.float64]:
    if item.affine is not None:
        return np.asarray(item.affine, np.float64)
    # As ITK places a picture without a position: origin 0, columns to the left, rows to the back
    # of a patient, which is -x and -y in NIfTI's directions.
    spacing = item.spacing
    z, y, x = (1.0, 1.0, 1.0) if spacing is None else spacing
    return np.diag([-x, -y, z, 1.0])


def _is_sheared(affine: NDArray[np.float64]) -> bool:
    axes = np.asarray(affine, np.float64)[:3, :3]
    axes = axes / np.linalg.norm(axes, axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > 1e-5)
