"""ENet: bottlenecks that are narrow, dilated or asymmetric, on a picture that is halved at once.

Paszke, Chaurasia, Kim & Culurciello 2016, https://arxiv.org/abs/1606.02147, sections 3 and 4. Names
follow the rows of its table I.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-3  # of the norms, as in the authors' network


class Initial(nn.Module):
    """Half the size at once: convolutions of stride 2 beside the pooled picture itself."""

    def __init__(self, channels: int, outside: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, outside - channels, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.after = nn.Sequential(nn.BatchNorm2d(outside, _EPS), nn.PReLU(outside))

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.after(torch.cat((self.convolution(images), self.pool(images)), 1))
        return result


class Bottleneck(nn.Module):
    """A residual step: narrowed to a quarter, convolved, widened, dropped by channels, added.

    Parameters
    ----------
    width : channels in and out.
    dilation : of the 3 x 3 convolution.
    asymmetric : 5 x 1 and 1 x 5 in place of 3 x 3.
    drop : share of channels dropped.
    learned : PReLU, as in the encoder; else ReLU, as after it.
    """

    def __init__(
        self,
        width: int,
        drop: float,
        *,
        dilation: int = 1,
        asymmetric: bool = False,
        learned: bool = True,
    ) -> None:
        super().__init__()
        narrow = width // 4
        if asymmetric:
            middle: list[nn.Module] = [
                nn.Conv2d(narrow, narrow, (5, 1), padding=(2, 0), bias=False),
                nn.Conv2d(narrow, narrow, (1, 5), padding=(0, 2)),
            ]
        else:
            middle = [nn.Conv2d(narrow, narrow, 3, padding=dilation, dilation=dilation)]
        self.branch = nn.Sequential(
            nn.Conv2d(width, narrow, 1, bias=False),
            *_after(narrow, learned),
            *middle,
            *_after(narrow, learned),
            nn.Conv2d(narrow, width, 1, bias=False),
            nn.BatchNorm2d(width, _EPS),
            nn.Dropout2d(drop),
        )
        self.activation = _activation(width, learned)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.activation(values + self.branch(values))
        return result


class Downsampling(nn.Module):
    """The bottleneck that halves: its main branch is pooled and filled up with zero channels."""

    def __init__(self, inside: int, outside: int, drop: float) -> None:
        super().__init__()
        narrow = outside // 4
        self.branch = nn.Sequential(
            nn.Conv2d(inside, narrow, 2, stride=2, bias=False),
            *_after(narrow, True),
            nn.Conv2d(narrow, narrow, 3, padding=1),
            *_after(narrow, True),
            nn.Conv2d(narrow, outside, 1, bias=False),
            nn.BatchNorm2d(outside, _EPS),
            nn.Dropout2d(drop),
        )
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.further = outside - inside
        self.activation = _activation(outside, True)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and where each maximum of the main branch came from."""
        pooled, places = self.pool(values)
        pooled = functional.pad(pooled, (0, 0, 0, 0, 0, self.further))
        return self.activation(pooled + self.branch(values)), places


class Upsampling(nn.Module):
    """The bottleneck that doubles: its main branch is put back where the pooling found it."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        narrow = outside // 4
        self.branch = nn.Sequential(
            nn.Conv2d(inside, narrow, 1, bias=False),
            *_after(narrow, False),
            nn.ConvTranspose2d(narrow, narrow, 3, stride=2, padding=1, output_padding=1),
            *_after(narrow, False),
            nn.Conv2d(narrow, outside, 1, bias=False),
            nn.BatchNorm2d(outside, _EPS),
        )
        self.main = nn.Sequential(
            nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside, _EPS)
        )
        self.activation = _activation(outside, False)

    def forward(self, values: Tensor, places: Tensor) -> Tensor:
        main = functional.max_unpool2d(self.main(values), places, [2, 2])
        result: Tensor = self.activation(main + self.branch(values))
        return result


class FullConvolution(nn.Conv2d):
    """A transposed 2 x 2 convolution of stride 2 whose weight has its classes on the first axis.

    Torch keeps the weight of a transposed convolution with the inputs first; a head here has one
    row a class, so that fine-tuning can carry classes over.
    """

    def __init__(self, inside: int, classes: int) -> None:
        super().__init__(inside, classes, 2, stride=2)

    def forward(self, values: Tensor) -> Tensor:
        return functional.conv_transpose2d(values, self.weight.transpose(0, 1), self.bias, stride=2)


class ENet(nn.Module):
    """The network of table I.

    Parameters
    ----------
    channels, classes : of the picture and of the result.
    drop : shares of channels dropped in stage 1 and after it.
    """

    input_multiple = least_size = 8
    fine_layer = "stage1"

    def __init__(
        self, channels: int, classes: int, drop: tuple[float, float] = (0.01, 0.1)
    ) -> None:
        super().__init__()
        first, later = drop
        # 16 maps, 3 of them the picture: with more channels at least half are still convolved.
        stem = max(16, 2 * channels)
        self.initial = Initial(channels, stem)
        self.bottleneck1_0 = Downsampling(stem, 64, first)
        self.stage1 = nn.Sequential(*(Bottleneck(64, first) for _ in range(4)))
        self.bottleneck2_0 = Downsampling(64, 128, later)
        self.stage2 = _stage(128, later)
        self.stage3 = _stage(128, later)
        self.bottleneck4_0 = Upsampling(128, 64)
        self.stage4 = nn.Sequential(*(Bottleneck(64, 0.0, learned=False) for _ in range(2)))
        self.bottleneck5_0 = Upsampling(64, stem)
        self.stage5 = Bottleneck(stem, 0.0, learned=False)
        self.segmentation_head = FullConvolution(stem, classes)

    def forward(self, images: Tensor) -> Tensor:
        values, half = self.bottleneck1_0(self.initial(images))
        values, quarter = self.bottleneck2_0(self.stage1(values))
        values = self.stage3(self.stage2(values))
        values = self.stage4(self.bottleneck4_0(values, quarter))
        values = self.stage5(self.bottleneck5_0(values, half))
        scores: Tensor = self.segmentation_head(values)
        return scores


def _stage(width: int, drop: float) -> nn.Sequential:
    """Stages 2 and 3: plain, dilated and asymmetric bottlenecks in turn, dilated further and on."""
    return nn.Sequential(
        Bottleneck(width, drop),
        Bottleneck(width, drop, dilation=2),
        Bottleneck(width, drop, asymmetric=True),
        Bottleneck(width, drop, dilation=4),
        Bottleneck(width, drop),
        Bottleneck(width, drop, dilation=8),
        Bottleneck(width, drop, asymmetric=True),
        Bottleneck(width, drop, dilation=16),
    )


def _after(width: int, learned: bool) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width, _EPS), _activation(width, learned)


def _activation(width: int, learned: bool) -> nn.Module:
    return nn.PReLU(width) if learned else nn.ReLU(inplace=True)
