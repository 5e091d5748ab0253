"""DeepLab, versions 1 and 2: dense features by dilation, and a wide field of view.

Chen et al. 2014, https://arxiv.org/abs/1412.7062 (large field of view), and Chen et al. 2016,
https://arxiv.org/abs/1606.00915, section 3.2 (atrous spatial pyramid pooling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcore.models.layers.backbone import multiple, widths
from segcore.models.layers.vgg import AtrousVgg

_WIDE = 1024


class Branch(nn.Sequential):
    """fc6, fc7 and fc8 of a VGG, narrowed to 1024 channels, the first one dilated."""

    def __init__(self, inside: int, classes: int, rate: int) -> None:
        super().__init__(
            nn.Conv2d(inside, _WIDE, 3, padding=rate, dilation=rate),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(_WIDE, _WIDE, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            _score(nn.Conv2d(_WIDE, classes, 1)),
        )

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Fill fc6 and fc7 from torchvision's VGG, thinned out."""
        wide = state["classifier.0.weight"]
        step = len(wide) // _WIDE
        places = wide.reshape(len(wide), -1, 7, 7)
        self.load_state_dict(
            {
                "0.weight": places[::step, :, ::3, ::3],
                "0.bias": state["classifier.0.bias"][::step],
                "3.weight": state["classifier.3.weight"][::step, ::step, None, None],
                "3.bias": state["classifier.3.bias"][::step],
            },
            strict=False,
        )


class Pyramid(nn.Module):
    """The sum of branches of several rates, each with scores of its own."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, values: Tensor) -> Tensor:
        first, *others = (branch(values) for branch in self.branches)
        total: Tensor = first
        for scores in others:
            total = total + scores
        return total


class DeepLab(nn.Module):
    """A dilated encoder and a head that sees far, at stride 8.

    Parameters
    ----------
    encoder : of stride 8.
    channels, classes : of the picture and of the result.
    version : 1 has one branch; 2 sums one for each rate.
    rates : dilations of the branches, in pixels of the map.
    """

    def __init__(
        self, encoder: nn.Module, channels: int, classes: int, version: int, rates: Sequence[int]
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.input_multiple = multiple(encoder)
        self.least_size = max(16, self.input_multiple)
        self.on_corners = _lies_on_corners(encoder, channels)
        inside = widths(encoder)[8]
        vgg = isinstance(encoder, AtrousVgg)
        # Version 1 alone smooths the last map, in the authors' network (pool5a).
        self.smooth = nn.AvgPool2d(3, stride=1, padding=1) if vgg and version == 1 else None
        if version == 1 or vgg:
            self.segmentation_head = Pyramid([Branch(inside, classes, r) for r in rates])
        else:
            self.segmentation_head = Pyramid(
                [
                    _score(nn.Conv2d(inside, classes, 3, padding=rate, dilation=rate))
                    for rate in rates
                ]
            )
        last = ".6" if version == 1 or vgg else ""
        self.class_axes = {
            f"segmentation_head.branches.{i}{last}.{kind}": {0: 0}
            for i in range(len(rates))
            for kind in ("weight", "bias")
        }

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        further = int(self.on_corners)
        if further:
            # On 8 k + 1 pixels the map lies on every eighth of them, the first and the last
            # included, and enlarging it is exact; one more row and column makes it so.
            images = functional.pad(images, (0, 1, 0, 1), mode="replicate")
        values = self.encoder(images)[-1]
        if self.smooth is not None:
            values = self.smooth(values)
        scores = functional.interpolate(
            self.segmentation_head(values),
            size=(height + further, width + further),
            mode="bilinear",
            align_corners=self.on_corners,
        )
        return scores[..., :height, :width]

    def take_classifier(self, state: Mapping[str, Tensor]) -> None:
        """fc6 and fc7 of VGG, thinned out as in section 3 of the first paper.

        Of fc6 every third place of 7 x 7 is kept; of both every fourth channel.
        """
        for branch in self.segmentation_head.branches:
            if isinstance(branch, Branch) and isinstance(self.encoder, AtrousVgg):
                branch.take(state)


def _lies_on_corners(encoder: nn.Module, channels: int) -> bool:
    """Whether 65 pixels give a map of 9, on their corners, or one of 8, between them.

    Networks that cut a picture into patches do the latter, or take no such size at all.
    """
    training = encoder.training
    try:
        with torch.no_grad():
            found: Tensor = encoder.eval()(torch.zeros(1, channels, 65, 65))[-1]
    except (RuntimeError, ValueError, AssertionError):
        return False
    finally:
        encoder.train(training)
    return found.shape[-1] == 9


def _score(convolution: nn.Conv2d) -> nn.Conv2d:
    nn.init.normal_(convolution.weight, std=0.01)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution
