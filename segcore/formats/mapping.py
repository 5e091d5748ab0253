"""What the numbers and colours of a mask file mean: classes, or the objects of one class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import (
    BadFile,
    ClassId,
    ClassMismatch,
    ClassSet,
    SegClass,
    SizeMismatch,
    UnknownValue,
)
from segcore.base.dataclass import dataclass
from segcore.base.palette import palette_colour
from segcore.formats.manifest import note_on
from segcore.formats.maskfile import MaskFile, count_values

_NAMED_AT_MOST = 4
_CLASSES_AT_MOST = 1000


class TooManyValues(ClassMismatch):
    """Masks hold more numbers than there can be classes; they may be numbers of objects."""


@dataclass(frozen=True, eq=False)
class Mapped:
    """A mask in the project's own numbers.

    Parameters
    ----------
    classes : class ids, uint16, of the mask's shape; 0 = unlabelled.
    instances : uint32 of the same shape, or None.
    notes : sentences about what was guessed or repaired.
    """

    classes: NDArray[np.uint16]
    instances: NDArray[np.uint32] | None = None
    notes: tuple[str, ...] = ()


def to_classes(mask: MaskFile, classes: ClassSet) -> Mapped:
    """Class ids of a mask.

    A number is a class by its `value`, a colour by `file_colours` and `colour`. 0, or black, that
    no class claims is unlabelled; so is what a manifest of ours beside the file names as such.
    Where the classes have the values 0 and 1 only, a mask of 0 and 255 is read as those. A mask
    that was compressed with loss is brought to the nearest colour, and says so.

    Raises
    ------
    UnknownValue : names the file, the values or colours that no class has, and their counts.
    """
    if mask.colours is not None:
        return _by_colour(mask, mask.colours, classes)
    return _by_value(mask, classes, mask.values)


def to_instances(mask: MaskFile, class_id: int, classes: ClassSet) -> Mapped:
    """Each number but 0 is one object of the class; 0 is the class with value 0, if there is one.

    Raises
    ------
    UnknownValue : the mask is colour-coded or compressed with loss, so it holds no numbers.
    """
    if mask.colours is not None or mask.lossy:
        raise UnknownValue(
            f"{mask.path.name} does not number its objects: "
            + ("it is colour-coded." if mask.colours is not None else "it was compressed."),
            "Give the objects of a class as numbers, for example in a 16-bit PNG.",
        )
    background = classes.by_value(0)
    is_object = mask.values > 0
    ids = np.where(is_object, class_id, 0 if background is None else background.id)
    return Mapped(
        ids.astype(np.uint16), mask.values.astype(np.uint32), _notes_about_objects(mask, is_object)
    )


def with_instances(mapped: Mapped, numbers: MaskFile) -> Mapped:
    """Classes of one file with the objects of another, as our own exports have them.

    Raises
    ------
    SizeMismatch : the two files have different sizes.
    """
    if numbers.values.shape != mapped.classes.shape:
        raise SizeMismatch(
            f"{numbers.path.name} numbers objects on another grid than the classes have.",
            "Choose the two files of one export.",
        )
    instances = np.where(mapped.classes > 0, numbers.values, 0).astype(np.uint32)
    return Mapped(mapped.classes, instances, mapped.notes)


def classes_found(
    masks: Iterable[MaskFile], ignore: int | None = 255
) -> tuple[ClassSet, list[str]]:
    """The classes that mask files speak of by themselves, and what was assumed.

    Numbers become classes of that value; 0 is the background, `ignore` is void, unless 0 and
    `ignore` are all there is: then these are two classes. Colours become classes numbered from 0
    in the order of their brightness, black being the background.

    Raises
    ------
    BadFile : there is no mask, or some have numbers and some have colours.
    TooManyValues : more numbers than can be classes, such as those of objects.
    ClassMismatch : more colours than can be classes.
    """
    values: set[int] = set()
    colours: set[tuple[int, int, int]] = set()
    names: dict[str, str] = {}
    for mask in masks:
        if mask.colours is None or _is_grey(mask.colours):
            values |= count_values(_as_values(mask)).keys()
            names.setdefault("numbers", mask.path.name)
        else:
            if mask.lossy:
                raise BadFile(
                    f"{mask.path.name} is compressed with loss and has "
                    f"{len(mask.colours):,} colours, so they cannot be told to be classes.",
                    "Name the classes and their colours, or save the masks as PNG.",
                )
            colours |= {(int(r), int(g), int(b)) for r, g, b in mask.colours}
            names.setdefault("colours", mask.path.name)
        before = f"{mask.path.name} and those before it have over {_CLASSES_AT_MOST:,} different"
        if len(values) > _CLASSES_AT_MOST:
            raise TooManyValues(
                f"{before} values.", "If the numbers are objects, name their class (--instances)."
            )
        if len(colours) > _CLASSES_AT_MOST:
            raise ClassMismatch(f"{before} colours.", "Name the classes and their colours.")
    if len(names) != 1:
        raise BadFile(
            "There is no mask."
            if not names
            else f"{names['numbers']} has numbers and {names['colours']} has colours.",
            "Give masks of one kind, or name the classes.",
        )
    if colours:
        return _classes_of_colours(colours), ["The colours found are the classes."]
    if ignore in values and values <= {0, ignore}:
        return ClassSet.from_values({0, *values}, ignore=None), [
            f"The masks hold 0 and {ignore} only, so these are two classes."
        ]
    notes = ["The values found are the classes."]
    if ignore in values:
        notes.append(f"{ignore} is ignored.")
    return ClassSet.from_values(values, ignore), notes


# -- by value ---------------------------------------------------------------------------------


def _by_value(mask: MaskFile, classes: ClassSet, values: NDArray[Any]) -> Mapped:
    table = classes.value_to_id()
    counts = count_values(values)
    # What is decided about the few values that occur costs nothing; pixels are looked up once.
    unknown = {v for v in counts if v >= table.size or (v and not table[v])}
    notes = mask.notes
    if unknown:
        note = note_on(mask.path)
        if note is not None:
            unknown.discard(note.unlabelled)
    if unknown == {255} and counts.keys() <= {0, 255} and _is_binary(classes):
        one = classes.by_value(1)
        assert one is not None
        table[255] = one.id
        unknown.clear()
        notes = (*notes, f'{mask.path.name}: 255 is read as "{one.name}".')
    if unknown:
        raise UnknownValue(
            f"{mask.path.name} holds {_listed({v: counts[v] for v in unknown})}, "
            "which no class has.",
            "Give a class this value, or correct the mask."
            if not mask.lossy
            else "The file was compressed with loss, which changes values; save masks as PNG.",
        )
    return Mapped(np.take(table, values), None, notes)


def _is_binary(classes: ClassSet) -> bool:
    return {c.value for c in classes.active if c.value is not None} == {0, 1}


def _listed(counts: dict[int, int]) -> str:
    order = sorted(counts, key=lambda value: (-counts[value], value))[:_NAMED_AT_MOST]
    parts = [f"the value {value} ({_pixels(counts[value])})" for value in order]
    more = len(counts) - len(parts)
    return _joined(parts, f"{more:,} more" if more else "")


# -- by colour --------------------------------------------------------------------------------


def _by_colour(mask: MaskFile, colours: NDArray[np.uint8], classes: ClassSet) -> Mapped:
    known = _known_colours(classes)
    ids = np.array([known.get(tuple(row), -1) for row in colours.tolist()], np.int64)
    if (ids < 0).any() and _is_grey(colours):
        # Numbers written as grey RGB, which many programs do.
        return _by_value(mask, classes, _as_values(mask))
    notes = mask.notes
    if (ids < 0).any():
        counts = np.bincount(mask.values.reshape(-1), minlength=len(colours))
        stray = ids < 0
        if not mask.lossy:
            raise UnknownValue(
                f"{mask.path.name} holds {_listed_colours(colours[stray], counts[stray])}, "
                "which no class has.",
                "Add the colour to a class's file_colours, or correct the mask.",
            )
        named = np.array(list(known), np.int64)
        apart = ((colours[stray].astype(np.int64)[:, None] - named) ** 2).sum(axis=2)
        ids[stray] = np.array(list(known.values()))[apart.argmin(axis=1)]
        share = counts[stray].sum() / max(1, counts.sum())
        repaired = (
            f"{mask.path.name}: {_pixels(int(counts[stray].sum()))} ({share:.1%}) of "
            f"{int(stray.sum()):,} colours that no class has were given the nearest class."
        )
        notes = (*notes, repaired)
    return Mapped(np.take(ids, mask.values).astype(np.uint16), None, notes)


def _known_colours(classes: ClassSet) -> dict[tuple[int, ...], int]:
    """Colour -> class id: what is said of files goes before what is shown on the screen."""
    known: dict[tuple[int, ...], int] = {}
    for c in classes.active:
        for colour in c.file_colours:
            known.setdefault(_rgb(colour), c.id)
    for c in classes.active:
        if c.colour is not None:
            known.setdefault(_rgb(c.colour), c.id)
    if (0, 0, 0) not in known:
        background = classes.by_value(0)
        plain = background is not None and background.colour is None
        known[0, 0, 0] = background.id if background is not None and plain else 0
    return known


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _is_grey(colours: NDArray[np.uint8]) -> bool:
    return bool((colours == colours[:, :1]).all())


def _as_values(mask: MaskFile) -> NDArray[Any]:
    if mask.colours is None:
        return mask.values
    return np.take(mask.colours[:, 0].astype(np.uint16), mask.values)


def _listed_colours(colours: NDArray[np.uint8], counts: NDArray[np.int64]) -> str:
    order = np.argsort(-counts, kind="stable")[:_NAMED_AT_MOST]
    parts = [
        f"the colour #{bytes(colours[i].tolist()).hex().upper()} ({_pixels(int(counts[i]))})"
        for i in order
    ]
    more = len(colours) - len(parts)
    return _joined(parts, f"{more:,} more" if more else "")


def _classes_of_colours(colours: set[tuple[int, int, int]]) -> ClassSet:
    made: list[SegClass] = []
    for r, g, b in sorted(colours | {(0, 0, 0)}, key=lambda c: (sum(c), c)):
        value = len(made)
        written = f"#{r:02X}{g:02X}{b:02X}"
        name = "background" if value == 0 else f"colour {written}"
        shown = None if value == 0 else palette_colour(value - 1)
        made.append(SegClass(ClassId(value + 1), name, value, shown, file_colours=(written,)))
    return ClassSet(tuple(made))


# -- texts ------------------------------------------------------------------------------------


def _notes_about_objects(mask: MaskFile, is_object: NDArray[np.bool_]) -> tuple[str, ...]:
    if is_object.any() and int(mask.values.max()) == 255 and set(mask.counts()) <= {0, 255}:
        return (*mask.notes, f"{mask.path.name} holds one object only, numbered 255.")
    return mask.notes


def _pixels(count: int) -> str:
    return f"{count:,} pixel" + ("" if count == 1 else "s")


def _joined(parts: list[str], more: str) -> str:
    everything = [*parts, more] if more else parts
    if len(everything) == 1:
        return everything[0]
    return ", ".join(everything[:-1]) + " and " + everything[-1]
