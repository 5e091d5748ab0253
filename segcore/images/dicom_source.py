"""DICOM (pydicom): one file, or a folder whose slices make a volume.

Values are rescaled (CT: Hounsfield units) in the smallest type that keeps them. What is no even
volume is refused in one sentence, and opens as a stack of slices without spacing where asked.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Shape
from segcore.base.dataclass import dataclass
from segcore.images.dicom import FAMILY, is_dicom
from segcore.images.dicom_header import Header, Plane, read_header
from segcore.images.dicom_pixels import PlaneDecoder
from segcore.images.dicom_volume import Volume, arrange
from segcore.images.family import HEAD_BYTES
from segcore.images.orientation import radiological_flip
from segcore.images.rescale import Rescale, plan
from segcore.images.source import (
    ImageInfo,
    ImageSource,
    WindowPreset,
    check_decoded_size,
)

_OPEN_AS_STACK = "Open it as a stack of slices without spacing, or leave out what does not fit."


class UnevenVolume(BadFile):
    """A series whose slices lie on no even grid; it opens with `as_stack`."""


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder.

    Attributes
    ----------
    uid : SeriesInstanceUID.
    modality, description : as the scanner wrote them, e.g. "CT", "Lung 1.0".
    headers : of its files that hold pixels, in no order that means anything.
    """

    uid: str
    modality: str
    description: str
    headers: tuple[Header, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(header.path for header in self.headers)

    @property
    def slices(self) -> int:
        return sum(len(header.planes) for header in self.headers)

    @property
    def is_stack(self) -> bool:
        """Whether several files lie at different places, as the slices of one body part do."""
        places = {plane.position for header in self.headers for plane in header.planes}
        return len(self.files) > 1 and len(places - {None}) > 1


def dicom_series(folder: Path) -> tuple[DicomSeries, ...]:
    """The series whose files lie in a folder (not in folders below), the largest first.

    The largest is that of the most files, then of the most frames. A file of several frames is
    complete in itself and counts as a series of its own. Files that are no DICOM or hold no
    pixels are passed over.

    Raises
    ------
    BadFile
        Where the folder cannot be read.
    """
    groups: dict[str, list[Header]] = {}
    for path in dicom_files(folder):
        try:
            header = read_header(path)
        except BadFile:
            continue
        alone = len(header.planes) > 1 or not header.series_uid
        groups.setdefault(path.name if alone else header.series_uid, []).append(header)
    found = [
        DicomSeries(headers[0].series_uid, headers[0].modality, headers[0].description, headers)
        for headers in map(tuple, groups.values())
    ]
    return tuple(sorted(found, key=lambda one: (-len(one.files), -one.slices, one.uid)))


def dicom_files(folder: Path) -> list[Path]:
    """Files in a folder that are DICOM by their content or ending; DICOMDIR is none."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise BadFile(
            f"{folder.name} could not be read: {error.strerror or 'the system refused'}.",
            "Check the permissions and the connection to the disk.",
        ) from None
    return [path for path in paths if path.name != "DICOMDIR" and _looks_like_dicom(path)]


def _looks_like_dicom(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.suffix.lower() in FAMILY.suffixes:
        return True
    try:
        with path.open("rb") as file:
            return is_dicom(file.read(HEAD_BYTES))
    except OSError:
        return False


def open_series(
    series: DicomSeries,
    path: Path,
    *,
    limit_bytes: int | None = None,
    as_stack: bool = False,
    hints: tuple[str, ...] = (),
) -> ImageSource:
    """Open one series as a volume, or as a stack of slices.

    Parameters
    ----------
    path : file or folder that the source calls its own.
    as_stack : slices in their order, without spacing and affine; of mixed sizes the most frequent.
    hints : sentences to go before the others.

    Raises
    ------
    UnevenVolume
        Where the slices make no even volume and `as_stack` is not set.
    """
    said = list(hints)
    headers = series.headers
    kinds = Counter((header.size, header.channels) for header in headers)
    if len(kinds) > 1:
        if not as_stack:
            raise UnevenVolume(
                f"{path.name} is no even volume: its slices have {len(kinds)} different sizes.",
                _OPEN_AS_STACK,
            )
        chosen = kinds.most_common(1)[0][0]
        headers = tuple(h for h in headers if (h.size, h.channels) == chosen)
        said.append(f"{len(series.headers) - len(headers)} slices of another size are left out.")
    planes = tuple(plane for header in headers for plane in header.planes)
    volume = arrange(planes, headers[0].thickness)
    if volume.problem and not as_stack:
        raise UnevenVolume(f"{path.name} is no even volume: {volume.problem}.", _OPEN_AS_STACK)
    if as_stack and len(planes) > 1:
        if volume.problem:
            said.append(f"No even volume: {volume.problem}; distances are not known.")
        volume = Volume(volume.planes, None, None)
    return DicomSource(path, headers, volume, limit_bytes, tuple(said))


class DicomSource(ImageSource):
    """A picture, a film, a stack or a volume of DICOM planes; the last decoded ones are kept."""

    def __init__(
        self,
        path: Path,
        headers: tuple[Header, ...],
        volume: Volume,
        limit_bytes: int | None,
        hints: tuple[str, ...],
    ) -> None:
        by_path = {header.path: header for header in headers}
        planes = volume.planes
        middle = by_path[planes[len(planes) // 2].path]
        rows, columns = middle.size
        rescales = tuple(_rescale(by_path[plane.path], plane) for plane in planes)
        dtype = np.result_type(*{rescale.dtype for rescale in rescales})
        check_decoded_size(
            path,
            rows * columns * middle.channels * max(dtype.itemsize, middle.stored.itemsize),
            limit_bytes,
            f"{columns:,} x {rows:,} pixels",
        )
        for header in headers:
            if header.is_compressed and len(header.planes) > 1:
                check_decoded_size(header.path, header.file_bytes, limit_bytes, "all its frames")
        super().__init__(
            path,
            "dicom",
            ImageInfo(
                shape=Shape(len(planes), rows, columns),
                axes=_axes(middle, volume),
                channels=middle.channels,
                dtype=dtype,
                spacing=volume.spacing,
                affine=volume.affine,
                view_flip=(False, False)
                if volume.affine is None
                else radiological_flip(volume.affine),
                presets=_shown_presets(middle),
                unit=_unit(middle),
                hints=hints + _hints(middle, volume),
                invert=middle.photometric == "MONOCHROME1",
                frame_of_reference=middle.frame_of_reference,
                metadata=middle.metadata,
            ),
        )
        self._headers = by_path
        self._planes = planes
        self._decoder = PlaneDecoder()
        self._rescales = rescales

    def _decode(self, z: int, level: int) -> NDArray[Any]:
        plane = self._planes[z]
        stored = self._decoder.decode(self._headers[plane.path], plane.frame)
        return self._rescales[z].apply(stored).astype(self.dtype, copy=False)

    def close(self) -> None:
        super().close()
        with self._lock:
            self._decoder.forget()


def _rescale(header: Header, plane: Plane) -> Rescale:
    if header.channels != 1:
        return Rescale(1.0, 0.0, np.dtype(np.uint8) if header.is_palette else header.stored)
    if header.modality_lut_bits:
        return Rescale(1.0, 0.0, np.dtype(f"u{header.modality_lut_bits // 8}"))
    return plan(header.stored, plane.slope, plane.intercept, header.bits)


def _axes(header: Header, volume: Volume) -> str:
    if len(volume.planes) == 1:
        return "yx"
    if volume.affine is not None:
        return "zyx"
    return "tyx" if header.is_film else "pyx"


def _shown_presets(header: Header) -> tuple[WindowPreset, ...]:
    if header.channels != 1:
        return ()
    if header.is_segmentation and header.bits == 1:
        return (WindowPreset("segmentation", 0.5, 1.0),)
    return header.presets


def _unit(header: Header) -> str:
    """Of what `_rescale` gives: a CT's slope and intercept lead to Hounsfield units unless the
    file names another type (PS3.3 C.11.1.1.2)."""
    rescaled = header.channels == 1 and not header.modality_lut_bits
    return "HU" if rescaled and header.modality == "CT" and header.rescale_type == "HU" else ""


def _hints(header: Header, volume: Volume) -> tuple[str, ...]:
    hints = []
    if header.is_segmentation:
        hints.append("This is a segmentation, shown as a picture; import it as a label to edit it.")
    placed = any(plane.position is not None for plane in volume.planes)
    if len(volume.planes) > 1 and not placed and not header.is_film:
        hints.append("The slices' places are not known; they are shown as a stack.")
    if header.spacing_at_detector:
        hints.append("Sizes are measured at the detector and are larger than in the patient.")
    return tuple(hints)


def open_path(path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource:
    """Open one file, or the largest series of a folder; the family's `Opener`."""
    if not path.is_dir():
        header = read_header(path)
        alone = DicomSeries(header.series_uid, header.modality, header.description, (header,))
        return open_series(alone, path, limit_bytes=limit_bytes, as_stack=as_stack)
    found = dicom_series(path)
    if not found:
        raise BadFile(
            f"{path.name} is a folder without a DICOM image.",
            "Choose a file in it, or the folder that holds the slices.",
        )
    hints = []
    if len(found) > 1:
        shown = f"the largest is shown ({found[0].slices} slices)"
        hints.append(f"The folder holds {len(found)} series; {shown}.")
    return open_series(
        found[0], path, limit_bytes=limit_bytes, as_stack=as_stack, hints=tuple(hints)
    )
