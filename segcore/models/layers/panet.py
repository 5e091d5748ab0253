"""What PANet changes of Mask R-CNN: a path back up, pooling from every level, a fused mask.

Liu, Qi, Qin, Shi & Jia 2018, https://arxiv.org/abs/1803.01534, section 3.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads

from segcore.models.layers.detection import LEVELS, MaskPredictor


def _convolution(channels: int, outputs: int | None = None, stride: int = 1) -> nn.Sequential:
    made = nn.Conv2d(channels, outputs or channels, 3, stride, 1)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(cast("Tensor", made.bias))
    return nn.Sequential(made, nn.ReLU(inplace=True))


class BottomUpPath(nn.Module):
    """Section 3.1: N2 is P2; each further map is the one before it, halved, and P, convolved."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        steps = range(len(LEVELS) - 1)
        self.halve = nn.ModuleList(_convolution(channels, stride=2) for _ in steps)
        self.join = nn.ModuleList(_convolution(channels) for _ in steps)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        made = [maps[0]]
        for halve, join, finer in zip(self.halve, self.join, maps[1:], strict=True):
            made.append(join(halve(made[-1]) + finer))
        return made


class FusedBoxHead(nn.Module):
    """Section 3.2: a layer of its own for each level, their maximum, and a second layer.

    From (levels, N, C, s, s) to (N, features).
    """

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(inputs, features) for _ in LEVELS)
        self.second = nn.Linear(features, features)

    def forward(self, pooled: Tensor) -> Tensor:
        seen = [first(p.flatten(1)) for first, p in zip(self.first, pooled, strict=True)]
        fused = torch.stack(seen).amax(0).relu()
        return cast("Tensor", self.second(fused).relu())


class FusedMask(nn.Module):
    """Sections 3.2 and 3.3: from (levels, N, C, s, s) to (N, classes, 2 s, 2 s) mask logits.

    A convolution for each level, their maximum, three more, and the head. Beside it, from the
    third convolution on, a fully connected layer sees the whole box at once: one mask for all
    classes, which is added to each.
    """

    def __init__(self, channels: int, classes: int, cells: int = 14) -> None:
        super().__init__()
        self.cells = cells
        self.first = nn.ModuleList(_convolution(channels) for _ in LEVELS)
        self.middle = MaskRCNNHeads(channels, (channels,) * 2, 1)
        self.last = _convolution(channels)
        self.predict = MaskPredictor(channels, classes)
        self.aside = nn.Sequential(_convolution(channels), _convolution(channels, channels // 2))
        self.connected = nn.Linear(channels // 2 * cells**2, (2 * cells) ** 2)
        nn.init.normal_(self.connected.weight, std=0.001)
        nn.init.zeros_(self.connected.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        seen = [first(p) for first, p in zip(self.first, pooled, strict=True)]
        third = self.middle(torch.stack(seen).amax(0))
        whole = self.connected(self.aside(third).flatten(1))
        whole = whole.reshape(-1, 1, 2 * self.cells, 2 * self.cells)
        return cast("Tensor", self.predict(self.last(third)) + whole)
