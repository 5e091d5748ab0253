"""How an item's image is opened again: as it was when it was added, with levels for large ones.

That a series was opened as a stack is the item's, not the file's: it stands in table `attribute`,
so that stores of the first version hold it and an older program passes over it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from segcore import images
from segcore.base import BadFile
from segcore.images import ImageSource

if TYPE_CHECKING:
    from segcore.store.adding import Statement
    from segcore.store.database import Database
    from segcore.store.items import Item

ATTRIBUTE = "maskwright.opening"
"""Name of the attribute; names that begin so are the program's own, never a person's."""

LEVELS = "levels"
"""Folder in the project's cache with the coarser levels of large pictures."""


def open_sources(item: Item, cache: Path) -> ImageSource:
    """Open the image of an item.

    Parameters
    ----------
    cache : folder of what can be made again.

    Raises
    ------
    BadFile : the item has no source, or one is missing or damaged.
    SizeMismatch : the sources do not lie on one grid.
    """
    files = [source.file for source in item.sources]
    if not files:
        raise BadFile(f"{item.name} has no image.", "Add the item again with its image.")
    return images.with_pyramid(images.open_all(files, as_stack=item.as_stack), cache / LEVELS)


def stack_statement(item: str) -> Statement:
    """What keeps with a new item that its image is opened as a stack."""
    value = json.dumps({"as_stack": True})
    return "INSERT INTO attribute (item, name, value) VALUES (?, ?, ?)", (item, ATTRIBUTE, value)


def read_as_stack(database: Database, item: str) -> bool:
    """Whether an item's image is opened as a stack; False where nothing was said."""
    found = database.row(
        "SELECT value FROM attribute WHERE item = ? AND name = ?", (item, ATTRIBUTE)
    )
    return found is not None and bool(json.loads(found[0]).get("as_stack"))
