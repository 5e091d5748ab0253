"""File names for items: as near to the item's name as every system allows, and no two alike."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10))}
_IMAGE_ENDINGS = (
    ".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".gif",
)  # fmt: skip


class FileNames:
    """Gives each item a stem of its own; equal but for upper and lower case counts as equal."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def stem_of(self, name: str) -> str:
        """The stem for an item of this name; an image's ending is left off."""
        stem = unicodedata.normalize("NFC", name)
        for ending in _IMAGE_ENDINGS:
            if stem.lower().endswith(ending) and len(stem) > len(ending):
                stem = stem[: -len(ending)]
                break
        # Systems stop at 255 bytes, and an ending has to fit as well.
        stem = _FORBIDDEN.sub("_", stem).encode()[:200].decode(errors="ignore")
        stem = stem.rstrip(". ") or "item"
        if PurePosixPath(stem).stem.lower() in _RESERVED or stem.startswith("."):
            stem = f"_{stem}"
        unique, number = stem, 1
        while unique.casefold() in self._taken:
            number += 1
            unique = f"{stem}_{number}"
        self._taken.add(unique.casefold())
        return unique
