"""What one DICOM file says about its planes, without its pixels and without its patient.

A plane is one slice: a file of a series, or a frame of a multi-frame file. Names follow DICOM
PS3.3; nothing that identifies a person is taken over.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from segcore.base import BadFile
from segcore.base.dataclass import dataclass
from segcore.images.source import WindowPreset

Numbers = tuple[float, ...]

# Technical attributes that may be shown and stored; free texts are not among them, people write
# names into those.
_SHOWN = {
    "Modality": "modality",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "device",
    "BodyPartExamined": "body part",
    "KVP": "tube voltage (kV)",
    "ConvolutionKernel": "kernel",
    "SliceThickness": "slice thickness (mm)",
    "MagneticFieldStrength": "field strength (T)",
    "PhotometricInterpretation": "photometric interpretation",
    "BitsStored": "bits",
}
_PIXEL_TAGS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
_DEFLATED = "1.2.840.10008.1.2.1.99"
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True)
class Plane:
    """One slice: where its numbers are, and where it lies in the patient.

    `position` (3) is the centre of the first pixel in millimetres, `orientation` (6) the
    directions along a row and along a column, both in DICOM's LPS; `spacing` is (y, x).
    """

    path: Path
    frame: int
    number: int
    position: Numbers | None
    orientation: Numbers | None
    spacing: Numbers | None
    slope: float
    intercept: float


@dataclass(frozen=True)
class Header:
    """What a file says about all of its planes."""

    path: Path
    file_bytes: int
    is_compressed: bool
    has_preamble: bool
    series_uid: str
    description: str
    modality: str
    rescale_type: str
    size: tuple[int, int]
    samples: int
    photometric: str
    stored: np.dtype[Any]
    bits: int
    thickness: float | None
    planes: tuple[Plane, ...]
    presets: tuple[WindowPreset, ...]
    frame_of_reference: str
    is_film: bool
    modality_lut_bits: int
    is_segmentation: bool
    spacing_at_detector: bool
    metadata: dict[str, str]

    @property
    def is_palette(self) -> bool:
        return self.photometric == "PALETTE COLOR"

    @property
    def channels(self) -> int:
        return 3 if self.is_palette else self.samples


def pydicom_module() -> Any:
    """pydicom, imported when first needed, and silent: what is wrong comes as a sentence."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module="pydicom")
    return pydicom


def read_header(path: Path) -> Header:
    """Read everything but the pixels.

    Raises
    ------
    BadFile
        Where the file is no DICOM, is damaged or cut off, or holds no pixels.
    """
    pydicom = pydicom_module()
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            implicit = dataset.original_encoding[0]
            remaining = size - file.tell() - (8 if implicit else 12)  # after tag and length
            has_pixels = _next_tag(file.read(4)) in _PIXEL_TAGS
    except OSError as error:
        raise BadFile(
            f"{path.name} could not be read: {error.strerror or 'the system refused'}.",
            "Check the permissions and the connection to the disk.",
        ) from None
    except Exception:
        # pydicom raises whatever its parser runs into, up to RecursionError and KeyError.
        raise _unsound(path) from None
    syntax = str(getattr(dataset.file_meta, "TransferSyntaxUID", ""))
    if "Rows" not in dataset or "Columns" not in dataset:
        if "SOPClassUID" in dataset or "Modality" in dataset:
            raise _no_pixels(path, dataset)
        raise _unsound(path)
    if not has_pixels and syntax != _DEFLATED:
        raise _no_pixels(path, dataset)
    try:
        header = _header(path, dataset, size)
    except Exception:
        raise _unsound(path) from None
    _check_length(header, int(dataset.BitsAllocated), remaining)
    return header


def _header(path: Path, dataset: Any, file_bytes: int) -> Header:
    allocated = int(dataset.BitsAllocated)
    spacing = _numbers(dataset, "PixelSpacing", 2)
    detector = _numbers(dataset, "ImagerPixelSpacing", 2) if spacing is None else None
    uid = str(_value(dataset, "SOPClassUID") or "")
    transfer = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    metadata = {
        label: str(_value(dataset, name))
        for name, label in _SHOWN.items()
        if _value(dataset, name) not in (None, "")
    }
    metadata["compression"] = str(getattr(transfer, "name", "") or "none given")
    if allocated in (32, 64) and "BitsStored" not in dataset:
        stored: np.dtype[Any] = np.dtype(f"f{allocated // 8}")  # Float Pixel Data
    else:
        kind = "i" if int(dataset.get("PixelRepresentation", 0) or 0) == 1 else "u"
        stored = np.dtype(f"{kind}{max(1, allocated // 8)}")
    return Header(
        path=path,
        file_bytes=file_bytes,
        # Deflated counts as compressed: its frames cannot be found without unpacking them all.
        is_compressed=transfer is not None
        and (str(transfer) == _DEFLATED or bool(getattr(transfer, "is_compressed", True))),
        has_preamble=getattr(dataset, "preamble", None) is not None and transfer is not None,
        series_uid=str(_value(dataset, "SeriesInstanceUID") or ""),
        description=str(_value(dataset, "SeriesDescription") or ""),
        modality=str(_value(dataset, "Modality") or ""),
        rescale_type=str(_value(dataset, "RescaleType") or "HU"),
        size=(int(dataset.Rows), int(dataset.Columns)),
        samples=int(dataset.get("SamplesPerPixel", 1) or 1),
        photometric=str(_value(dataset, "PhotometricInterpretation") or "MONOCHROME2"),
        stored=stored,
        bits=int(dataset.get("BitsStored", allocated) or allocated),
        thickness=_number(dataset, "SliceThickness"),
        planes=_planes(path, dataset, spacing or detector),
        presets=_presets(dataset),
        frame_of_reference=str(_value(dataset, "FrameOfReferenceUID") or ""),
        is_film=any(name in dataset for name in ("FrameTime", "FrameTimeVector", "CineRate")),
        modality_lut_bits=_modality_lut_bits(dataset),
        is_segmentation=uid == _SEGMENTATION,
        spacing_at_detector=detector is not None,
        metadata=metadata,
    )


def _planes(path: Path, dataset: Any, spacing: Numbers | None) -> tuple[Plane, ...]:
    """One plane a frame; functional groups (PS3.3 C.7.6.16) go before the file's own values."""
    count = max(1, int(_number(dataset, "NumberOfFrames") or 1))
    number = int(_number(dataset, "InstanceNumber") or 0)
    shared = _first(_value(dataset, "SharedFunctionalGroupsSequence"))
    each = list(_value(dataset, "PerFrameFunctionalGroupsSequence") or ())
    position = _numbers(dataset, "ImagePositionPatient", 3)
    orientation = _numbers(dataset, "ImageOrientationPatient", 6)
    offsets = _numbers(dataset, "GridFrameOffsetVector", count)
    planes = []
    for frame in range(count):
        own = each[frame] if frame < len(each) else None

        def of(group: str, name: str, size: int, own: Any = own) -> Numbers | None:
            for holder in (own, shared):
                item = _first(_value(holder, group)) if holder is not None else None
                if item is not None and (found := _numbers(item, name, size)) is not None:
                    return found
            return None

        at = of("PlanePositionSequence", "ImagePositionPatient", 3)
        if at is None and (count == 1 or offsets is not None):
            at = position
            if at is not None and orientation is not None and offsets is not None:
                # A dose grid: frames lie along the normal (PS3.3 C.8.8.3.2).
                normal = np.cross(orientation[:3], orientation[3:])
                at = tuple(float(v) for v in np.asarray(at) + offsets[frame] * normal)
        slope = of("PixelValueTransformationSequence", "RescaleSlope", 1)
        intercept = of("PixelValueTransformationSequence", "RescaleIntercept", 1)
        planes.append(
            Plane(
                path=path,
                frame=frame,
                number=number,
                position=at,
                orientation=of("PlaneOrientationSequence", "ImageOrientationPatient", 6)
                or orientation,
                spacing=of("PixelMeasuresSequence", "PixelSpacing", 2) or spacing,
                slope=slope[0] if slope else _number(dataset, "RescaleSlope") or 1.0,
                intercept=intercept[0]
                if intercept
                else _number(dataset, "RescaleIntercept") or 0.0,
            )
        )
    return tuple(planes)


def _presets(dataset: Any) -> tuple[WindowPreset, ...]:
    """Windows of the file, or of its first functional group that has some."""
    holders = [dataset]
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        item = _first(_value(dataset, group))
        if item is not None and (found := _first(_value(item, "FrameVOILUTSequence"))) is not None:
            holders.append(found)
    for holder in holders:
        centres, widths = _numbers(holder, "WindowCenter"), _numbers(holder, "WindowWidth")
        if centres and widths:
            names = _value(holder, "WindowCenterWidthExplanation")
            texts = [names] if isinstance(names, str) else list(names or ())
            return tuple(
                WindowPreset(
                    str(texts[i]).strip() if i < len(texts) and texts[i] else f"window {i + 1}",
                    centre,
                    width,
                )
                for i, (centre, width) in enumerate(zip(centres, widths, strict=False))
                if width > 0
            )
    return ()


def _modality_lut_bits(dataset: Any) -> int:
    """8 or 16 where values come from a table instead of slope and intercept; else 0."""
    table = _first(_value(dataset, "ModalityLUTSequence"))
    descriptor = _numbers(table, "LUTDescriptor", 3) if table is not None else None
    return 0 if descriptor is None else 16 if descriptor[2] > 8 else 8


def _check_length(header: Header, allocated: int, remaining: int) -> None:
    """Notice uncompressed pixels that were cut off, before anybody asks for the last slice."""
    if header.is_compressed:
        return
    rows, columns = header.size
    bits = rows * columns * header.samples * len(header.planes) * allocated
    if header.photometric == "YBR_FULL_422":
        bits = bits * 2 // 3
    if remaining < bits // 8:
        raise BadFile(
            f"{header.path.name} is cut off: {bits // 8 - remaining:,} bytes of its pixels "
            "are missing.",
            "Copy it again from its source.",
        )


def _next_tag(data: bytes) -> tuple[int, int] | None:
    if len(data) < 4:
        return None
    little, big = struct.unpack("<HH", data), struct.unpack(">HH", data)
    return (little[0], little[1]) if little in _PIXEL_TAGS else (big[0], big[1])


def _value(dataset: Any, name: str) -> Any:
    """An element's value, or None where it is absent or cannot be understood."""
    try:
        return dataset.get(name)
    except Exception:  # pydicom converts on access; a damaged element is as good as an absent one
        return None


def _number(dataset: Any, name: str) -> float | None:
    found = _numbers(dataset, name)
    return found[0] if found else None


def _numbers(dataset: Any, name: str, count: int | None = None) -> Numbers | None:
    value = _value(dataset, name)
    if value is None or isinstance(value, str):
        return None
    try:
        values = [float(v) for v in value] if hasattr(value, "__iter__") else [float(value)]
    except (TypeError, ValueError):
        return None
    if not np.isfinite(values).all() or (count is not None and len(values) != count):
        return None
    return tuple(values)


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence else None


def _no_pixels(path: Path, dataset: Any) -> BadFile:
    uid = _value(dataset, "SOPClassUID")
    kind = str(getattr(uid, "name", "") or _value(dataset, "Modality") or "unknown")
    return BadFile(
        f"{path.name} holds no picture: it is a DICOM object of the kind "
        f"{kind.removesuffix(' Storage')}.",
        "Open the images that it belongs to.",
    )


def _unsound(path: Path) -> BadFile:
    return BadFile(
        f"{path.name} is no sound DICOM file: its elements cannot be read.",
        "Copy or export it again from its source.",
    )
