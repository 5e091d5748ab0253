"""COCO's categories and our classes, in both directions.

A category's id is the class's value, so the numbers of a data set stay what they are; its
supercategory is kept as the class's code, ``COCO:supercategory/name``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segcore.base import BadFile, ClassId, ClassSet, SegClass
from segcore.base.classes import MAX_CLASS_ID
from segcore.base.palette import palette_colour
from segcore.formats.manifest import MADE_BY, MANIFEST

CATEGORY_FIELDS: dict[str, type] = {"id": int, "name": str}
_SCHEME = "COCO:"
# What a category gets that has no supercategory of its own.
_OF_OURS = ("", "thing", "stuff")


def category_ids(classes: ClassSet) -> dict[int, int]:
    """Class id -> category_id: the classes' values if all have one, else their ids."""
    by_value = has_values(classes)
    return {c.id: c.value if by_value and c.value is not None else c.id for c in classes.active}


def has_values(classes: ClassSet) -> bool:
    """Whether every class in use has a value, so that categories are numbered by it."""
    return all(c.value is not None for c in classes.active)


def background_of(classes: ClassSet) -> SegClass | None:
    """The class that COCO leaves to what has no annotation: value 0 and without a colour."""
    zero = classes.by_value(0)
    return zero if zero is not None and zero.colour is None and not zero.ignore else None


def category(c: SegClass, number: int, *, background: bool = False) -> dict[str, Any]:
    """The entry of a class in "categories"."""
    known = c.code.startswith(_SCHEME) and "/" in c.code
    above = c.code.removeprefix(_SCHEME).partition("/")[0] if known else ""
    entry = {
        "id": number,
        "name": c.name,
        "supercategory": above or ("thing" if c.thing else "stuff"),
        "isthing": int(c.thing),
        "ignore": int(c.ignore),
        "color": list(c.rgb or (0, 0, 0)),
    }
    if background:
        entry["background"] = 1
    return entry


def classes_of_categories(
    path: Path, categories: Sequence[dict[str, Any]], *, ours: bool, fill: bool
) -> tuple[ClassSet, dict[int, int], int]:
    """Classes of a file's categories.

    Parameters
    ----------
    path : the file; the manifest of an export of ours beside it gives the classes exactly.
    ours : the file is one of our exports.
    fill : pixels without annotation are background, which becomes a class if there is none.

    Returns
    -------
    The classes; category id -> class id; the background's class id, 0 where there is none.

    Raises
    ------
    BadFile : there is no category, or more than there can be classes.
    """
    if ours:
        classes = _of_manifest(path)
        if classes is not None:
            numbers = category_ids(classes)
            zero = background_of(classes)
            background = 0 if zero is None or not fill else int(zero.id)
            return classes, {number: c for c, number in numbers.items()}, background
    if not categories:
        raise BadFile(f"{path.name} has no categories.", "Give a file that names its categories.")
    return _made(path, categories, ours=ours, fill=fill)


def _made(
    path: Path, categories: Sequence[dict[str, Any]], *, ours: bool, fill: bool
) -> tuple[ClassSet, dict[int, int], int]:
    if len(categories) > MAX_CLASS_ID - 1:
        raise BadFile(f"{path.name} has {len(categories):,} categories.", "65,534 can be classes.")
    ground = [
        c["id"]
        for c in categories
        if c.get("background") == 1 or (not ours and c["name"].casefold() == "background")
    ]
    taken = {c["id"] for c in categories}
    made: list[SegClass] = []
    class_of: dict[int, int] = {}
    names: set[str] = set()
    if fill and not ground and not ours:
        value = next(n for n in range(MAX_CLASS_ID + 1) if n not in taken)
        made.append(SegClass(ClassId(1), "background", value, None))
        names.add("background")
    for place, entry in enumerate(sorted(categories, key=lambda c: int(c["id"]))):
        number = entry["id"]
        class_id = ClassId(len(made) + 1)
        class_of[number] = class_id
        name = entry["name"].strip() or f"category {number}"
        if name.casefold() in names:
            name = f"{name} ({number})"
        names.add(name.casefold())
        above = str(entry.get("supercategory") or "")
        made.append(
            SegClass(
                class_id,
                name,
                number if 0 <= number <= MAX_CLASS_ID else None,
                None if number in ground else _colour(entry) or palette_colour(place),
                thing=bool(entry.get("isthing", number not in ground)),
                ignore=bool(entry.get("ignore", False)),
                code=f"{_SCHEME}{above}/{entry['name']}" if above not in _OF_OURS else "",
            )
        )
    classes = ClassSet(tuple(made))
    if not fill:
        return classes, class_of, 0
    if ground:
        return classes, class_of, class_of[ground[0]]
    return classes, class_of, 0 if ours else 1


def _colour(entry: dict[str, Any]) -> str | None:
    colour = entry.get("color")
    if not isinstance(colour, list) or len(colour) != 3:
        return None
    if not all(isinstance(n, int) and 0 <= n <= 255 for n in colour):
        return None
    return f"#{bytes(colour).hex().upper()}"


def _of_manifest(path: Path) -> ClassSet | None:
    """The classes as the export's manifest has them."""
    try:
        content = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))
        if content["made_by"] != MADE_BY or path.name not in content["files"]:
            return None
        return ClassSet.from_rows(content["classes"], MANIFEST)
    except (OSError, ValueError, KeyError, TypeError, BadFile):
        return None
