"""Spacing and channel names out of the metadata that microscopes' programs add to a TIFF.

Only OME-XML and ImageJ's are believed: the resolution tag of TIFF itself is dots per inch for a
printer in most files and would pass for millimetres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcore.base import Spacing
from segcore.images.source import default_channel_names

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MILLIMETRES = {
    "m": 1e3, "cm": 10.0, "mm": 1.0, "millimeter": 1.0, "µm": 1e-3, "μm": 1e-3, "um": 1e-3,
    "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "\\u00b5m": 1e-3, "nm": 1e-6,
    "nanometer": 1e-6, "pm": 1e-9, "inch": 25.4,
}  # fmt: skip


def spacing_of(tif: Any) -> Spacing | None:
    """Millimetres between pixel centres, or None where no trustworthy metadata says so.

    Where slices have no distance, as times and pages have none, z repeats y.
    """
    return _ome_spacing(tif) or _imagej_spacing(tif)


def channel_names(tif: Any, count: int, is_colour: bool) -> tuple[str, ...]:
    """OME's names where there is one for each channel, else red, green, blue, or numbers."""
    pixels = _ome_pixels(tif)
    if pixels is not None and not is_colour:
        names = [
            child.get("Name") or "" for child in pixels if child.tag.rpartition("}")[2] == "Channel"
        ]
        if len(names) == count and all(names):
            return tuple(names)
    if count == 3 and not is_colour:
        return tuple(f"channel {i + 1}" for i in range(count))
    return default_channel_names(count)


def _ome_pixels(tif: Any) -> Element | None:
    if not tif.is_ome or not tif.ome_metadata:
        return None
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(tif.ome_metadata)
    except ElementTree.ParseError:
        return None
    return next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)


def _ome_spacing(tif: Any) -> Spacing | None:
    pixels = _ome_pixels(tif)
    if pixels is None:
        return None

    def size(axis: str) -> float | None:
        unit = _MILLIMETRES.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        return _scaled(pixels.get(f"PhysicalSize{axis}"), unit)

    y, x = size("Y"), size("X")
    return None if y is None or x is None else Spacing(size("Z") or y, y, x)


def _imagej_spacing(tif: Any) -> Spacing | None:
    metadata = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    unit = _MILLIMETRES.get(str(metadata.get("unit", "")).lower())
    tags = tif.pages[0].tags
    sizes = []
    for name in ("YResolution", "XResolution"):
        value = tags.valueof(name, None)
        if unit is None or not isinstance(value, tuple) or 0 in value:
            return None
        sizes.append(value[1] / value[0] * unit)
    depth = _scaled(metadata.get("spacing"), unit)
    return Spacing(depth or sizes[0], *sizes)


def _scaled(value: Any, unit: float | None) -> float | None:
    try:
        number = float(value) * (unit or 0.0)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
