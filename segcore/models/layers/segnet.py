"""SegNet: the decoder puts each value back where the encoder's pooling found it.

Badrinarayanan, Kendall & Cipolla 2015, https://arxiv.org/abs/1511.00561, section 3.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

from segcore.models.layers.vgg import IndexedVgg


class SegNet(nn.Module):
    """The thirteen convolutions of VGG-16 and their mirror image.

    Parameters
    ----------
    encoder : the name of a VGG, such as ``vgg16_bn``.
    channels, classes : of the picture and of the result.
    """

    input_multiple = least_size = 32

    def __init__(self, encoder: str, channels: int, classes: int) -> None:
        super().__init__()
        self.encoder = IndexedVgg(encoder, channels)
        stages = self.encoder.widths
        self.decoder = nn.ModuleList()
        for number in range(len(stages) - 1, -1, -1):
            wide = stages[number][-1]
            # As many convolutions as the encoder's stage; the last one leads to the next stage's
            # channels, or is the head.
            outside = [wide] * (len(stages[number]) - 1)
            if number:
                outside.append(stages[number - 1][-1])
            steps = itertools.pairwise([wide, *outside])
            self.decoder.append(nn.Sequential(*(_convolution(a, b) for a, b in steps)))
        self.segmentation_head = nn.Conv2d(stages[0][-1], classes, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        found, indices = self.encoder(images)
        values: Tensor = found[-1]
        for stage, places in zip(self.decoder, reversed(indices), strict=True):
            values = stage(functional.max_unpool2d(values, places, [2, 2]))
        scores: Tensor = self.segmentation_head(values)
        return scores


def _convolution(inside: int, outside: int) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))
