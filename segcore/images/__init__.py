"""Images of every kind behind one interface: `open` a path, `read` rectangles of values.

Depth is kept up to the display, geometry as the file has it; nothing is ever written to a file.
The libraries of a family are imported when a file of it is opened.
"""

from typing import TYPE_CHECKING, Any

from segcore.images.display import (
    default_window,
    full_window,
    robust_range,
    sample,
    to_display,
    window_bounds,
)
from segcore.images.family import Family
from segcore.images.files import Fingerprint, fingerprint, natural_key, scan
from segcore.images.joined import JoinedSource, open_all
from segcore.images.pyramid import PyramidSource, with_pyramid
from segcore.images.registry import FAMILIES, family_of_name, kinds, open
from segcore.images.source import ImageInfo, ImageSource, Level, WindowPreset

if TYPE_CHECKING:
    from segcore.images.dicom_source import (
        DicomSeries,
        UnevenVolume,
        dicom_series,
        open_series,
    )

__all__ = [
    "FAMILIES",
    "DicomSeries",
    "Family",
    "Fingerprint",
    "ImageInfo",
    "ImageSource",
    "JoinedSource",
    "Level",
    "PyramidSource",
    "UnevenVolume",
    "WindowPreset",
    "default_window",
    "dicom_series",
    "family_of_name",
    "fingerprint",
    "full_window",
    "kinds",
    "natural_key",
    "open",
    "open_all",
    "open_series",
    "robust_range",
    "sample",
    "scan",
    "to_display",
    "window_bounds",
    "with_pyramid",
]


def __getattr__(name: str) -> Any:
    # Most sessions see no DICOM; its modules are loaded when they are asked for.
    if name in ("DicomSeries", "UnevenVolume", "dicom_series", "open_series"):
        from segcore.images import dicom_source

        return getattr(dicom_source, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
