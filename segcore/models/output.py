"""What a model's forward pass gives, typed for every task and free to have a depth axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


# How the name of an auxiliary output ends says what it is:
COARSE = "_coarse"  # a map that keeps its own, smaller size
POINTS = "_points"  # (B, C, N) scores at single points, whose places are beside it
PLACES = "_places"  # (B, N, 2) float: x and y of those points, in pixels of the input


@dataclass(frozen=True)
class SegOutput:
    """The output of `SegModel.forward`; axes B batch, C classes, D depth, H rows, W columns.

    Parameters
    ----------
    logits : (B, C, H, W), or (B, C, D, H, W) for volumes: one score a class before the softmax,
        at the input's size. Channel k is the spec's k-th scored class.
    instances : (B, H, W) int64 object numbers, 0 = none; only of models with that task.
    panoptic : (B, H, W) int64 segment numbers, 0 = none; only of models with that task.
    prompted : (B, N, H, W) logits of N masks that answer clicks or boxes; only with that task.
    aux : further outputs by name that a loss may want (deep supervision, a boundary head), while
        training; maps at the input's size unless the name ends in ``_coarse``, or points and
        their places, ``NAME_points`` and ``NAME_places``.
    """

    logits: Tensor
    instances: Tensor | None = None
    panoptic: Tensor | None = None
    prompted: Tensor | None = None
    aux: Mapping[str, Tensor] = field(default_factory=dict)
