"""Random magnification, crop, flips, turns and colour of one training picture, by cv2 and numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.train.recipe import Colour, Recipe

_STRENGTH: dict[Colour, float] = {"none": 0.0, "mild": 1.0, "strong": 2.0}


@dataclass(frozen=True)
class Crop:
    """Which part of a picture becomes a training crop, and how."""

    y: float
    x: float
    scale: float
    flip: bool
    flip_vertical: bool
    turns: int


def choose_crop(
    size: tuple[int, int], crop: tuple[int, int], recipe: Recipe, rng: np.random.Generator
) -> Crop:
    """A random place, magnification and mirroring of a crop (h, w) for a picture `size` (h, w)."""
    scale = float(np.exp(rng.uniform(np.log(recipe.scale_low), np.log(recipe.scale_high))))
    free_y = size[0] - crop[0] / scale
    free_x = size[1] - crop[1] / scale
    # A picture smaller than the crop is laid at random within it.
    y = rng.uniform(min(0.0, free_y), max(0.0, free_y))
    x = rng.uniform(min(0.0, free_x), max(0.0, free_x))
    turns = 0
    if crop[0] == crop[1] and rng.random() < recipe.turn:
        turns = int(rng.integers(1, 4))
    return Crop(y, x, scale, rng.random() < recipe.flip, rng.random() < recipe.flip_vertical, turns)


def cut(
    image: NDArray[Any], target: NDArray[np.uint16], crop: Crop, height: int, width: int
) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """The crop of picture and target; outside the picture the image is mirrored, the target 0.

    Parameters
    ----------
    image : (h, w, c).
    target : (h, w) uint16, or (h, w, 2): classes, and the numbers of objects.

    Returns
    -------
    (height, width, c) of the image's dtype, and (height, width) or (height, width, 2) uint16. Of
    an object at the rim what is inside is left, with its number.
    """
    # Only the part that is needed is touched: a large picture costs no more than a small one.
    reach_y, reach_x = height / crop.scale, width / crop.scale
    top, left = max(0, int(crop.y) - 2), max(0, int(crop.x) - 2)
    bottom = min(image.shape[0], int(np.ceil(crop.y + reach_y)) + 2)
    right = min(image.shape[1], int(np.ceil(crop.x + reach_x)) + 2)
    image, target = image[top:bottom, left:right], target[top:bottom, left:right]
    # Pixels are squares: the centre of output pixel j lies at (j + 0.5) / scale + x.
    half = 0.5 * crop.scale - 0.5
    matrix = np.array(
        [
            [crop.scale, 0.0, half - (crop.x - left) * crop.scale],
            [0.0, crop.scale, half - (crop.y - top) * crop.scale],
        ]
    )
    if crop.scale < 0.75:  # shrunk by much: average first, else fine structures alias
        image = cv2.blur(image, (2, 2)).reshape(image.shape)
    picture = _warp(image, matrix, width, height, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    label = _warp(target, matrix, width, height, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if crop.flip:
        picture, label = picture[:, ::-1], label[:, ::-1]
    if crop.flip_vertical:
        picture, label = picture[::-1], label[::-1]
    if crop.turns:
        picture, label = np.rot90(picture, crop.turns), np.rot90(label, crop.turns)
    return np.ascontiguousarray(picture), np.ascontiguousarray(label)


def _warp(
    values: NDArray[Any], matrix: NDArray[np.float64], width: int, height: int, how: int, rim: int
) -> NDArray[Any]:
    native = values.dtype
    if native not in (np.uint8, np.uint16, np.int16, np.float32):
        values = values.astype(np.float32)
    result: NDArray[Any] = cv2.warpAffine(
        np.ascontiguousarray(values), matrix, (width, height), flags=how, borderMode=rim
    )
    return result


def jitter(
    values: NDArray[np.float32], colour: Colour, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random brightness, contrast and colour of a prepared picture (c, h, w), in place.

    It works on prepared values, so 8-bit photographs and 16-bit scans are treated alike.
    "strong" also turns some pictures grey, some inside out and bends their curve: for models
    that must not care which microscope or stain a picture comes from.
    """
    strength = _STRENGTH[colour]
    if not strength:
        return values
    channels = values.shape[0]
    if colour == "strong" and channels > 1 and rng.random() < 0.3:
        values[:] = values.mean(0, keepdims=True)
    if colour == "strong" and rng.random() < 0.3:
        np.negative(values, out=values)
    if colour == "strong" and rng.random() < 0.5:
        low, high = float(values.min()), float(values.max())
        if high > low:
            values -= low
            values /= high - low
            np.power(values, np.exp(rng.uniform(-0.7, 0.7)), out=values)
            values *= high - low
            values += low
    contrast = np.exp(rng.uniform(-0.22, 0.22) * strength)
    brightness = rng.uniform(-0.2, 0.2) * strength
    tint = rng.uniform(-0.06, 0.06, (channels, 1, 1)) * strength
    if channels == 3 and rng.random() < 0.5:
        grey = values.mean(0, keepdims=True)
        share = np.float32(rng.uniform(0.0, 0.4) * strength)
        values += (grey - values) * min(share, np.float32(0.9))
    values *= np.float32(contrast)
    values += (brightness + tint).astype(np.float32)
    return values
