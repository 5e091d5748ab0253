"""What the manifest of one of our exports says of a mask file, so that it is read back exactly."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path

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


def note_on(path: Path) -> MaskNote | None:
    """What the export that holds this mask says of it; None if it is in no export of ours."""
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
        objects = manifest.objects[name]
        return MaskNote(manifest.unlabelled, None if objects is None else folder / objects)
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
        return _Manifest(int(content["unlabelled_value"]), objects)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Manifest()
