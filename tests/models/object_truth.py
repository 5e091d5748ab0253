"""The truth through a detector's own targets and back: the most that it could reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segcore.models import Detections, Targets
from segcore.models.layers.object_targets import encode, masks_on_boxes
from segcore.models.objects import Found, paint

CELLS = 28  # of a row of the masks of every family here


def through_targets(
    channels: NDArray[np.int64], numbers: NDArray[Any], things: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], tuple[Found, ...]]:
    """Objects as a model would paint them that makes no mistake but those of its targets.

    Parameters
    ----------
    channels, numbers : (h, w), as in `Targets`.
    """
    told = Targets(
        torch.from_numpy(channels)[None], torch.from_numpy(numbers.astype(np.int64))[None]
    )
    (row,) = encode(told, torch.from_numpy(things))
    count = len(row["boxes"])
    masks, _ = masks_on_boxes(row, torch.arange(count), row["boxes"], CELLS)
    found = Detections(row["boxes"][:, [1, 0, 3, 2]], torch.ones(count), row["labels"] - 1, masks)
    size = (channels.shape[0], channels.shape[1])
    return paint(found.found(*size), size)
