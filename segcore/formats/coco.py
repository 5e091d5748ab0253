"""COCO: one JSON file with every object and region as run lengths, exact to the pixel.

Source: the COCO API's format (cocodataset.org/#format-data), "Microsoft COCO: Common Objects in
Context", Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

import segcore
from segcore.base import ClassSet, Rect, SegClass
from segcore.formats.export import NOTICE, Export, run, shared_sentences
from segcore.formats.item import DEFAULTS, ExportItem, ExportOptions, ExportReport, OnItem
from segcore.formats.rle import Runs, compress, runs_by_key

ANNOTATIONS = "annotations.json"
# Columns read at once; a huge picture is never in memory as a whole.
_BAND = 512


def write_coco(
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions = DEFAULTS,
    on_item: OnItem | None = None,
) -> ExportReport:
    """``annotations.json`` with one annotation for each object, and one for each class region of
    a picture that is not divided into objects, with all its parts and holes."""
    return run("coco", _write_items, items, out, classes, options, on_item)


def describe_coco(
    items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = DEFAULTS
) -> list[str]:
    """What COCO cannot hold, in sentences."""
    number = "value in mask files" if _by_value(classes) else "id in the project"
    sentences = [
        f"The category_id of a class is its {number}; numbers are never changed.",
        "Regions are written as run lengths, not polygons, so they are exact.",
        "Unlabelled pixels have no annotation.",
    ]
    background = _background(classes)
    if background is not None:
        sentences.append(f'"{background.name}" is a category, but gets no annotation.')
    void = [c.name for c in classes.active if c.ignore]
    if void:
        sentences.append(
            f'COCO knows no void: "{void[0]}" is a category like others, marked "ignore".'
        )
    if any(item.shape.is_volume for item in items):
        sentences.append(
            "Every slice of a volume is an image of its own, with the volume as its file."
        )
    return sentences + shared_sentences(items, classes, options)


def category_ids(classes: ClassSet) -> dict[int, int]:
    """Class id -> category_id: the classes' values if all have one, else their ids."""
    by_value = _by_value(classes)
    return {c.id: c.value if by_value and c.value is not None else c.id for c in classes.active}


def _by_value(classes: ClassSet) -> bool:
    return all(c.value is not None for c in classes.active)


def _background(classes: ClassSet) -> SegClass | None:
    """The class that COCO leaves to what has no annotation: value 0 and without a colour."""
    zero = classes.by_value(0)
    return zero if zero is not None and zero.colour is None and not zero.ignore else None


def _write_items(export: Export, items: Iterable[ExportItem]) -> None:
    categories = category_ids(export.classes)
    background = _background(export.classes)
    left_out = {0} if background is None else {0, background.id}
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for item in items:
        stem = export.names.stem_of(item.name)
        first_picture, first_annotation = len(pictures), len(annotations)
        export.add_item(item, stem)
        file = _file_of(item, stem, export.items[-1]["images"])
        for z in range(item.shape.z):
            picture = _picture(len(pictures) + 1, item, z, file)
            pictures.append(picture)
            for class_id, instance, runs in _regions(item, z):
                if class_id in left_out or class_id not in categories:
                    continue
                annotations.append(
                    _annotation(
                        len(annotations) + 1,
                        picture["id"],
                        categories[class_id],
                        instance,
                        runs,
                        item,
                    )
                )
        export.items[-1]["image_ids"] = [p["id"] for p in pictures[first_picture:]]
        export.items[-1]["annotations"] = len(annotations) - first_annotation
    export.target.write_json(
        ANNOTATIONS,
        {
            "info": {
                "description": f"Exported by Maskwright. {NOTICE}",
                "version": segcore.__version__,
            },
            "licenses": [],
            "categories": [_category(c, categories[c.id]) for c in export.classes.active],
            "images": pictures,
            "annotations": annotations,
        },
    )


def _category(c: SegClass, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": c.name,
        "supercategory": "thing" if c.thing else "stuff",
        "isthing": int(c.thing),
        "ignore": int(c.ignore),
        "color": list(c.rgb or (0, 0, 0)),
    }


def _file_of(item: ExportItem, stem: str, files: list[dict[str, Any]]) -> str:
    """What the pictures of an item name as their file: of a series the folder, because the order
    of its files by name need not be that of its slices."""
    if not files:
        return stem
    first = PurePosixPath(files[0]["path"])
    return (first.parent if item.images[0].is_dir() else first).as_posix()


def _picture(number: int, item: ExportItem, z: int, file: str) -> dict[str, Any]:
    picture: dict[str, Any] = {
        "id": number,
        "file_name": file,
        "width": item.shape.x,
        "height": item.shape.y,
    }
    if item.shape.is_volume:
        picture["slice"] = z
    if item.split is not None:
        picture["split"] = item.split
    return picture


def _regions(item: ExportItem, z: int) -> Iterator[tuple[int, int, Runs]]:
    """Class, object (0 for none) and pixels of every region of a slice."""
    for key, runs in runs_by_key(_bands(item, z), item.shape.y, item.shape.x).items():
        yield key >> 32, key & 0xFFFFFFFF, runs


def _bands(item: ExportItem, z: int) -> Iterator[NDArray[np.int64]]:
    """The slice from left to right as class * 2^32 + object."""
    for x in range(0, item.shape.x, _BAND):
        rect = Rect(0, x, item.shape.y, min(_BAND, item.shape.x - x))
        keys = item.labels.read(rect, z).astype(np.int64) << 32
        if item.has_instances:
            keys |= item.labels.read(rect, z, "instance").astype(np.int64)
        yield keys


def _annotation(
    number: int, picture: int, category: int, instance: int, runs: Runs, item: ExportItem
) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": picture,
        "category_id": category,
        "segmentation": {"size": [runs.height, runs.width], "counts": compress(runs.counts())},
        "area": runs.area,
        "bbox": list(runs.bbox),
        "iscrowd": 0,
    }
    if instance:
        annotation["instance_id"] = instance
        if item.instances.get(instance):
            annotation["attributes"] = dict(item.instances[instance])
    return annotation
