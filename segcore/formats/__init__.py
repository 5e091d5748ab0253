"""Mask files of every kind: reading them into the project's classes, and exporting."""

from segcore.formats.item import ExportItem, ExportOptions, ExportReport
from segcore.formats.manifest import classes_of
from segcore.formats.mapping import Mapped, classes_found, to_classes, to_instances, with_instances
from segcore.formats.maskfile import MaskFile, load_mask, require_place, require_size
from segcore.formats.reading import ReadMask, read_mask
from segcore.formats.table import (
    FORMATS,
    Format,
    describe,
    format_of,
    format_plugins,
    formats,
    write,
)

__all__ = [
    "FORMATS",
    "ExportItem",
    "ExportOptions",
    "ExportReport",
    "Format",
    "Mapped",
    "MaskFile",
    "ReadMask",
    "classes_found",
    "classes_of",
    "describe",
    "format_of",
    "format_plugins",
    "formats",
    "load_mask",
    "read_mask",
    "require_place",
    "require_size",
    "to_classes",
    "to_instances",
    "with_instances",
    "write",
]
