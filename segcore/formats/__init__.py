"""Mask files of every kind: reading them into the project's classes, and exporting."""

from segcore.formats.mapping import Mapped, classes_found, to_classes, to_instances, with_instances
from segcore.formats.maskfile import MaskFile, load_mask, require_place, require_size
from segcore.formats.reading import ReadMask, read_mask

__all__ = [
    "Mapped",
    "MaskFile",
    "ReadMask",
    "classes_found",
    "load_mask",
    "read_mask",
    "require_place",
    "require_size",
    "to_classes",
    "to_instances",
    "with_instances",
]
