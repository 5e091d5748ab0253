"""The classes of a project to be made, and what its masks hold in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from segcore.base import ClassSet, MaskwrightError, SegClass
from segcore.base.classes import ClassId
from segcore.base.palette import palette_colour
from segcore.formats import MaskFile, classes_found, classes_of, load_mask
from segcore.projects.stage import Stage, silent

IGNORED_VALUE = 255


class NoSuchClass(MaskwrightError):
    """A class was named that the project does not have."""


def find_classes(paths: Sequence[Path], stage: Stage = silent) -> tuple[ClassSet, list[str]]:
    """Classes for what occurs in these files (255 is ignored), and sentences about it.

    Masks that one of our exports wrote bring their classes along, in its manifest.

    Raises
    ------
    BadFile : a file is no mask.
    ClassMismatch : more values than there can be classes, such as the numbers of objects.
    """

    exported = _exported_classes(paths)
    if exported is not None:
        return exported, ["The classes are those of the export that the masks come from."]

    def masks() -> Iterator[MaskFile]:
        for number, path in enumerate(paths, 1):
            yield load_mask(path)
            stage("Looking at masks", number, len(paths))

    return classes_found(masks(), IGNORED_VALUE)


def _exported_classes(paths: Sequence[Path]) -> ClassSet | None:
    """The classes of the exports that wrote all of these, if they are the same ones."""
    first = classes_of(paths[0])
    if first is None or any(classes_of(path) != first for path in paths[1:]):
        return None
    return first


def object_classes(name: str) -> ClassSet:
    """Background and one class of single objects, for ``--instances NAME`` without classes."""
    return ClassSet(
        (
            SegClass(ClassId(1), "background", 0, None),
            SegClass(ClassId(2), name, 1, palette_colour(0), thing=True),
        )
    )


def class_named(classes: ClassSet, name: str) -> SegClass:
    """The class in use with this name.

    Raises
    ------
    NoSuchClass
    """
    found = classes.by_name(name)
    if found is None:
        raise NoSuchClass(
            f'There is no class "{name}".',
            f"The classes are {', '.join(c.name for c in classes.active)}.",
        )
    return found
