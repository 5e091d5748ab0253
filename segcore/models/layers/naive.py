"""The naive network: down by strided convolutions, up by transposed ones, nothing between."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn


class Naive(nn.Module):
    """An encoder and a decoder without skips.

    Parameters
    ----------
    channels, classes : of the picture and of the result.
    widths : channels at each size, the picture's own size first; each further one is half as
        large.
    """

    fine_layer = "down.1"

    def __init__(self, channels: int, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.input_multiple = self.least_size = 2 ** (len(widths) - 1)
        steps = list(itertools.pairwise(widths))
        self.stem = _convolution(channels, widths[0], stride=1)
        self.down = nn.Sequential(
            *(
                nn.Sequential(_convolution(wide, next_, stride=2), _convolution(next_, next_))
                for wide, next_ in steps
            )
        )
        self.up = nn.Sequential(*(_transposed(next_, wide) for wide, next_ in reversed(steps)))
        self.segmentation_head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.segmentation_head(self.up(self.down(self.stem(images))))
        return scores


def _convolution(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def _transposed(inside: int, outside: int) -> nn.Sequential:
    # A kernel of 4 covers every output pixel by as many inputs; one of 3 would not and leaves the
    # pattern of a chessboard (Odena et al. 2016, https://doi.org/10.23915/distill.00003).
    return nn.Sequential(
        nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )
