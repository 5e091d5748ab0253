"""COCO annotations into a project: which picture is which image, and its layers.

A picture is the image of its `file_name`: the same path below the folder of images, else the same
name. What has no partner on either side is told, never guessed.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Shape, SizeMismatch
from segcore.base.dataclass import dataclass
from segcore.formats.coco_reading import CocoFile, CocoPicture
from segcore.projects.matching import Matched
from segcore.projects.stage import Stage, silent
from segcore.store import Item, ObjectFacts, Project

CocoRole: TypeAlias = Literal["labels", "truth"]

_NAMED = 5
_Planes: TypeAlias = tuple[NDArray[np.uint16], NDArray[np.uint32]]


@dataclass(frozen=True, eq=False)
class CocoMatch:
    """What of a COCO file belongs to which image.

    Parameters
    ----------
    file : the annotations.
    pictures : of each image that the file speaks of, by the image's name: one, or the slices.
    matched : what found no partner; an image that has no annotation is named too.
    hints : sentences about annotations that belong to nothing.
    """

    file: CocoFile
    pictures: Mapping[str, tuple[CocoPicture, ...]]
    matched: Matched
    hints: tuple[str, ...]


def match_coco(file: CocoFile, images: Mapping[str, Path], folder: Path) -> CocoMatch:
    """Bring the pictures of a COCO file to images.

    Parameters
    ----------
    images : name -> path, from `images_in`.
    folder : of the images.

    Raises
    ------
    BadFile : not one belongs to an image, or two belong to the same.
    """
    by_path = {_nfc(path.relative_to(folder).as_posix()): n for n, path in images.items()}
    by_name = {_nfc(path.name): name for name, path in images.items()}
    found: dict[str, list[CocoPicture]] = defaultdict(list)
    missing: dict[str, int] = {}
    for picture in file.pictures:
        plain = PurePosixPath(_nfc(picture.file))
        name = by_path.get(plain.as_posix(), by_name.get(plain.name))
        if name is None:
            missing[picture.file] = missing.get(picture.file, 0) + picture.annotations
        else:
            found[name].append(picture)
    if not found:
        raise BadFile(
            f"{file.path.name} names no image of {folder}.",
            "Pictures are found by their file_name; choose the folder that holds them.",
        )
    for name, pictures in found.items():
        if len({picture.z for picture in pictures}) < len(pictures):
            raise BadFile(
                f"{file.path.name} has two pictures for {images[name].name}: "
                f"{pictures[0].file} and {pictures[1].file}.",
                "Give a folder in which their file_name differs.",
            )
    with_annotations = {name for name, p in found.items() if any(x.annotations for x in p)}
    matched = Matched(
        pairs={name: file.path for name in images if name in found},
        without_image=tuple(Path(name) for name in missing),
        without_file=tuple(name for name in images if name not in with_annotations),
    )
    hints = list(file.notes)
    lost = {name: count for name, count in missing.items() if count}
    hints += _told(lost, "of images that are not in the folder")
    hints += _told(
        {f"id {n}": count for n, count in file.lost.items()},
        f"of images that {file.path.name} does not list",
    )
    return CocoMatch(
        file, {name: tuple(pictures) for name, pictures in found.items()}, matched, tuple(hints)
    )


def _nfc(name: str) -> str:
    """A file's name as all systems compare it: macOS writes accents as letters of their own."""
    return unicodedata.normalize("NFC", name)


def _told(counts: Mapping[str, int], what: str) -> list[str]:
    if not counts:
        return []
    total = sum(counts.values())
    named = ", ".join(f"{name} ({count:,})" for name, count in [*counts.items()][:_NAMED])
    more = f" and {len(counts) - _NAMED:,} more" if len(counts) > _NAMED else ""
    return [f"{total:,} annotation{'' if total == 1 else 's'} {what}: {named}{more}."]


def import_coco(
    project: Project,
    match: CocoMatch,
    items: Mapping[str, Item],
    role: CocoRole,
    stage: Stage = silent,
) -> list[str]:
    """Read the annotations of each item into its label or truth, overlaps into further layers.

    Returns
    -------
    Sentences about what was found.

    Raises
    ------
    BadFile, SizeMismatch : an annotation is damaged, or a picture has another size.
    """
    origin = project.source("imported")
    group = str(uuid.uuid4())
    overlapping = 0
    wanted = [(name, pictures) for name, pictures in match.pictures.items() if name in items]
    for number, (name, pictures) in enumerate(wanted, 1):
        item = items[name]
        _require_fits(match.file, pictures, item)
        facts: dict[int, ObjectFacts] = {}
        (ids, numbers), *further = _stacked(match.file, pictures, item.shape, facts)
        project.import_layer(
            item,
            "label" if role == "labels" else "truth",
            ids,
            numbers if numbers.any() else None,
            origin=origin,
            group=group,
            facts=facts,
            further=further,
        )
        overlapping += bool(further)
        stage("Reading annotations", number, len(wanted))
    if not overlapping:
        return []
    images = "1 image" if overlapping == 1 else f"{overlapping:,} images"
    text = (
        f"Objects of {images} overlap: those that cover others are in further layers, which are "
        "scored, taught and exported. The window shows their outlines faintly; tools work on the "
        "first layer, which has their class."
    )
    return [text]


def _require_fits(file: CocoFile, pictures: Sequence[CocoPicture], item: Item) -> None:
    for picture in pictures:
        if (picture.height, picture.width) != (item.shape.y, item.shape.x):
            raise SizeMismatch(
                f"{item.name} is {item.shape.x} x {item.shape.y} pixels, {file.path.name} says "
                f"{picture.width} x {picture.height}.",
                "Choose the images that were annotated; annotations are never scaled.",
            )
        if not 0 <= picture.z < item.shape.z:
            raise SizeMismatch(
                f"{item.name} has {item.shape.z} slices, {file.path.name} names slice {picture.z}.",
                "Choose the images that were annotated.",
            )


def _stacked(
    file: CocoFile,
    pictures: Sequence[CocoPicture],
    shape: Shape,
    facts: dict[int, ObjectFacts],
) -> list[_Planes]:
    """Layers of the whole item, (z, y, x), and into `facts` what is known of its objects; slices
    that the file does not name are unlabelled."""
    layers: list[_Planes] = []
    for picture in pictures:
        found = file.layers(picture)
        while len(layers) < len(found.layers):
            layers.append((np.zeros(shape, np.uint16), np.zeros(shape, np.uint32)))
        for (ids, numbers), (of_slice, its_numbers) in zip(layers, found.layers, strict=False):
            ids[picture.z], numbers[picture.z] = of_slice, its_numbers
        for number in found.scores.keys() | found.attributes.keys():
            facts[number] = ObjectFacts(found.scores.get(number), found.attributes.get(number, {}))
    return layers
