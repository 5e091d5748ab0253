"""Masks as PNG files: one number a pixel, objects in files of their own."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet
from segcore.formats.export import (
    Export,
    Numbers,
    further_sentences,
    run,
    shared_sentences,
    smallest,
)
from segcore.formats.item import DEFAULTS, ExportItem, ExportOptions, ExportReport, OnItem


def write_png(
    items: Iterable[ExportItem],
    out: Path,
    classes: ClassSet,
    options: ExportOptions = DEFAULTS,
    on_item: OnItem | None = None,
) -> ExportReport:
    """``masks/NAME.png`` with the classes' values in 8 or 16 bits, ``instances/NAME.png`` with
    the objects' numbers in 16 bits (``.tif`` with 32 where a number needs them).

    The slices of a volume are ``masks/NAME/0000.png`` and so on.
    """
    return run("png", _write_items, items, out, classes, options, on_item)


def describe_png(
    items: Sequence[ExportItem], classes: ClassSet, options: ExportOptions = DEFAULTS
) -> list[str]:
    """What PNG files cannot hold, in sentences."""
    sentences = [
        f"Unlabelled pixels are written as {Numbers.of(classes).unlabelled}.",
        "Names and colours of the classes are in manifest.json only.",
    ]
    if any(item.shape.is_volume for item in items):
        sentences.append(
            "Of a volume every slice is a file; its position in millimetres is not kept."
        )
    if any(item.has_instances for item in items):
        sentences.append("The numbers of objects are in files of their own.")
    return sentences + further_sentences(items) + shared_sentences(items, classes, options)


def _write_items(export: Export, items: Iterable[ExportItem]) -> None:
    for item in items:
        stem = export.names.stem_of(item.name)
        depth = item.shape.z
        masks = []
        # One depth of colour for a whole volume: its slices are read as one stack.
        top = max((int(export.numbers.table[c]) for c in item.labels.counts()), default=0)
        dtype = np.uint8 if top <= 255 else np.uint16
        for z in range(depth):
            name = f"masks/{stem}.png" if depth == 1 else f"masks/{stem}/{z:04d}.png"
            numbers = export.numbers.write(item.labels.read(z=z)).astype(dtype)
            masks.append({"path": name, "sha256": export.target.write(name, encode_png(numbers))})
        objects = _write_objects(export, item, stem) if item.has_instances else []
        export.add_item(item, stem, masks=masks, instances=objects)


def _write_objects(export: Export, item: ExportItem, stem: str) -> list[dict[str, Any]]:
    written = []
    wide = max(item.labels.counts("instance"), default=0) > 65535
    ending = "tif" if wide else "png"
    for z in range(item.shape.z):
        base = f"instances/{stem}" if item.shape.z == 1 else f"instances/{stem}/{z:04d}"
        numbers = item.labels.read(z=z, plane="instance")
        data = encode_tiff(numbers) if wide else encode_png(numbers.astype(np.uint16))
        name = f"{base}.{ending}"
        written.append({"path": name, "sha256": export.target.write(name, data)})
    return written


def encode_png(values: NDArray[Any]) -> bytes:
    """The bytes of a PNG of 8 or 16 bits, by the dtype of `values`: grey (h, w), or colours
    (h, w, 3) with blue first."""
    done, data = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise ValueError(f"no PNG of {values.shape} {values.dtype}")
    return data.tobytes()


def encode_tiff(values: NDArray[Any]) -> bytes:
    """The bytes of a TIFF of any whole numbers, compressed without loss."""
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, smallest(values), compression="zlib", photometric="minisblack")
    return stream.getvalue()
