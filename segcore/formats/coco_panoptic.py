"""COCO panoptic: every pixel in one segment, a PNG for each picture and one JSON file.

Source: the COCO panoptic format (cocodataset.org/#format-data, 4); Kirillov et al., "Panoptic
Segmentation", CVPR 2019, doi:10.1109/CVPR.2019.00963.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import segcore
from segcore.base import ClassSet
from segcore.formats.coco import file_of, picture, regions
from segcore.formats.coco_classes import category, category_ids, has_values
from segcore.formats.export import NOTICE, Export, further_sentences, run, shared_sentences
from segcore.formats.item import DEFAULTS, ExportItem, ExportOptions, ExportReport, OnItem
from segcore.formats.manifest import MADE_BY
from segcore.formats.png import encode_png
from segcore.formats.rle import Runs

PANOPTIC = "panoptic.json"
FOLDER = "panoptic"


def write_coco_panoptic(
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions = DEFAULTS,
    on_item: OnItem | None = None,
) -> ExportReport:
    """``panoptic.json`` and ``panoptic/NAME.png``, whose pixels are R + 256 G + 65536 B = id of a
    segment: an object, or a class region that is not divided into objects; 0 is void.

    The slices of a volume are ``panoptic/NAME/0000.png`` and so on.
    """
    return run("coco_panoptic", _write_items, items, out, classes, options, on_item)


def describe_coco_panoptic(
    items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = DEFAULTS
) -> list[str]:
    """What COCO panoptic cannot hold, in sentences."""
    number = "value in mask files" if has_values(classes) else "id in the project"
    void = [f'"{c.name}"' for c in classes.active if c.ignore]
    nothing = "Unlabelled pixels" + (f" and those of {void[0]}" if void else "")
    sentences = [
        f"The category_id of a class is its {number}; numbers are never changed.",
        f"{nothing} are in no segment, which is void.",
    ]
    if any(c.thing for c in classes.active):
        sentences.append(
            "What is of a class of things but in no object is written as a crowd: several "
            "objects that nobody told apart."
        )
    if any(item.shape.is_volume for item in items):
        sentences.append(
            "Every slice of a volume is an image of its own, with the volume as its file."
        )
    return sentences + further_sentences(items) + shared_sentences(items, classes, options)


def _write_items(export: Export, items: Iterable[ExportItem]) -> None:
    categories = category_ids(export.classes)
    void = {int(c.id) for c in export.classes.active if c.ignore}
    things = {int(c.id) for c in export.classes.active if c.thing}
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for item in items:
        stem = export.names.stem_of(item.name)
        export.add_item(item, stem)
        file = file_of(item, stem, export.items[-1]["images"])
        for z in range(item.shape.z):
            entry = picture(len(pictures) + 1, item, z, file)
            pictures.append(entry)
            ids = np.zeros(item.shape.y * item.shape.x, np.uint32)
            segments: list[dict[str, Any]] = []
            for class_id, instance, runs in regions(item.labels, z):
                if class_id in void or class_id not in categories:
                    continue
                number = len(segments) + 1
                _fill(ids, runs, number)
                crowd = bool(item.instances.get(instance, {}).get("iscrowd"))
                crowd |= not instance and class_id in things
                segment = {
                    "id": number,
                    "category_id": categories[class_id],
                    "area": runs.area,
                    "bbox": list(runs.bbox),
                    "iscrowd": int(crowd),
                }
                segments.append(segment | ({"instance_id": instance} if instance else {}))
            name = f"{stem}.png" if item.shape.z == 1 else f"{stem}/{z:04d}.png"
            # Pixels were numbered down the columns.
            data = encode_segments(ids.reshape(item.shape.x, item.shape.y).T)
            export.target.write(f"{FOLDER}/{name}", data)
            annotations.append(
                {"image_id": entry["id"], "file_name": name, "segments_info": segments}
            )
    export.target.write_json(
        PANOPTIC,
        {
            "info": {
                "description": f"Exported by Maskwright. {NOTICE}",
                "made_by": MADE_BY,
                "version": segcore.__version__,
            },
            "licenses": [],
            "categories": [
                category(c, categories[c.id]) for c in export.classes.active if not c.ignore
            ],
            "images": pictures,
            "annotations": annotations,
        },
    )


def encode_segments(ids: NDArray[np.uint32]) -> bytes:
    """A PNG of segment ids (h, w), 0 to 2^24 - 1, as R + 256 G + 65536 B."""
    blue_first = np.stack([ids >> 16, ids >> 8, ids], axis=-1) & 255
    return encode_png(blue_first.astype(np.uint8))


def _fill(flat: NDArray[np.uint32], runs: Runs, number: int) -> None:
    """Write a number into the pixels of runs; `flat` counts pixels down the columns."""
    lengths = runs.ends - runs.starts
    first = np.repeat(runs.starts - np.cumsum(lengths) + lengths, lengths)
    flat[first + np.arange(int(lengths.sum()))] = number
