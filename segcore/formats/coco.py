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
from segcore.base import ClassSet, Rect
from segcore.formats.coco_classes import background_of, category, category_ids, has_values
from segcore.formats.export import NOTICE, Export, run, shared_sentences
from segcore.formats.item import DEFAULTS, ExportItem, ExportOptions, ExportReport, OnItem
from segcore.formats.manifest import MADE_BY
from segcore.formats.rle import Runs, compress, joined, runs_by_key
from segcore.labels import Labels

ANNOTATIONS = "annotations.json"
# Columns read at once; a huge picture is never in memory as a whole.
_BAND = 512
UNDER = 1 << 17
"""Added to a class, which is below 65536, of pixels that lie beneath an object of that class."""


def write_coco(
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions = DEFAULTS,
    on_item: OnItem | None = None,
) -> ExportReport:
    """``annotations.json`` with one annotation for each object of every layer, and one for each
    class region of a picture that is not divided into objects, with all its parts and holes."""
    return run("coco", _write_items, items, out, classes, options, on_item)


def describe_coco(
    items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = DEFAULTS
) -> list[str]:
    """What COCO cannot hold, in sentences."""
    number = "value in mask files" if has_values(classes) else "id in the project"
    sentences = [
        f"The category_id of a class is its {number}; numbers are never changed.",
        "Regions are written as run lengths, not polygons, so they are exact.",
        "Unlabelled pixels have no annotation.",
    ]
    background = background_of(classes)
    if background is not None:
        sentences.append(
            f'"{background.name}" is a category, but gets no annotation; where a picture has '
            'unlabelled pixels too, they are named under "unlabelled".'
        )
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


def _write_items(export: Export, items: Iterable[ExportItem]) -> None:
    categories = category_ids(export.classes)
    background = background_of(export.classes)
    left_out = set() if background is None else {background.id}
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for item in items:
        stem = export.names.stem_of(item.name)
        first_picture, first_annotation = len(pictures), len(annotations)
        export.add_item(item, stem)
        file = file_of(item, stem, export.items[-1]["images"])
        for z in range(item.shape.z):
            entry = picture(len(pictures) + 1, item, z, file)
            pictures.append(entry)
            unlabelled: list[Runs] = []
            under: list[tuple[int, Runs]] = []
            for layer, labels in enumerate((item.labels, *item.further), 1):
                above = item.further if layer == 1 else ()
                for class_id, instance, runs in regions(labels, z, above):
                    if class_id >= UNDER:
                        under.append((class_id - UNDER, runs))
                        continue
                    if layer == 1 and class_id not in categories:
                        unlabelled.append(runs)
                    if class_id not in categories or (class_id in left_out and not instance):
                        continue
                    number, category_id = len(annotations) + 1, categories[class_id]
                    made = _annotation(number, entry["id"], category_id, instance, runs, item)
                    annotations.append(made | ({"layer": layer} if layer > 1 else {}))
            if unlabelled and background is not None:
                # What has no annotation is background, where there is one.
                entry["unlabelled"] = _run_lengths(joined(unlabelled))
            if under:
                entry["under"] = [
                    {"category_id": categories[class_id], "segmentation": _run_lengths(runs)}
                    for class_id, runs in under
                    if class_id in categories
                ]
        export.items[-1]["image_ids"] = [p["id"] for p in pictures[first_picture:]]
        export.items[-1]["annotations"] = len(annotations) - first_annotation
    export.target.write_json(
        ANNOTATIONS,
        {
            "info": {
                "description": f"Exported by Maskwright. {NOTICE}",
                "made_by": MADE_BY,
                "version": segcore.__version__,
            },
            "licenses": [],
            "categories": [
                category(c, categories[c.id], background=c is background)
                for c in export.classes.active
            ],
            "images": pictures,
            "annotations": annotations,
        },
    )


def file_of(item: ExportItem, stem: str, files: list[dict[str, Any]]) -> str:
    """What the pictures of an item name as their file: of a series the folder, because the order
    of its files by name need not be that of its slices."""
    if not files:
        return stem
    first = PurePosixPath(files[0]["path"])
    return (first.parent if item.images[0].is_dir() else first).as_posix()


def picture(number: int, item: ExportItem, z: int, file: str) -> dict[str, Any]:
    """The entry of a picture or slice in "images"."""
    entry: dict[str, Any] = {
        "id": number,
        "file_name": file,
        "width": item.shape.x,
        "height": item.shape.y,
    }
    if item.shape.is_volume:
        entry["slice"] = z
    if item.split is not None:
        entry["split"] = item.split
    return entry


def regions(
    labels: Labels, z: int, above: Sequence[Labels] = ()
) -> Iterator[tuple[int, int, Runs]]:
    """Class, object (0 for none) and pixels of every region of a slice.

    Parameters
    ----------
    above : further layers. Pixels in no object whose class is only said because an object of it
        lies above them are no region of their own: their class is given plus `UNDER`.
    """
    keys = _bands(labels, z, above)
    for key, runs in runs_by_key(keys, labels.shape.y, labels.shape.x).items():
        yield key >> 32, key & 0xFFFFFFFF, runs


def _bands(labels: Labels, z: int, above: Sequence[Labels]) -> Iterator[NDArray[np.int64]]:
    """The slice from left to right as class * 2^32 + object."""
    has_objects = labels.has_plane("instance")
    for x in range(0, labels.shape.x, _BAND):
        rect = Rect(0, x, labels.shape.y, min(_BAND, labels.shape.x - x))
        ids = labels.read(rect, z).astype(np.int64)
        keys = ids << 32
        if has_objects:
            keys |= labels.read(rect, z, "instance").astype(np.int64)
        for layer in above:
            beneath = (keys == ids << 32) & (ids > 0) & (layer.read(rect, z) == ids)
            keys[beneath] = (ids[beneath] + UNDER) << 32
        yield keys


def _run_lengths(runs: Runs) -> dict[str, Any]:
    return {"size": [runs.height, runs.width], "counts": compress(runs.counts())}


def _annotation(
    number: int, picture: int, category: int, instance: int, runs: Runs, item: ExportItem
) -> dict[str, Any]:
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": picture,
        "category_id": category,
        "segmentation": _run_lengths(runs),
        "area": runs.area,
        "bbox": list(runs.bbox),
        "iscrowd": 0,
    }
    if instance:
        annotation["instance_id"] = instance
        if item.instances.get(instance):
            annotation["attributes"] = attributes = dict(item.instances[instance])
            annotation["iscrowd"] = int(bool(attributes.pop("iscrowd", False)))
    return annotation
