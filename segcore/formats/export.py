"""What all exports share: the numbers that classes are written as, images, and the manifest.

The manifest makes an export a thing that can be checked and read back: what was exported, from
which image (by digest), as which classes, and how what is unlabelled is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import segcore
from segcore.base import BadFile, ClassSet, digest_file
from segcore.base.dataclass import dataclass
from segcore.formats.item import ExportItem, ExportOptions, ExportReport, OnItem
from segcore.formats.manifest import MADE_BY, MANIFEST
from segcore.formats.names import FileNames
from segcore.formats.target import Target, new_folder

NOTICE = "For research use, not a medical device."
MANIFEST_VERSION = 1


@dataclass(frozen=True)
class Numbers:
    """Which number a mask file has for each class.

    Parameters
    ----------
    table : (65536,) uint16, from class id to the number.
    unlabelled : the number of what is in no class.
    """

    table: NDArray[np.uint16]
    unlabelled: int

    @classmethod
    def of(cls, classes: ClassSet) -> Numbers:
        """Each class its `value`; unlabelled is 0 if no class has that, else 255 or the next
        number above that is free."""
        taken = {c.value for c in classes.active if c.value is not None}
        free = (n for n in (0, *range(255, 65536), *range(1, 255)) if n not in taken)
        unlabelled = next(free, None)
        if unlabelled is None:
            raise BadFile(
                "The classes use all numbers from 0 to 65535, so none is left for unlabelled.",
                "Retire a class.",
            )
        # Not the values of retired classes: another class may have taken one over.
        return cls(ClassSet(classes.active).id_to_value(unlabelled), unlabelled)

    def write(self, ids: NDArray[Any]) -> NDArray[np.uint16]:
        """Class ids to file numbers, of the same shape."""
        return np.take(self.table, ids)


def smallest(values: NDArray[Any]) -> NDArray[Any]:
    """The array in the smallest of uint8, uint16 and uint32 that holds its values."""
    top = int(values.max()) if values.size else 0
    return values.astype(np.uint8 if top <= 255 else np.uint16 if top <= 65535 else np.uint32)


@dataclass
class Export:
    """An export that is being written."""

    target: Target
    out: Path
    classes: ClassSet
    options: ExportOptions
    numbers: Numbers
    names: FileNames = field(default_factory=FileNames)
    items: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_item(self, item: ExportItem, stem: str, **written: Any) -> None:
        """Put an item into the manifest; `written` says which files hold it."""
        self._note_what_is_lost(item)
        z, y, x = item.shape
        self.items.append(
            {
                "name": item.name,
                "size": {"x": x, "y": y, "z": z},
                "images": self._images(item, stem),
                **written,
                "state": item.state,
                "split": item.split,
                "group": item.group,
            }
        )

    def _note_what_is_lost(self, item: ExportItem) -> None:
        for class_id, count in item.labels.counts().items():
            c = self.classes.get(class_id)
            if class_id and (c is None or c.retired):
                name = f'the retired class "{c.name}"' if c is not None else f"class id {class_id}"
                self.notes.append(
                    f"{item.name}: {count:,} pixels of {name} are exported as unlabelled."
                )

    def _images(self, item: ExportItem, stem: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        files = [file for path in item.images for file in _files_of(path)]
        for path in files:
            # One file keeps the item's name, the files of a series their own.
            alone = len(files) == 1
            copy = f"images/{stem}{_ending(path)}" if alone else f"images/{stem}/{path.name}"
            entries.append(self._image(item, path, copy))
        return entries

    def _image(self, item: ExportItem, path: Path, copy: str) -> dict[str, Any]:
        try:
            if self.options.images == "reference":
                return {"path": relative_to(path, self.out), "sha256": digest_file(path)}
            source = path.open("rb")
        except OSError:
            self.notes.append(
                f"{item.name}: the image {path.name} could not be read, "
                "so it is not copied and the manifest has no digest of it."
            )
            return {"path": relative_to(path, self.out), "sha256": None}
        with source:
            name = copy
            while name in self.target.files:  # files of one name out of several folders
                name = f"{copy.removesuffix(path.suffix)}_{len(self.target.files)}{path.suffix}"
            return {"path": name, "sha256": self.target.copy(name, source)}

    def finish(self, key: str) -> ExportReport:
        """Write the manifest."""
        manifest = {
            "made_by": MADE_BY,
            "version": segcore.__version__,
            "manifest_version": MANIFEST_VERSION,
            "notice": NOTICE,
            "format": key,
            "classes": self.classes.to_rows(),
            "unlabelled_value": self.numbers.unlabelled,
            "items": self.items,
            "left_out": [
                {"name": name, "reason": why} for name, why in self.options.left_out.items()
            ],
            "notes": self.notes,
            "files": self.target.files,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False)
        self.target.write(MANIFEST, text.encode())
        return ExportReport(
            self.out,
            key,
            len(self.items),
            len(self.target.files),
            dict(self.options.left_out),
            tuple(self.notes),
        )


def relative_to(path: Path, folder: Path) -> str:
    """A path as seen from `folder`, with slashes; whole where there is no way (another drive)."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def shared_sentences(
    items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions
) -> list[str]:
    """What every format has to say before it writes."""
    sentences = []
    without = [c.name for c in classes.active if c.value is None]
    if without:
        sentences.append(
            f"{_listed(without)} {'has' if len(without) == 1 else 'have'} no value in files, "
            "so those pixels are written as unlabelled."
        )
    if options.left_out:
        count = len(options.left_out)
        sentences.append(f"{count:,} item{'' if count == 1 else 's'} will be left out.")
    if options.images == "reference" and any(item.images for item in items):
        sentences.append("Images are named where they are now, not copied.")
    return sentences


def further_sentences(items: Sequence[ExportItem]) -> list[str]:
    """What a format says that has one number a pixel, of objects that overlap others."""
    if not any(item.further for item in items):
        return []
    return ["Objects that overlap others are in further layers, which only COCO annotations hold."]


def run(
    key: str,
    write_items: Callable[[Export, Iterable[ExportItem]], None],
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions,
    on_item: OnItem | None,
) -> ExportReport:
    """Make an export in a new folder; `write_items(export, items)` writes all but the manifest."""
    numbers = Numbers.of(classes)
    with new_folder(out) as target:
        export = Export(target, out.absolute(), classes, options, numbers)
        write_items(export, _counted(items, on_item))
        return export.finish(key)


def _counted(items: Iterable[ExportItem], on_item: OnItem | None) -> Iterable[ExportItem]:
    for number, item in enumerate(items):
        if on_item is not None:
            on_item(number)
        yield item


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file())


def _ending(path: Path) -> str:
    return "".join(path.suffixes[-2:]) if path.name.lower().endswith(".nii.gz") else path.suffix


def _listed(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]
