"""What a network sees beyond the rim of a picture: the picture's mirror image.

One rule serves training, whose crops may reach beyond a picture, and prediction, where a size that
a network cannot take is made up. A rim repeated outwards is streaks, which no picture that a model
learned from ever showed it: with 24 rows of them, one model took 41 % of the road for a building.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def mirrored(at: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Places beyond an axis as a mirror on its first and last pixel shows them, again and again.

    Parameters
    ----------
    at : places, below 0 and from `count` on too; count : pixels of the axis.
    """
    if count == 1:
        return np.zeros_like(at)
    period = 2 * (count - 1)
    folded = at % period
    return np.asarray(np.minimum(folded, period - folded))


def extended(images: Tensor, height: int, width: int) -> Tensor:
    """Pictures (..., h, w) with their mirror image below and to the right: (..., height, width)."""
    for axis, size in ((-2, height), (-1, width)):
        count = images.shape[axis]
        if size != count:
            at = torch.from_numpy(mirrored(np.arange(size), count))
            images = images.index_select(axis, at.to(images.device))
    return images
