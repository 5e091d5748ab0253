"""A step of U-Net's decoder with a short way around its two convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Upsampling, concatenation with the encoder's features, and a residual unit.

    The unit is that of He et al. 2015 (arXiv:1512.03385, section 3): two 3 x 3 convolutions, the
    input brought to their number of channels by a 1 x 1 convolution and added before the last
    ReLU. It takes the place of a block of segmentation-models-pytorch and is called like one.

    Parameters
    ----------
    channels : of the upsampled and the encoder's features together.
    width : channels that come out.
    mode : how features are enlarged.
    attention : what weighs the sum at the end, or nothing.
    """

    def __init__(
        self, channels: int, width: int, mode: str, attention: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.mode = mode
        self.attention = attention or nn.Identity()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(
        self, features: Tensor, height: int, width: int, skip_connection: Tensor | None = None
    ) -> Tensor:
        features = functional.interpolate(features, size=(height, width), mode=self.mode)
        if skip_connection is not None:
            features = torch.cat([features, skip_connection], dim=1)
        joined = functional.relu(self.body(features) + self.shortcut(features))
        attended: Tensor = self.attention(joined)
        return attended
