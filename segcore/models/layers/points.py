"""Single points of a map: which are in doubt, what describes them, and the head that decides them.

Kirillov, Wu, He & Girshick 2019, https://arxiv.org/abs/1912.08193: section 3.1 (which points, in
use and in training), 3.2 (what a point is described by), 3.3 (the head). Axes: B pictures or
boxes, C classes, N points, F channels of the fine map. A place is (x, y) from 0 to 1, across the
whole width and height of a map; pixel i of n has its centre at (i + 0.5) / n.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

FINE = 4  # stride of the map that describes points, as P2 of a pyramid or res2 of a ResNet


class PointHead(nn.Module):
    """Three hidden layers on each point alone; each one is told the coarse prediction again.

    Parameters
    ----------
    fine : channels of the fine map; hidden : of each layer.
    """

    def __init__(self, fine: int, classes: int, hidden: int = 256, layers: int = 3) -> None:
        super().__init__()
        inside = [fine, *[hidden] * (layers - 1)]
        self.hidden = nn.ModuleList(nn.Conv1d(wide + classes, hidden, 1) for wide in inside)
        self.predictor = nn.Conv1d(hidden + classes, classes, 1)
        nn.init.normal_(self.predictor.weight, std=0.001)
        nn.init.zeros_(cast("Tensor", self.predictor.bias))
        # The coarse scores come last among the inputs: those columns belong to classes.
        self.class_axes: dict[str, dict[int, int]] = {
            f"hidden.{i}.weight": {1: wide} for i, wide in enumerate(inside)
        }
        self.class_axes |= {"predictor.weight": {0: 0, 1: hidden}, "predictor.bias": {0: 0}}

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, C, N) scores from (B, F, N) features and (B, C, N) coarse scores."""
        values = fine
        for layer in self.hidden:
            values = functional.relu(layer(torch.cat((values, coarse), 1)))
        scores: Tensor = self.predictor(torch.cat((values, coarse), 1))
        return scores


def uncertainty(scores: Tensor) -> Tensor:
    """(B, N): minus the lead of the best class over the second, from (B, C, N); 0 at a tie."""
    if scores.shape[1] == 1:
        return -scores[:, 0].abs()
    best = scores.topk(2, dim=1).values
    return best[:, 1] - best[:, 0]


def sample(maps: Tensor, places: Tensor) -> Tensor:
    """(B, F, N): a (B, F, h, w) map between its pixels, at (B, N, 2) places from 0 to 1."""
    found = functional.grid_sample(
        maps.float(), (2 * places - 1)[:, :, None], align_corners=False, padding_mode="border"
    )
    return found[..., 0]


def uncertain_places(scores: Tensor, points: int, oversample: float, importance: float) -> Tensor:
    """(B, N, 2) places for training: mostly where (B, C, h, w) scores are in doubt.

    Section 3.1: `oversample` (k) times as many as wanted are drawn evenly, and the share
    `importance` (beta) of what is wanted are the most uncertain of them; the rest is drawn evenly.
    """
    batch = len(scores)
    important = round(importance * points)
    drawn = torch.rand(batch, round(oversample * points), 2, device=scores.device)
    best = uncertainty(sample(scores, drawn)).topk(important, dim=1).indices
    chosen = drawn.gather(1, best[..., None].expand(-1, -1, 2))
    even = torch.rand(batch, points - important, 2, device=scores.device)
    return torch.cat((chosen, even), 1)


def subdivided(
    scores: Tensor,
    sizes: Sequence[tuple[int, int]],
    most: int,
    decide: Callable[[Tensor], Tensor],
) -> Tensor:
    """Scores enlarged to one size after the other, the most uncertain points decided anew.

    A size is passed over where the next one is decided whole: nothing would be left of it.

    Parameters
    ----------
    scores : (B, C, h, w); sizes : rows and columns.
    most : points that are decided at a size.
    decide : (B, N, 2) places to (B, C, N) scores.
    """
    batch, classes = scores.shape[:2]
    for size, following in zip(sizes, [*sizes[1:], None], strict=True):
        if following is not None and following[0] * following[1] <= most:
            continue
        if scores.shape[-2:] != size:
            scores = functional.interpolate(scores, size=size, mode="bilinear")
        flat = scores.reshape(batch, classes, -1)
        doubt = uncertainty(flat)
        index = doubt.topk(min(most, doubt.shape[1]), dim=1).indices
        places = torch.stack(
            (
                (index % size[1] + 0.5) / size[1],
                (torch.div(index, size[1], rounding_mode="floor") + 0.5) / size[0],
            ),
            dim=-1,
        )
        anew = decide(places).to(flat.dtype)
        scores = flat.scatter(2, index[:, None].expand(-1, classes, -1), anew)
        scores = scores.reshape(batch, classes, *size)
    return scores


def of_channel(scores: Tensor, channel: Tensor) -> Tensor:
    """(B, ...): of (B, C, ...) scores those of one class each; channel : (B,)."""
    return scores[torch.arange(len(channel), device=channel.device), channel]
