"""The pixels of a COCO picture: masks of its annotations, put into layers where they overlap."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore import images
from segcore.base import BadFile, SizeMismatch
from segcore.base.dataclass import dataclass
from segcore.formats.coco_polygons import polygons_mask
from segcore.formats.rle import decompress, mask_of


@dataclass(frozen=True, eq=False)
class CocoLayers:
    """The pixels of a picture.

    Parameters
    ----------
    layers : class ids (uint16) and numbers of objects (uint32), each (height, width); the first
        has every pixel's class, further ones objects that overlap others. Where an object of a
        further layer covers none of the first, the first has its class and no object.
    scores : of objects, by number.
    attributes : of objects, by number; "iscrowd" is True for several that nobody told apart.
    """

    layers: tuple[tuple[NDArray[np.uint16], NDArray[np.uint32]], ...]
    scores: Mapping[int, float]
    attributes: Mapping[int, Mapping[str, Any]]


class LayersOfPicture:
    """Layers of a picture that are being filled.

    Parameters
    ----------
    background : class of what nothing was put on; 0 leaves it unlabelled.
    beneath : whether the first layer gets the class of what lies above it alone.
    """

    def __init__(self, height: int, width: int, background: int, *, beneath: bool) -> None:
        self._size = (height, width)
        self._background = background
        self._beneath = beneath
        self._under: list[tuple[NDArray[np.bool_], int]] = []
        self._unlabelled: NDArray[np.bool_] | None = None
        self._ids: list[NDArray[np.uint16]] = []
        self._numbers: list[NDArray[np.uint32]] = []
        self._scores: dict[int, float] = {}
        self._attributes: dict[int, Mapping[str, Any]] = {}
        self._more()

    def _more(self) -> None:
        self._ids.append(np.zeros(self._size, np.uint16))
        self._numbers.append(np.zeros(self._size, np.uint32))

    def unlabel(self, mask: NDArray[np.bool_]) -> None:
        """These pixels are no background."""
        self._unlabelled = mask

    def put_under(self, mask: NDArray[np.bool_], class_id: int) -> None:
        """The first layer has this class here, beneath an object of a further one."""
        self._under.append((mask, class_id))

    def fill(self, ids: NDArray[np.uint16], numbers: NDArray[np.uint32]) -> None:
        """Give every pixel its class and object at once, where nothing overlaps."""
        self._ids[0], self._numbers[0] = ids.reshape(self._size), numbers.reshape(self._size)

    def place(self, mask: NDArray[np.bool_], class_id: int, number: int, layer: int = 0) -> None:
        """Put a mask whole into the first layer from `layer` on that is free there."""
        while True:
            while layer >= len(self._ids):
                self._more()
            if not self._ids[layer][mask].any():
                break
            layer += 1
        self._ids[layer][mask] = class_id
        self._numbers[layer][mask] = number

    def describe(self, number: int, score: Any, attributes: Mapping[str, Any]) -> None:
        """What is said of an object beside its pixels."""
        if isinstance(score, int | float):
            self._scores[number] = float(score)
        if attributes:
            self._attributes[number] = attributes

    def finished(self) -> CocoLayers:
        """The layers that hold anything; nothing can be put into them any more."""
        first = self._ids[0]
        for mask, class_id in self._under:
            first[mask & (first == 0)] = class_id
        for above in self._ids[1:] if self._beneath else ():
            np.copyto(first, above, where=(first == 0) & (above != 0))
        rest = first == 0
        if self._unlabelled is not None:
            rest &= ~self._unlabelled
        first[rest] = self._background
        used = [0, *(n for n in range(1, len(self._ids)) if self._ids[n].any())]
        return CocoLayers(
            tuple((self._ids[n], self._numbers[n]) for n in used), self._scores, self._attributes
        )


def segmentation_mask(segmentation: Any, height: int, width: int, where: str) -> NDArray[np.bool_]:
    """Pixels of polygons or run lengths, (height, width).

    Parameters
    ----------
    where : names the annotation, for sentences.

    Raises
    ------
    BadFile, SizeMismatch : it cannot be read, or belongs to a picture of another size.
    """
    try:
        if isinstance(segmentation, list):
            for polygon in segmentation:
                if len(polygon) < 6 or len(polygon) % 2 or not np.isfinite(polygon).all():
                    raise ValueError("a polygon needs three corners or more, x and y of each")
            return polygons_mask(segmentation, height, width)
        if list(segmentation["size"]) != [height, width]:
            rows, columns = segmentation["size"]
            raise SizeMismatch(
                f"{where} is {columns} x {rows} pixels, its picture is {width} x {height}.",
                "Run lengths fit one size only; export the file again.",
            )
        counts = segmentation["counts"]
        values = decompress(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
        return mask_of(values, height, width)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadFile(
            f"{where} has a segmentation that cannot be read: {error}.",
            "Export the file again from the program that made it.",
        ) from error


def read_panoptic_png(path: Path) -> NDArray[np.int64]:
    """Segment ids of a panoptic PNG, (height, width): R + 256 G + 65536 B.

    Raises
    ------
    BadFile : it is no such picture.
    """
    with images.open(path) as source:
        pixels = source.read()
        if source.channels != 3 or pixels.dtype != np.uint8:
            raise BadFile(
                f"{path.name} is no panoptic PNG: it has {source.channels} channels of "
                f"{pixels.dtype}.",
                "A segment's number is written as red, green and blue of 8 bits.",
            )
    ids: NDArray[np.int64] = pixels.astype(np.int64) @ np.array([1, 256, 65536], np.int64)
    return ids
