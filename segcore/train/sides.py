"""The losses beside the main one: of auxiliary heads, and of single points.

Axes as in `segcore.train.losses`; N points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from segcore.base.dataclass import dataclass
from segcore.models.output import PLACES, POINTS, SegOutput
from segcore.train.losses import IGNORE


@dataclass(frozen=True)
class Side:
    """One further loss: its share of the sum, its terms, and what it compares."""

    factor: float
    terms: Mapping[str, float]
    logits: Tensor
    target: Tensor
    weight: Tensor | None


def sides(
    output: SegOutput,
    target: Tensor,
    weight: Tensor | None,
    terms: Mapping[str, float],
    factor: float,
) -> Iterator[Side]:
    """The losses that a model's auxiliary outputs ask for.

    Parameters
    ----------
    target, weight : (B, H, W) int64, and float or None, of the whole picture.
    terms : of the recipe's loss. Points keep those that need no neighbours, or the cross entropy.
    factor : the share of an auxiliary head. Points count fully: they are what a model with a
        point head predicts in the end (Kirillov et al. 2019, section 3.1).
    """
    for name, values in output.aux.items():
        if name.endswith(PLACES):
            continue
        if name.endswith(POINTS):
            places = output.aux[name.removesuffix(POINTS) + PLACES]
            single = {term: share for term, share in terms.items() if term != "boundary"}
            at_points = None if weight is None else at_places(weight, places, 0.0)
            yield Side(
                1.0, single or {"ce": 1.0}, values, at_places(target, places, IGNORE), at_points
            )
        else:
            full = functional.interpolate(values, target.shape[-2:], mode="bilinear")
            yield Side(factor, terms, full, target, weight)


def at_places(values: Tensor, places: Tensor, outside: float) -> Tensor:
    """(B, N): the (B, H, W) pixel that each of the (B, N, 2) places lies in.

    Parameters
    ----------
    places : x and y in pixels.
    outside : the value of a place beyond the picture, where the input was padded.
    """
    height, width = values.shape[-2:]
    x, y = places.floor().long().unbind(-1)
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    index = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    found = values.flatten(1).gather(1, index)
    return torch.where(within, found, torch.full_like(found, outside))
