"""The table of formats: dialogs, ``--format`` and the round-trip test are made from it.

Other packages add rows through the entry point group ``maskwright.formats``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from segcore.base import BadFile, ClassSet, plugins
from segcore.base.dataclass import dataclass
from segcore.formats.coco import describe_coco, write_coco
from segcore.formats.coco_panoptic import describe_coco_panoptic, write_coco_panoptic
from segcore.formats.item import DEFAULTS, ExportItem, ExportOptions, ExportReport, OnItem
from segcore.formats.nifti import describe_nifti, write_nifti
from segcore.formats.png import describe_png, write_png
from segcore.formats.reading import ReadMask, read_mask


class Reader(Protocol):
    """Reads one mask file; `read_mask` has the meaning of what it takes."""

    def __call__(self, path: Path | str, classes: ClassSet | None = None) -> ReadMask: ...


class Writer(Protocol):
    """Writes items into a new folder; an error leaves what was there before."""

    def __call__(
        self,
        items: Iterable[ExportItem],
        out: Path,
        classes: ClassSet,
        options: ExportOptions = ...,
        on_item: OnItem | None = None,
    ) -> ExportReport: ...


class Describer(Protocol):
    """Says in sentences what the format cannot hold of these items."""

    def __call__(
        self, items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = ...
    ) -> list[str]: ...


@dataclass(frozen=True)
class Format:
    """One row of the table.

    Parameters
    ----------
    key : what ``--format`` takes.
    title : what dialogs show.
    suffixes : endings of its files, in lower case with the dot.
    reads, writes : None where the format is not read or not written.
    describe : what is said before writing.
    """

    key: str
    title: str
    suffixes: tuple[str, ...]
    reads: Reader | None
    writes: Writer | None
    describe: Describer | None


FORMATS: tuple[Format, ...] = (
    Format("png", "PNG masks", (".png",), read_mask, write_png, describe_png),
    Format("coco", "COCO annotations", (".json",), None, write_coco, describe_coco),
    Format(
        "coco_panoptic",
        "COCO panoptic",
        (".json",),
        None,
        write_coco_panoptic,
        describe_coco_panoptic,
    ),
    Format("nifti", "NIfTI labels", (".nii", ".nii.gz"), read_mask, write_nifti, describe_nifti),
    Format("tiff", "TIFF masks", (".tif", ".tiff"), read_mask, None, None),
)


def formats() -> tuple[Format, ...]:
    """Every row: ours, then those of installed plug-ins."""
    return (*FORMATS, *(p.value for p in format_plugins() if not p.problem))


@functools.cache
def format_plugins() -> tuple[plugins.Plugin, ...]:
    """The plug-ins of the formats, those that take no part included; looked for once."""
    taken = {row.key for row in FORMATS}

    def accept(row: Any) -> None:
        if not isinstance(row, Format):
            raise plugins.NotOfItsKind(f"is no Format but a {type(row).__name__}")
        if not re.fullmatch("[a-z][a-z0-9_-]*", row.key):
            raise plugins.NotOfItsKind(f'has the key "{row.key}", which is no plain small word')
        if row.key in taken:
            raise plugins.NotOfItsKind(f'has the key "{row.key}", which another format has')
        taken.add(row.key)

    return plugins.load_plugins(plugins.FORMATS, accept)


def format_of(key: str) -> Format:
    """The row with this key.

    Raises
    ------
    BadFile : there is none; names those there are.
    """
    rows = formats()
    for row in rows:
        if row.key == key:
            return row
    raise BadFile(f'There is no format "{key}".', f"Known are {', '.join(f.key for f in rows)}.")


def write(
    key: str,
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions = DEFAULTS,
    on_item: OnItem | None = None,
) -> ExportReport:
    """Export items into the folder `out`.

    Parameters
    ----------
    key : of a format that is written.
    items : taken one by one, so they need not be in memory together.
    out : missing, empty, or an earlier export, which is replaced.
    classes : of the project.
    on_item : called before each item with how many are done; what it raises ends the export.

    Raises
    ------
    MaskwrightError : nothing was written; the message says why.
    """
    row = format_of(key)
    if row.writes is None:
        raise BadFile(f"{row.title} are read only.", "Choose another format for the export.")
    return row.writes(items, out, classes, options, on_item)


def describe(
    key: str, items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = DEFAULTS
) -> list[str]:
    """What the format cannot hold of these items, in sentences; ask before `write`."""
    row = format_of(key)
    return row.describe(items, classes, options) if row.describe is not None else []
