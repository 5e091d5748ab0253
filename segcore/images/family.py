"""What a family of image files is: its endings, how its content is recognised, how it opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from segcore.base.dataclass import dataclass
from segcore.images.source import ImageSource

# So many bytes of a file's start are given to `Family.sniff`; DICOM's mark ends at 132, NIfTI's
# at 352.
HEAD_BYTES = 1024


class Opener(Protocol):
    """Opens one path; raises `BadFile` with one sentence where it cannot."""

    def __call__(self, path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource: ...


@dataclass(frozen=True)
class Family:
    """One row of the table of image families.

    Attributes
    ----------
    name : "raster", "tiff", ...
    title : for people, e.g. in the open dialog.
    suffixes : endings in lower case with the dot; the longer of two that fit counts.
    sniff : whether a file that starts with these bytes is of the family.
    open : the opener; it imports its library itself, so that the table costs nothing.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    open: Opener
