"""What an export takes and gives: items, options and a report. It knows no project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segcore.base import Shape, Spacing
from segcore.base.dataclass import dataclass
from segcore.labels import Labels


@dataclass(frozen=True, eq=False)
class ExportItem:
    """One item as an export sees it.

    Parameters
    ----------
    name : the item's name; files are called after it.
    images : its files, or the folder of its series; empty if there are none.
    labels : what is exported.
    further : further layers of it, with objects that overlap others.
    affine : (4, 4), index (x, y, z, 1) to RAS+ millimetres, or None.
    spacing : millimetres between voxel centres, or None.
    state, split, group : said in the manifest.
    instances : attributes of the objects, by their number; said where a format can.
    """

    name: str
    images: tuple[Path, ...]
    labels: Labels
    affine: NDArray[np.float64] | None = None
    spacing: Spacing | None = None
    state: str = ""
    split: str | None = None
    group: str | None = None
    instances: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    further: tuple[Labels, ...] = ()

    @property
    def shape(self) -> Shape:
        """Size in voxels."""
        return self.labels.shape

    @property
    def has_instances(self) -> bool:
        """Whether any pixel belongs to an object."""
        return self.labels.has_plane("instance")


@dataclass(frozen=True)
class ExportOptions:
    """What can be chosen for every format.

    Parameters
    ----------
    images : "reference" names the images where they are, "copy" puts copies beside the masks.
    left_out : items that are not exported, and why; said in the manifest and the report.
    """

    images: Literal["reference", "copy"] = "reference"
    left_out: Mapping[str, str] = field(default_factory=dict)


DEFAULTS = ExportOptions()


@dataclass(frozen=True)
class ExportReport:
    """What an export has done.

    Parameters
    ----------
    folder : where it is.
    format : key of the format.
    items : how many were written.
    files : how many files the folder has.
    left_out : items that were not exported, and why.
    notes : sentences about what was not as it should be, such as a missing image.
    """

    folder: Path
    format: str
    items: int
    files: int
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()


OnItem = Callable[[int], None]
"""Called with the number of items done; may raise `Cancelled`."""
