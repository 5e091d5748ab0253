"""PointRend's masks of objects: 7 x 7 from one glance at the box, then doubled and decided anew.

Kirillov, Wu, He & Girshick 2019, https://arxiv.org/abs/1912.08193, section 4.1, in place of Mask
R-CNN's masks. Axes and places are those of `segcore.models.layers.points`; B are boxes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcore.models.layers.object_targets import Row, shares_at
from segcore.models.layers.points import (
    FINE,
    PointHead,
    of_channel,
    sample,
    subdivided,
    uncertain_places,
)
from segcore.models.spec import ModelSpec

COARSE = 7  # cells of a row and a column of the coarse masks
_AT_ONCE = 32  # boxes whose points are decided together: 25,000 points, some 100 MB


def inside(boxes: Tensor, places: Tensor) -> Tensor:
    """(B, N, 2) x and y in pixels of the picture, of places across (B, 4) boxes."""
    corner, far = boxes[:, None, :2], boxes[:, None, 2:]
    return corner + places * (far - corner)


def sample_in_boxes(fine: Tensor, boxes: Sequence[Tensor], places: Tensor) -> Tensor:
    """(B, F, N): the finest map of a pyramid, at places across the boxes.

    Parameters
    ----------
    fine : (pictures, F, h, w); boxes : of each picture, (n, 4) in its pixels.
    places : (B, N, 2) for all boxes in one row.
    """
    size = places.new_tensor([fine.shape[-1], fine.shape[-2]]) * FINE
    found = []
    for maps, part, at in zip(fine, boxes, _split(places, boxes), strict=True):
        if len(part):
            read = sample(maps[None], (inside(part, at) / size).reshape(1, -1, 2))
            found.append(read.reshape(len(maps), len(part), -1).transpose(0, 1))
    return torch.cat([fine.new_zeros(0, fine.shape[1], places.shape[1]), *found])


def _split(values: Tensor, boxes: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return torch.split(values, [len(b) for b in boxes])


class FinestPool(nn.Module):
    """Features on a regular grid over each box, (B, F, size, size), from the finest map alone."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        fine = maps[0]
        middle = (torch.arange(self.size, device=fine.device, dtype=fine.dtype) + 0.5) / self.size
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        grid = torch.stack((x, y), -1).reshape(1, -1, 2)
        found = sample_in_boxes(fine, boxes, grid.expand(sum(len(b) for b in boxes), -1, -1))
        return found.reshape(*found.shape[:2], self.size, self.size)


class CoarseMasks(nn.Module):
    """(B, classes, 7, 7) scores from (B, F, 14, 14): halved once, then two layers see all of it.

    Kept as parameters with an axis of classes, so that fine-tuning can carry each class over.
    """

    def __init__(self, channels: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.halve = nn.Conv2d(channels, channels, 2, 2)
        self.first = nn.Linear(channels * COARSE**2, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.masks = nn.Parameter(torch.empty(classes, COARSE**2, hidden))
        self.shift = nn.Parameter(torch.zeros(classes, COARSE**2))
        nn.init.kaiming_normal_(self.halve.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.masks, std=0.001)
        for layer in (self.first, self.second):
            nn.init.kaiming_uniform_(layer.weight, a=1)
        for part in (self.halve, self.first, self.second):
            nn.init.zeros_(cast("Tensor", part.bias))
        self.class_axes = {"masks": {0: 0}, "shift": {0: 0}}

    def forward(self, features: Tensor) -> Tensor:
        seen = self.first(self.halve(features).relu().flatten(1)).relu()
        seen = self.second(seen).relu()
        scores = functional.linear(seen, self.masks.flatten(0, 1), self.shift.flatten())
        return scores.reshape(len(scores), len(self.shift), COARSE, COARSE)


class PointRefiner(nn.Module):
    """Decides points of coarse masks anew.

    Parameters
    ----------
    channels : of the pyramid.
    points : of each object in training.
    refined : the most points of an object that are decided anew at each doubling.
    doublings : of the 7 x 7 cells; 5 give 224 x 224.
    oversample, importance : k and beta of section 3.1.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        points: int = 14**2,
        refined: int = 28**2,
        doublings: int = 5,
        oversample: float = 3.0,
        importance: float = 0.75,
    ) -> None:
        super().__init__()
        self.points, self.refined = points, refined
        self.oversample, self.importance = oversample, importance
        self.sides = [COARSE << step for step in range(1, doublings + 1)]
        self.head = PointHead(channels, classes)
        self.class_axes = {f"head.{name}": axes for name, axes in self.head.class_axes.items()}

    def learn(
        self,
        fine: Tensor,
        boxes: Sequence[Tensor],
        coarse: Tensor,
        channel: Tensor,
        told: Sequence[tuple[Row, Tensor]],
    ) -> Tensor:
        """The mean cross entropy of points, mostly those that the coarse masks leave in doubt.

        Parameters
        ----------
        fine : the finest map; boxes : (n, 4) of each picture, B in all.
        coarse : (B, C, 7, 7) scores; channel : (B,) of each object's class.
        told : for each picture its row of targets, and (n,) which of its objects a box holds.
        """
        with torch.no_grad():
            doubted = of_channel(coarse, channel)[:, None]
            places = uncertain_places(doubted, self.points, self.oversample, self.importance)
        scores = of_channel(self._decide(fine, boxes, coarse, places), channel)
        read = []
        for (row, chosen), part, at in zip(told, boxes, _split(places, boxes), strict=True):
            x, y = inside(part, at).unbind(-1)
            read.append(shares_at(row, chosen, x, y))
        known = torch.cat([r[1] for r in read])
        loss = functional.binary_cross_entropy_with_logits(
            scores, torch.cat([r[0] for r in read]), known.to(scores.dtype), reduction="sum"
        )
        return loss / known.sum().clamp(min=1)

    def draw(
        self, fine: Tensor, boxes: Sequence[Tensor], coarse: Tensor, channel: Tensor
    ) -> Tensor:
        """(B, side, side) scores of the objects' own classes; a few boxes at a time."""
        side = self.sides[-1] if self.sides else COARSE
        made = [coarse.new_zeros(0, side, side)]
        begin = 0
        for maps, of_picture in zip(fine, boxes, strict=True):
            for part in torch.split(of_picture, _AT_ONCE) if len(of_picture) else ():
                rows = slice(begin, begin + len(part))
                made.append(self._drawn(maps[None], part, coarse[rows], channel[rows]))
                begin = rows.stop
        return torch.cat(made)

    def _drawn(self, fine: Tensor, boxes: Tensor, coarse: Tensor, channel: Tensor) -> Tensor:
        def decide(places: Tensor) -> Tensor:
            return of_channel(self._decide(fine, [boxes], coarse, places), channel)[:, None]

        begin = of_channel(coarse, channel)[:, None]
        return subdivided(begin, [(s, s) for s in self.sides], self.refined, decide)[:, 0]

    def _decide(
        self, fine: Tensor, boxes: Sequence[Tensor], coarse: Tensor, places: Tensor
    ) -> Tensor:
        """(B, C, N) scores of every class."""
        found: Tensor = self.head(sample_in_boxes(fine, boxes, places), sample(coarse, places))
        return found


def point_masks(spec: ModelSpec, *, points: int, refined: int, doublings: int) -> dict[str, Any]:
    """The parts of `MaskRcnn` that draw masks as PointRend does.

    Parameters
    ----------
    spec : of the detector, with its options; the others are those of `PointRefiner`.
    """
    channels = int(spec.options["pyramid_channels"])
    return {
        "mask_pool": FinestPool(2 * COARSE),
        "mask_branch": CoarseMasks(channels, spec.outputs, int(spec.options["box_features"])),
        "refiner": PointRefiner(
            channels, spec.outputs, points=points, refined=refined, doublings=doublings
        ),
    }
