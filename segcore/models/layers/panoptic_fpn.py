"""Panoptic FPN: Mask R-CNN and a semantic branch on one pyramid, and how both become one answer.

Kirillov, Girshick, He & Dollár 2019, https://arxiv.org/abs/1901.02446, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from segcore.models.layers.detection import LEVELS
from segcore.models.layers.mask_rcnn import MaskRcnn
from segcore.models.objects import merged, paint
from segcore.models.output import SEGMENT_BITS, SegOutput, Targets
from segcore.models.spec import ModelSpec

WIDTH = 128  # of the semantic branch (section 3, figure 3)
_GROUPS = 32


class SemanticBranch(nn.Module):
    """Every level of the pyramid brought to stride 4 and added.

    One step to twice the size is a convolution, group normalisation and bilinear enlargement; the
    finest level has the convolution only.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(self._level(channels, width, k) for k in range(len(LEVELS)))

    @staticmethod
    def _level(channels: int, width: int, doublings: int) -> nn.Sequential:
        steps: list[nn.Module] = []
        for step in range(max(1, doublings)):
            steps += [
                nn.Conv2d(width if step else channels, width, 3, padding=1, bias=False),
                nn.GroupNorm(_GROUPS, width),
                nn.ReLU(inplace=True),
            ]
            if doublings:
                steps.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
        return nn.Sequential(*steps)

    def forward(self, maps: list[Tensor]) -> Tensor:
        raised = [level(found) for level, found in zip(self.levels, maps, strict=True)]
        return torch.stack(raised).sum(0)


class PanopticFpn(MaskRcnn):
    """Objects as Mask R-CNN finds them, and a class for every pixel, from the same maps."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.semantic = SemanticBranch(int(spec.options["pyramid_channels"]), WIDTH)
        self.scores = nn.Conv2d(WIDTH, len(self.things), 1)
        self.semantic_share = float(spec.options["semantic_share"])
        self.least_stuff = int(spec.options["least_stuff"])

    @property
    def segmentation_head(self) -> nn.Module:
        """The last convolution of the semantic branch."""
        return self.scores

    @property
    def class_axes(self) -> dict[str, dict[int, int]]:
        """The rows of scores, boxes and masks of objects."""
        masks = {f"heads.mask_branch.1.logits.{name}": {0: 0} for name in ("weight", "bias")}
        return {**super().class_axes, **masks}

    def output(self, images: Tensor, maps: dict[str, Tensor], targets: Targets | None) -> SegOutput:
        found = super().output(images, maps, targets)
        scores = self.scores(self.semantic([maps[str(stride)] for stride in LEVELS]))
        logits = functional.interpolate(scores, scale_factor=4, mode="bilinear")
        panoptic = None if self.training else self._merged(found, logits)
        return replace(found, logits=logits, panoptic=panoptic)

    def _merged(self, found: SegOutput, logits: Tensor) -> Tensor:
        height, width = logits.shape[-2:]
        things = self.things.cpu().numpy()
        rows = []
        for one, scores in zip(found.detections or (), logits, strict=True):
            numbers, kept = paint(one.found(height, width, self.least_score), (height, width))
            channels = merged(
                numbers,
                np.array([k.channel for k in kept], np.int64),
                scores.argmax(0).cpu().numpy(),
                things,
                self.least_stuff,
            )
            rows.append(((channels + 1) << SEGMENT_BITS) + numbers.astype(np.int64))
        return torch.from_numpy(np.stack(rows)).to(logits.device)
