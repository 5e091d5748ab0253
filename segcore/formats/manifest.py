"""What the manifest of one of our exports says of a mask file, so that it is read back exactly."""

from __future__ import annotations

import functools
import json
from dataclasses import field
from pathlib import Path
from typing import Any

from segcore.base import ClassSet, MaskwrightError
from segcore.base.dataclass import dataclass

MANIFEST = "manifest.json"
MADE_BY = "maskwright"


@dataclass(frozen=True)
class MaskNote:
    """What is known of a mask file of an export.

    Parameters
    ----------
    unlabelled : the number of what is in no class.
    objects : the file with the numbers of its objects, or None.
    """

    unlabelled: int
    objects: Path | None


@dataclass(frozen=True)
class _Manifest:
    unlabelled: int = 0
    objects: dict[str, str | None] = field(default_factory=dict)
    classes: ClassSet | None = None


def note_on(path: Path) -> MaskNote | None:
    """What the export that holds this mask says of it; None if it is in no export of ours."""
    found = _manifest_of(path)
    if found is None:
        return None
    folder, manifest, name = found
    objects = manifest.objects[name]
    return MaskNote(manifest.unlabelled, None if objects is None else folder / objects)


def classes_of(path: Path) -> ClassSet | None:
    """The classes that a mask of an export was written with; None if it is in no export of ours."""
    found = _manifest_of(path)
    return None if found is None else found[1].classes


def _manifest_of(path: Path) -> tuple[Path, _Manifest, str] | None:
    """The export's folder, its manifest, and the mask's name there."""
    path = path.absolute()
    for folder in list(path.parents)[:3]:  # masks/NAME/0000.png is the deepest
        try:
            changed = (folder / MANIFEST).stat().st_mtime_ns
        except OSError:
            continue
        manifest = _read(folder / MANIFEST, changed)
        name = path.relative_to(folder).as_posix()
        if name not in manifest.objects:
            return None
        return folder, manifest, name
    return None


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> _Manifest:
    """The masks of a manifest and their files of objects; read once for all masks of an export."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["made_by"] != MADE_BY:
            return _Manifest()
        objects: dict[str, str | None] = {}
        for item in content["items"]:
            masks = [str(entry["path"]) for entry in item.get("masks", [])]
            numbers = [str(entry["path"]) for entry in item.get("instances", [])]
            objects |= dict.fromkeys(masks)
            objects |= dict(zip(masks, numbers, strict=bool(numbers)))
        return _Manifest(int(content["unlabelled_value"]), objects, _classes_in(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Manifest()


def _classes_in(content: dict[str, Any]) -> ClassSet | None:
    """The classes of a manifest; None where somebody has changed them into none of ours."""
    try:
        return ClassSet.from_rows(content.get("classes"), MANIFEST)
    except MaskwrightError:
        return None
