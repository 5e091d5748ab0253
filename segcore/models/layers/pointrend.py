"""PointRend: a coarse prediction, and a small head that decides anew where it is in doubt.

Kirillov, Wu, He & Girshick 2019, https://arxiv.org/abs/1912.08193: section 3.1 (which points, in
use and in training), 3.2 (what a point is described by), 3.3 (the head). Axes: B batch, C classes,
N points, F channels of the fine map, H and W of the picture. A place is (x, y) from 0 to 1, across
the picture's whole width and height; pixel i of n has its centre at (i + 0.5) / n.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcore.base import MaskwrightError
from segcore.models.output import PLACES, POINTS

_FINE = 4  # stride of the map that describes points, as P2 of a pyramid or res2 of a ResNet


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


class PointRend(nn.Module):
    """A point head on a network that predicts at a stride.

    Parameters
    ----------
    base : the network that predicts coarsely; all that it says of itself holds for the whole.
    channels, classes : of the picture and of the result.
    points : sampled from each picture in training.
    oversample, importance : k and beta of section 3.1: k times as many points are drawn evenly,
        and the share beta of `points` is the most uncertain of them, the rest drawn evenly.
    refined : the most points that are decided anew at each doubling in use.

    Raises
    ------
    MaskwrightError : the base has no features that could describe points.
    """

    def __init__(
        self,
        base: nn.Module,
        channels: int,
        classes: int,
        *,
        points: int = 2048,
        refined: int = 8192,
        oversample: float = 3.0,
        importance: float = 0.75,
    ) -> None:
        super().__init__()
        self.base = base
        self.points, self.refined = points, refined
        self.oversample, self.importance = oversample, importance
        self.input_multiple = int(getattr(base, "input_multiple", _stride(base)))
        self.least_size = int(getattr(base, "least_size", self.input_multiple))
        # What the base's maps look like is seen by looking: no two families name them alike.
        side = 2 * self.input_multiple * math.ceil(self.least_size / self.input_multiple)
        training = base.training
        with torch.no_grad():
            _, maps, coarse = self._look(base.eval(), torch.zeros(1, channels, side, side))
        base.train(training)
        if not maps:
            raise MaskwrightError(
                "This model keeps no features for PointRend to describe points by.",
                "Choose another base, such as fpn or deeplabv3.",
            )
        strides = [abs(math.log2(side / m.shape[-1] / _FINE)) for m in maps]
        self.chosen = strides.index(min(strides))
        seen = 2 ** round(math.log2(max(side / coarse, 1.0)))
        self.coarse_stride = int(getattr(base, "coarse_stride", seen))
        self.point_head = PointHead(maps[self.chosen].shape[1], classes)
        inner = cast("Mapping[str, Mapping[int, int]]", getattr(base, "class_axes", {}))
        self.class_axes = {f"base.{name}": dict(axes) for name, axes in inner.items()}
        self.class_axes |= {f"point_head.{n}": a for n, a in self.point_head.class_axes.items()}

    @property
    def segmentation_head(self) -> nn.Module:
        """The base's: the coarse scores."""
        return self.base.get_submodule("segmentation_head")

    @property
    def encoder(self) -> nn.Module | None:
        """The base's, if it has one."""
        return cast("nn.Module | None", getattr(self.base, "encoder", None))

    @property
    def auxiliary_heads(self) -> nn.ModuleDict | None:
        """The base's, if it has any."""
        return cast("nn.ModuleDict | None", getattr(self.base, "auxiliary_heads", None))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        given, maps, _ = self._look(self.base, images)
        coarse, aux = given if isinstance(given, tuple) else (given, {})
        fine = maps[self.chosen]
        if not self.training:
            return self._subdivided(coarse, fine)
        with torch.no_grad():
            places = self._uncertain_places(coarse)
        scores = self._at(places, coarse, fine)
        size = places.new_tensor([images.shape[-1], images.shape[-2]])
        return coarse, {**aux, f"rend{POINTS}": scores, f"rend{PLACES}": places * size}

    def _look(self, base: nn.Module, images: Tensor) -> tuple[Any, list[Tensor], int]:
        """What the base gives, the maps it went through, and the width of its own scores."""
        encoder = getattr(base, "encoder", None)
        seen: list[Tensor] = []
        widths: list[int] = []
        layer = encoder
        if layer is None and hasattr(base, "fine_layer"):
            layer = base.get_submodule(cast("str", base.fine_layer))
        head = base.get_submodule("segmentation_head")
        last = [m for m in head.modules() if isinstance(m, nn.Conv2d)][-1]
        hooks = [last.register_forward_hook(lambda _, __, out: widths.append(out.shape[-1]))]
        if layer is not None:
            hooks.append(layer.register_forward_hook(lambda _, __, out: seen.extend(_maps(out))))
        try:
            given = base(images)
        finally:
            for hook in hooks:
                hook.remove()
        return given, seen, widths[-1]

    def _at(self, places: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
        scores: Tensor = self.point_head(sample(fine, places), sample(coarse, places))
        return scores

    def _uncertain_places(self, coarse: Tensor) -> Tensor:
        """(B, N, 2) for training: mostly where the coarse prediction is in doubt."""
        batch = len(coarse)
        many = round(self.oversample * self.points)
        important = round(self.importance * self.points)
        drawn = torch.rand(batch, many, 2, device=coarse.device)
        doubt = uncertainty(sample(coarse, drawn))
        best = doubt.topk(important, dim=1).indices
        chosen = drawn.gather(1, best[..., None].expand(-1, -1, 2))
        even = torch.rand(batch, self.points - important, 2, device=coarse.device)
        return torch.cat((chosen, even), 1)

    def _subdivided(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """The coarse scores doubled step by step, the most uncertain points decided anew.

        `coarse` is at the picture's size, however the base enlarges; the steps begin from it at
        the base's own stride. A base of stride 1 is refined once, at full size.
        """
        batch, classes, height, width = coarse.shape
        stride = self.coarse_stride
        scores = coarse
        if stride > 1:
            scores = functional.interpolate(
                coarse, size=(height // stride, width // stride), mode="bilinear"
            )
        while True:
            stride = max(stride // 2, 1)
            size = (height // stride, width // stride)
            if scores.shape[-2:] != size:
                scores = functional.interpolate(scores, size=size, mode="bilinear")
            flat = scores.reshape(batch, classes, -1)
            doubt = uncertainty(flat)
            index = doubt.topk(min(self.refined, doubt.shape[1]), dim=1).indices
            places = torch.stack(
                (
                    (index % size[1] + 0.5) / size[1],
                    (torch.div(index, size[1], rounding_mode="floor") + 0.5) / size[0],
                ),
                dim=-1,
            )
            anew = self._at(places, coarse, fine).to(flat.dtype)
            scores = flat.scatter(2, index[:, None].expand(-1, classes, -1), anew)
            scores = scores.reshape(batch, classes, *size)
            if stride == 1:
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


def _maps(given: Any) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        if given.ndim == 4 and given.is_floating_point() and given.shape[1]:
            yield given
    elif isinstance(given, list | tuple):
        for part in given:
            yield from _maps(part)


def _stride(base: nn.Module) -> int:
    return int(getattr(getattr(base, "encoder", None), "output_stride", 32))
