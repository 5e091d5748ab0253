"""DeepLabv3: dilated convolutions of several rates side by side, and the picture's mean.

Chen, Papandreou, Schroff & Adam 2017, "Rethinking Atrous Convolution for Semantic Image
Segmentation", https://arxiv.org/abs/1706.05587: the encoder dilated to stride 16 (as the paper
trains), rates 6, 12 and 18; at ``output_stride=8`` give twice those, as the paper does. The
network is that of segmentation_models_pytorch, whose own default is stride 8. It adds a 3 x 3
convolution after the pyramid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec
from segcore.models.unet import DEFAULT_ENCODER

if TYPE_CHECKING:
    from torch import nn


def _refuses_deeplabv3(encoder: str, options: Mapping[str, Any]) -> str | None:
    return refuse("DeepLabv3", encoder, options)


@register(
    "deeplabv3",
    title="DeepLabv3",
    idea="Convolutions with holes of several widths see near and far at once, at fine strides.",
    paper="https://arxiv.org/abs/1706.05587",
    year=2017,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        Option(
            "encoder_depth",
            5,
            "Stages of the encoder that are used; each halves the size",
            (3, 4, 5),
            "encoder_depth",
        ),
        Option(
            "output_stride",
            16,
            "Stride to which the encoder is dilated",
            (8, 16),
            "encoder_output_stride",
        ),
        Option(
            "decoder_channels",
            256,
            "Channels of the pyramid",
            argument="decoder_channels",
        ),
        Option(
            "atrous_rates",
            [6, 12, 18],
            "Distances of the pyramid's samples at stride 16; twice that at stride 8",
            argument="decoder_atrous_rates",
        ),
        Option(
            "separable",
            False,
            "Whether the pyramid's convolutions are taken apart by channel",
            argument="decoder_aspp_separable",
        ),
        Option(
            "dropout",
            0.5,
            "Share of numbers dropped after the pyramid while training",
            argument="decoder_aspp_dropout",
        ),
    ),
    refusal=_refuses_deeplabv3,
    licence="BSD-3-Clause (torchvision, by way of segmentation-models-pytorch)",
    peer="DeepLabV3",
)
def build_deeplabv3(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
