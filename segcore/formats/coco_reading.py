"""COCO files as they are: categories as classes, and each picture's objects as layers of pixels.

Instances (polygons, run lengths compressed or not, crowds) and panoptic files with their folder of
PNGs. An object goes whole into the first layer where it covers no other, so nothing is cut off
where objects overlap; what COCO has no word for is written by our export beside it, and read back.

Source: the COCO API's format (cocodataset.org/#format-data); Lin et al. 2014,
doi:10.1007/978-3-319-10602-1_48; panoptic: Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, SizeMismatch
from segcore.base.dataclass import dataclass
from segcore.formats.coco_classes import CATEGORY_FIELDS, classes_of_categories
from segcore.formats.coco_layers import (
    CocoLayers,
    LayersOfPicture,
    read_panoptic_png,
    segmentation_mask,
)
from segcore.formats.manifest import MADE_BY

Kind: TypeAlias = Literal["instances", "panoptic"]
_LAST_NUMBER = 2**32 - 1
# More layers than any picture has: a damaged number must not take the memory.
_LAST_LAYER = 1000


@dataclass(frozen=True)
class CocoPicture:
    """A picture that a COCO file speaks of.

    Parameters
    ----------
    id : the file's own number of it.
    file : its `file_name`, with slashes.
    height, width : in pixels.
    z : slice of a volume; 0 of a picture.
    annotations : how many there are of it.
    """

    id: int
    file: str
    height: int
    width: int
    z: int
    annotations: int


@dataclass(frozen=True, eq=False)
class CocoFile:
    """A COCO file; `layers` makes the pixels of one picture after another.

    Parameters
    ----------
    path : the file.
    kind : instances, or panoptic.
    classes : made of its categories.
    background : class of what has no annotation; 0 leaves it unlabelled.
    pictures : in the order of the file.
    lost : how many annotations name each picture that the file does not list.
    notes : sentences about what is left out.
    """

    path: Path
    kind: Kind
    classes: ClassSet
    background: int
    pictures: tuple[CocoPicture, ...]
    lost: Mapping[int, int]
    notes: tuple[str, ...]
    _class_of: Mapping[int, int] = field(repr=False)
    _annotations: Mapping[int, Sequence[dict[str, Any]]] = field(repr=False)
    _entries: Mapping[int, dict[str, Any]] = field(repr=False)
    _ours: bool = field(repr=False)

    def layers(self, picture: CocoPicture) -> CocoLayers:
        """The pixels of a picture.

        Raises
        ------
        BadFile, SizeMismatch : an annotation is damaged or of another size; says which.
        """
        made = LayersOfPicture(
            picture.height, picture.width, self.background, beneath=not self._ours
        )
        if self.kind == "panoptic":
            self._fill_panoptic(made, picture)
        else:
            if self._ours:
                self._take_extras(made, picture)
            found = [*enumerate(self._annotations.get(picture.id, ()), 1)]
            # Crowds last: objects that were told apart have the first layer.
            found.sort(key=lambda pair: bool(pair[1].get("iscrowd")))
            for order, annotation in found:
                if _has_mask(annotation):
                    where = f"{self.path.name}: annotation {annotation.get('id', order)}"
                    segmentation = annotation["segmentation"]
                    mask = segmentation_mask(segmentation, picture.height, picture.width, where)
                    self._place(made, annotation, mask, order)
        return made.finished()

    def _take_extras(self, made: LayersOfPicture, picture: CocoPicture) -> None:
        """What our export says of a picture that COCO has no word for."""
        where = f"{self.path.name}: {picture.file}"
        entry, size = self._entries[picture.id], (picture.height, picture.width)
        if "unlabelled" in entry:
            made.unlabel(segmentation_mask(entry["unlabelled"], *size, where))
        try:
            under = [
                (self._class_of[region["category_id"]], region["segmentation"])
                for region in entry.get("under", ())
            ]
        except (KeyError, TypeError) as error:
            raise BadFile(f'{where} has an "under" that is damaged.', "Export it again.") from error
        for class_id, segmentation in under:
            made.put_under(segmentation_mask(segmentation, *size, where), class_id)

    def _fill_panoptic(self, made: LayersOfPicture, picture: CocoPicture) -> None:
        present, places = np.unique(self._panoptic_ids(picture), return_inverse=True)
        known = {0, *(s["id"] for s in self._annotations.get(picture.id, ()))}
        strange = sorted(set(present.tolist()) - known)
        if strange:
            raise BadFile(
                f"{self._entries[picture.id]['png']} holds segment {strange[0]}, which "
                f"{self.path.name} does not list.",
                "Choose the folder that belongs to this file.",
            )
        place_of = {number: place for place, number in enumerate(present.tolist())}
        classes = np.zeros(present.size, np.uint16)
        numbers = np.zeros(present.size, np.uint32)
        for order, segment in enumerate(self._annotations.get(picture.id, ()), 1):
            place = place_of.get(segment["id"])
            if place is not None and segment["id"]:
                classes[place] = self._class_of[segment["category_id"]]
                numbers[place] = self._number(segment, order)
                self._describe(made, segment, int(numbers[place]))
        made.fill(classes[places], numbers[places])

    def _place(
        self, made: LayersOfPicture, annotation: dict[str, Any], mask: NDArray[np.bool_], order: int
    ) -> None:
        number = self._number(annotation, order)
        class_id = self._class_of[annotation["category_id"]]
        layer = annotation.get("layer", 1) if self._ours else 1
        if not isinstance(layer, int) or not 1 <= layer <= _LAST_LAYER:
            raise BadFile(f"{self.path.name} names a layer {layer}.", "Export it again.")
        made.place(mask, class_id, number, layer - 1)
        self._describe(made, annotation, number)

    def _number(self, annotation: dict[str, Any], order: int) -> int:
        """The number of an annotation's object; 0 for a region."""
        number = order if self.classes[self._class_of[annotation["category_id"]]].thing else 0
        if self._ours:
            number = annotation.get("instance_id", 0)
        if not isinstance(number, int) or not 0 <= number <= _LAST_NUMBER:
            raise BadFile(f"{self.path.name} numbers an object {number}.", "Export it again.")
        return number

    def _describe(self, made: LayersOfPicture, annotation: dict[str, Any], number: int) -> None:
        if not number:
            return
        attributes = dict(annotation.get("attributes") or {})
        score = attributes.pop("score", annotation.get("score"))
        attributes.pop("class", None)
        attributes.pop("iscrowd", None)
        if annotation.get("iscrowd"):
            attributes["iscrowd"] = True
        made.describe(number, score, attributes)

    def _panoptic_ids(self, picture: CocoPicture) -> NDArray[np.int64]:
        """Segment of each pixel, R + 256 G + 65536 B; 0 = none."""
        entry = self._entries[picture.id]
        path = _png_folder(self.path, entry["png"]) / entry["png"]
        ids = read_panoptic_png(path)
        if ids.shape != (picture.height, picture.width):
            raise SizeMismatch(
                f"{path.name} is {ids.shape[1]} x {ids.shape[0]} pixels, {self.path.name} says "
                f"{picture.width} x {picture.height}.",
                "Choose the folder that belongs to this file.",
            )
        return ids


def read_coco(path: Path | str) -> CocoFile:
    """Read a COCO file of instances or of panoptic segments.

    Raises
    ------
    BadFile : it is no such file; one sentence says what is wrong in it.
    """
    path = Path(path)
    content = _load(path)
    ours = isinstance(content.get("info"), dict) and content["info"].get("made_by") == MADE_BY
    entries = _by_id(path, "images", content["images"], _IMAGE_FIELDS)
    categories = _by_id(path, "categories", content["categories"], CATEGORY_FIELDS)
    kind: Kind = "instances"
    if any("segments_info" in a for a in content["annotations"] if isinstance(a, dict)):
        kind = "panoptic"
    annotations, lost = _annotations(path, content["annotations"], kind, entries)
    # Of a panoptic file everything is said; of objects, what is beside them is no object.
    classes, class_of, background = classes_of_categories(
        path, list(categories.values()), ours=ours, fill=kind == "instances"
    )
    for found in annotations.values():
        for annotation in found:
            if annotation.get("category_id") not in class_of:
                raise BadFile(
                    f"{path.name}: annotation {annotation.get('id')} has category "
                    f"{annotation.get('category_id')}, which the file does not list.",
                    "Export the file again from the program that made it.",
                )
    pictures = tuple(
        CocoPicture(
            number,
            str(entry["file_name"]).replace("\\", "/"),
            entry["height"],
            entry["width"],
            entry["slice"] if isinstance(entry.get("slice"), int) else 0,
            len(annotations.get(number, ())),
        )
        for number, entry in entries.items()
    )
    return CocoFile(
        path, kind, classes, background, pictures, lost, _notes(path, annotations, kind),
        class_of, annotations, entries, ours,
    )  # fmt: skip


_IMAGE_FIELDS: dict[str, type] = {"id": int, "file_name": str, "height": int, "width": int}


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}.", "Check it.") from error
    except ValueError as error:
        raise BadFile(f"{path.name} is not valid JSON: {error}.", "Copy it again.") from error
    if isinstance(content, list):
        raise BadFile(
            f"{path.name} is a list of detections, which names neither images nor categories.",
            "Give the annotation file of the data set.",
        )
    missing = [
        name
        for name in ("images", "annotations", "categories")
        if not isinstance(content, dict) or not isinstance(content.get(name), list)
    ]
    if missing:
        raise BadFile(
            f'{path.name} is no COCO file: it has no list "{missing[0]}".',
            "Give a JSON file with images, annotations and categories.",
        )
    assert isinstance(content, dict)
    return content


def _by_id(
    path: Path, what: str, rows: Sequence[Any], fields: Mapping[str, type]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for place, row in enumerate(rows, 1):
        for name, kind in fields.items():
            value = row.get(name) if isinstance(row, dict) else None
            if not isinstance(value, kind) or isinstance(value, bool):
                raise BadFile(
                    f'{path.name}: entry {place} of "{what}" has no {name} that can be read.',
                    "Export the file again from the program that made it.",
                )
            if isinstance(value, int) and name in ("height", "width") and value < 1:
                raise BadFile(
                    f"{path.name}: {row.get('file_name')} has {name} {value}.", "Correct the file."
                )
        if row["id"] in found:
            raise BadFile(
                f'{path.name}: two entries of "{what}" have the id {row["id"]}.',
                "Export the file again from the program that made it.",
            )
        found[row["id"]] = dict(row)
    return found


def _annotations(
    path: Path, rows: Sequence[Any], kind: Kind, entries: dict[int, dict[str, Any]]
) -> tuple[dict[int, list[dict[str, Any]]], dict[int, int]]:
    """Annotations of each picture, and how many belong to pictures that are not listed."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    lost: Counter[int] = Counter()
    for place, row in enumerate(rows, 1):
        image = row.get("image_id") if isinstance(row, dict) else None
        if not isinstance(image, int):
            raise BadFile(
                f"{path.name}: annotation {place} names no image.",
                "Export the file again from the program that made it.",
            )
        if image not in entries:
            lost[image] += 1
        elif kind == "instances":
            found[image].append(row)
        else:
            entries[image]["png"] = str(row.get("file_name"))
            segments = row.get("segments_info")
            if not isinstance(segments, list) or not all(
                isinstance(s, dict) and isinstance(s.get("id"), int) for s in segments
            ):
                raise BadFile(
                    f"{path.name}: annotation {place} has no segments_info that can be read.",
                    "Export the file again from the program that made it.",
                )
            found[image].extend(segments)
    if kind == "panoptic":
        for number in [n for n in entries if "png" not in entries[n]]:
            del entries[number]
    return dict(found), dict(lost)


def _notes(
    path: Path, annotations: Mapping[int, Sequence[dict[str, Any]]], kind: Kind
) -> tuple[str, ...]:
    if kind == "panoptic":
        return ()
    without = sum(not _has_mask(a) for found in annotations.values() for a in found)
    keypoints = any("keypoints" in a for found in annotations.values() for a in found)
    notes = []
    if without:
        some = "1 annotation" if without == 1 else f"{without:,} annotations"
        notes.append(f"{path.name}: {some} without a mask left out.")
    if keypoints:
        notes.append(f"{path.name}: keypoints are left out.")
    return tuple(notes)


def _has_mask(annotation: dict[str, Any]) -> bool:
    return bool(annotation.get("segmentation"))


def _png_folder(path: Path, name: str) -> Path:
    """Where the PNGs of a panoptic file are: in a folder of its name, or beside it."""
    folders = [path.with_suffix(""), path.parent / "panoptic", path.parent]
    for folder in folders:
        if (folder / name).is_file():
            return folder
    raise BadFile(
        f"{name} of {path.name} is in no folder {folders[0].name} beside it.",
        f"Put the PNGs of the panoptic file into {folders[0]}.",
    )
