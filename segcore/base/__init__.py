"""What every other part stands on: errors, geometry, classes, digests, plug-ins.

Imports nothing of ours.
"""

from segcore.base.classes import CLASS_PRESETS, ClassId, ClassSet, SegClass
from segcore.base.digest import digest_bytes, digest_file
from segcore.base.errors import (
    BadFile,
    Cancelled,
    ClassMismatch,
    MaskwrightError,
    NotAProject,
    ProjectBusy,
    ReadOnly,
    SizeMismatch,
    UnknownValue,
)
from segcore.base.geometry import Rect, Shape, Spacing

__all__ = [
    "CLASS_PRESETS",
    "BadFile",
    "Cancelled",
    "ClassId",
    "ClassMismatch",
    "ClassSet",
    "MaskwrightError",
    "NotAProject",
    "ProjectBusy",
    "ReadOnly",
    "Rect",
    "SegClass",
    "Shape",
    "SizeMismatch",
    "Spacing",
    "UnknownValue",
    "digest_bytes",
    "digest_file",
]
