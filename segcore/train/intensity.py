"""Random colour, blur and noise of a prepared crop; its target stays as it is.

They work on prepared values, so 8-bit photographs and 16-bit scans are treated alike. Blur is
torchvision's. Its changes of colour are not used: they cut to 0 .. 1, which prepared values are
not in, and take one or three channels only. Nor is its noise, which is drawn from torch's one
generator (see `segcore.train.augment`).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import functional

from segcore.train.recipe import Colour, Recipe

_STRENGTH: dict[Colour, float] = {"none": 0.0, "mild": 1.0, "strong": 2.0}
_SHARP = 0.2  # a narrower Gauss changes nothing that could be seen


def alter(
    values: NDArray[np.float32], recipe: Recipe, rng: np.random.Generator
) -> NDArray[np.float32]:
    """All that a recipe asks for, as light, lens and sensor would: colour, then blur, then noise.

    Parameters
    ----------
    values : (c, h, w), prepared; may be changed.
    """
    values = jitter(values, recipe.colour, rng)
    if recipe.blur:
        values = blur(values, float(rng.uniform(0.0, recipe.blur)))
    if recipe.noise:
        spread = np.float32(rng.uniform(0.0, recipe.noise))
        values = values + spread * rng.standard_normal(values.shape, np.float32)
    return values


def blur(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A picture (c, h, w) through a Gauss of standard deviation `sigma` in pixels."""
    if sigma < _SHARP:
        return values
    size, along = 2 * math.ceil(3 * sigma) + 1, [sigma, sigma]
    image = torch.from_numpy(values)
    # One axis after the other is the same picture in a third of the time.
    image = functional.gaussian_blur_image(image, [size, 1], along)
    return np.asarray(functional.gaussian_blur_image(image, [1, size], along).numpy())


def jitter(
    values: NDArray[np.float32], colour: Colour, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random brightness, contrast and colour of a prepared picture (c, h, w), in place.

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
