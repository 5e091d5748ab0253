"""A crop as people look at it: picture, target in class colours, hatched where nothing is learned.

For the window and the contact sheet alike. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import SegClass
from segcore.base.dataclass import dataclass

RGB = tuple[int, int, int]
_DIMMED = 0.5  # of the picture's light is left where nothing is learned
_LINE = (190, 190, 190)
_LINE_SHARE = 0.6
_HATCH, _HATCH_WIDE = 7, 2  # distance and width of the lines in pixels of the screen


@dataclass(frozen=True)
class CropLook:
    """How a target is drawn.

    Parameters
    ----------
    colours : of the classes that have one, by id.
    fill : share of the colour, 0 to 1.
    ratio : pixels of the drawing for one of the hatching's measures.
    """

    colours: Mapping[int, RGB]
    fill: float = 0.35
    ratio: float = 1.0

    @classmethod
    def of(cls, classes: Iterable[SegClass], fill: float = 0.35, ratio: float = 1.0) -> CropLook:
        found = {int(c.id): c.rgb for c in classes if c.rgb is not None}
        return cls(found, fill, ratio)


def draw_crop(
    image: NDArray[np.uint8],
    classes: NDArray[np.uint16],
    objects: NDArray[Any] | None,
    size: tuple[int, int],
    look: CropLook,
) -> NDArray[np.uint8]:
    """A crop with its target over it.

    Parameters
    ----------
    image : (h, w, 3) uint8; classes : (h, w), 0 = not learned from; objects : (h, w) or None.
    size : rows and columns of the drawing. The picture is averaged, the target never.

    Returns
    -------
    (*size, 3) uint8. Objects have edges in their class's colour.
    """
    height, width = size
    how = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_LINEAR
    shown = cv2.resize(image, (width, height), interpolation=how).astype(np.float32)
    told = _nearest(classes, size)
    unknown = told == 0
    shown[unknown] *= _DIMMED
    step = max(1, round(look.ratio))
    diagonal = np.add.outer(np.arange(height), np.arange(width))
    lines = unknown & (diagonal % (_HATCH * step) < _HATCH_WIDE * step)
    shown[lines] += _LINE_SHARE * (np.array(_LINE, np.float32) - shown[lines])
    edges = np.zeros(told.shape, bool) if objects is None else _edges(_nearest(objects, size))
    for class_id, colour in look.colours.items():
        inside = told == class_id
        shown[inside] += look.fill * (np.array(colour, np.float32) - shown[inside])
        shown[inside & edges] = colour
    return np.asarray(np.clip(shown + 0.5, 0, 255), np.uint8)


def _nearest(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    rows, columns = (
        ((np.arange(side) + 0.5) * whole / side).astype(np.intp)
        for side, whole in zip(size, plane.shape, strict=True)
    )
    return np.asarray(plane[np.ix_(rows, columns)])


def _edges(objects: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels of objects that have another object, or none, at their right or below them."""
    found = np.zeros(objects.shape, bool)
    found[:, :-1] |= objects[:, :-1] != objects[:, 1:]
    found[:-1] |= objects[:-1] != objects[1:]
    return found & (objects > 0)


def contact_sheet(
    drawn: Sequence[NDArray[np.uint8]], columns: int = 4, gap: int = 4
) -> NDArray[np.uint8]:
    """Drawings of one size in rows on a grey ground."""
    height, width = drawn[0].shape[:2]
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    shape = (gap + rows * (height + gap), gap + columns * (width + gap), 3)
    sheet = np.full(shape, 38, np.uint8)
    for number, picture in enumerate(drawn):
        y, x = (gap + place * (side + gap) for place, side in
                zip(divmod(number, columns), (height, width), strict=True))  # fmt: skip
        sheet[y : y + height, x : x + width] = picture
    return sheet
