"""PointRend on a semantic network: its scores, and a small head that decides anew where they doubt.

Kirillov, Wu, He & Girshick 2019, https://arxiv.org/abs/1912.08193, section 5. Axes and places are
those of `segcore.models.layers.points`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcore.base import MaskwrightError
from segcore.models.layers.points import FINE, PointHead, sample, subdivided, uncertain_places
from segcore.models.output import PLACES, POINTS


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
        strides = [abs(math.log2(side / m.shape[-1] / FINE)) for m in maps]
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
            places = uncertain_places(coarse, self.points, self.oversample, self.importance)
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

    def _subdivided(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """The coarse scores doubled step by step, the most uncertain points decided anew.

        `coarse` is at the picture's size, however the base enlarges; the steps begin from it at
        the base's own stride. A base of stride 1 is refined once, at full size.
        """
        height, width = coarse.shape[-2:]
        stride = self.coarse_stride
        scores = coarse
        if stride > 1:
            scores = functional.interpolate(
                coarse, size=(height // stride, width // stride), mode="bilinear"
            )
        halvings = range(max(stride.bit_length() - 2, 0), -1, -1)
        sizes = [(height >> k, width >> k) for k in halvings]
        return subdivided(scores, sizes, self.refined, lambda at: self._at(at, coarse, fine))


def _maps(given: Any) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        if given.ndim == 4 and given.is_floating_point() and given.shape[1]:
            yield given
    elif isinstance(given, list | tuple):
        for part in given:
            yield from _maps(part)


def _stride(base: nn.Module) -> int:
    return int(getattr(getattr(base, "encoder", None), "output_stride", 32))
