"""Random magnification, crop, rotation, flips and turns of one training picture and its target.

The numbers are drawn here, from a generator that belongs to the batch; what is done with them is
torchvision's (``torchvision.transforms.v2.functional``). Its transforms that draw for themselves
do it from torch's one generator for all threads, and a batch made ahead of its step would then
change the step's own chance, and a resumed run would see other batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from segcore.base.dataclass import dataclass
from segcore.models.rim import mirrored
from segcore.train.recipe import Recipe


@dataclass(frozen=True)
class Crop:
    """Which part of a picture becomes a training crop, and how.

    Parameters
    ----------
    top, left, height, width : the part, in the picture's pixels; it may reach beyond the picture.
    angle : degrees by which it is then rotated, about the crop's centre. The part is as much
        larger that no corner is empty.
    margin : rows and columns that are cut off on each side after the rotation, in the crop's own
        pixels.
    flip, flip_vertical : mirrored left to right, top to bottom; turns : quarter turns.
    """

    top: int
    left: int
    height: int
    width: int
    angle: float = 0.0
    margin: tuple[int, int] = (0, 0)
    flip: bool = False
    flip_vertical: bool = False
    turns: int = 0


def choose_crop(
    size: tuple[int, int],
    crop: tuple[int, int],
    recipe: Recipe,
    rng: np.random.Generator,
    on: tuple[int, int] | None = None,
) -> Crop:
    """A random place, magnification, rotation and mirroring of a crop (h, w) of a picture (h, w).

    The part is of whole pixels, so its sides are magnified by what was drawn within half a pixel
    of the part.

    Parameters
    ----------
    on : a pixel (y, x) of the picture that the crop shows, wherever in it.
    """
    row, column = (None, None) if on is None else on
    scale = float(np.exp(rng.uniform(np.log(recipe.scale_low), np.log(recipe.scale_high))))
    angle = float(rng.uniform(-recipe.rotate, recipe.rotate)) if recipe.rotate else 0.0
    margin = margin_of(crop, angle)
    top, height = _part(size[0], crop[0], margin[0], scale, rng, row)
    left, width = _part(size[1], crop[1], margin[1], scale, rng, column)
    turns = 0
    if crop[0] == crop[1] and rng.random() < recipe.turn:
        turns = int(rng.integers(1, 4))
    flip, flip_vertical = rng.random() < recipe.flip, rng.random() < recipe.flip_vertical
    return Crop(top, left, height, width, angle, margin, flip, flip_vertical, turns)


def _part(
    whole: int, side: int, rim: int, scale: float, rng: np.random.Generator, on: int | None
) -> tuple[int, int]:
    """Where along an axis the part begins that is magnified to a side with its rims; its length.

    Without the rims it holds the pixel `on`, if that is given.
    """
    inner = max(1, round(side / scale))
    free = whole - inner
    # A picture smaller than the crop is laid at random within it.
    first, last = min(0, free), max(0, free)
    if on is not None:
        first, last = max(first, min(last, on - inner + 1)), min(last, max(first, on))
    at = int(rng.integers(first, last + 1))
    outer = max(1, round((side + 2 * rim) / scale))
    return at - (outer - inner) // 2, outer


def margin_of(crop: tuple[int, int], angle: float) -> tuple[int, int]:
    """Rows and columns around a crop (h, w) that come into it when it is rotated by degrees."""
    if not angle:
        return 0, 0
    turned = np.radians(abs(angle))
    sine, cosine = abs(np.sin(turned)), abs(np.cos(turned))
    (height, width), reach = crop, []
    for side, needed in (
        (height, height * cosine + width * sine),
        (width, width * cosine + height * sine),
    ):
        reach.append(max(0, int(np.ceil((needed - side) / 2))) + 1)  # 1 for the interpolation
    return reach[0], reach[1]


def window(
    image: NDArray[Any], target: NDArray[np.uint16], crop: Crop
) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """The part of picture and target that a crop is made of.

    Outside the picture the image is mirrored and the target 0. Only the part is touched, so a
    large picture costs no more than a small one.

    Parameters
    ----------
    image : (h, w, c), any dtype; target : (h, w) uint16, or (h, w, k): planes that move together.
    """
    rows = np.arange(crop.top, crop.top + crop.height)
    columns = np.arange(crop.left, crop.left + crop.width)
    height, width = image.shape[:2]
    in_y, in_x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    if in_y.all() and in_x.all():
        here = np.s_[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        return image[here], target[here]
    seen = image[np.ix_(mirrored(rows, height), mirrored(columns, width))]
    told = np.zeros((crop.height, crop.width, *target.shape[2:]), target.dtype)
    told[np.ix_(in_y, in_x)] = target[np.ix_(rows[in_y], columns[in_x])]
    return seen, told


def place(
    values: NDArray[np.float32], target: NDArray[np.uint16], crop: Crop, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A crop of `size` (h, w) out of its `window`; picture and target go the same way.

    Parameters
    ----------
    values : (c, h, w), prepared, so that what is not finite cannot spread.
    target : (h, w), or (h, w, k).

    Returns
    -------
    (c, h, w) float32, and (h, w) or (h, w, k) int32 with no value that was not there, but 0.
    """
    planes = target[:, :, None] if target.ndim == 2 else target
    image = torch.from_numpy(np.ascontiguousarray(values))
    # torch can do little with uint16.
    label = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1).astype(np.int32)))
    outer = [size[0] + 2 * crop.margin[0], size[1] + 2 * crop.margin[1]]
    image = functional.resize_image(image, outer, InterpolationMode.BILINEAR, antialias=True)
    # Not as a Mask: for one, torchvision before 0.29 takes "nearest" whatever it is told, which
    # floors, and so shifts the target by up to half a pixel against the picture.
    label = functional.resize_image(label, outer, InterpolationMode.NEAREST_EXACT)
    if crop.angle:
        # After the magnification: a pixel of the target is a square then, and keeps its edges.
        image = functional.rotate_image(image, crop.angle, InterpolationMode.BILINEAR)
        label = functional.rotate_image(label, crop.angle, InterpolationMode.NEAREST)
        image = functional.crop_image(image, *crop.margin, *size)
        label = functional.crop_image(label, *crop.margin, *size)
    if crop.flip:
        image = functional.horizontal_flip_image(image)
        label = functional.horizontal_flip_image(label)
    if crop.flip_vertical:
        image = functional.vertical_flip_image(image)
        label = functional.vertical_flip_image(label)
    if crop.turns:
        image = functional.rotate_image(image, 90.0 * crop.turns)
        label = functional.rotate_image(label, 90.0 * crop.turns)
    told = label.permute(1, 2, 0).contiguous().numpy()
    return image.contiguous().numpy(), told[..., 0] if target.ndim == 2 else told
