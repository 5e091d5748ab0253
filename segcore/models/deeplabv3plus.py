"""DeepLabv3+: DeepLabv3 with a small decoder that brings back edges from stride 4.

Chen, Zhu, Papandreou, Schroff & Adam 2018, "Encoder-Decoder with Atrous Separable Convolution for
Semantic Image Segmentation", https://arxiv.org/abs/1802.02611: the encoder dilated to stride 16,
rates 6, 12 and 18 (at ``output_stride=8`` give twice those), 48 channels of the encoder's features
at stride 4. The network is that of segmentation_models_pytorch, whose own rates are 12, 24 and 36;
its decoder has one separable 3 x 3 convolution where the paper has two.
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


def _refuses_deeplabv3plus(encoder: str, options: Mapping[str, Any]) -> str | None:
    return refuse("DeepLabv3+", encoder, options)


@register(
    "deeplabv3plus",
    title="DeepLabv3+",
    idea="DeepLabv3's pyramid, then a small decoder that brings back edges from finer features.",
    paper="https://arxiv.org/abs/1802.02611",
    year=2018,
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
            True,
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
    refusal=_refuses_deeplabv3plus,
    licence="BSD-3-Clause (torchvision, by way of segmentation-models-pytorch)",
    peer="DeepLabV3Plus",
)
def build_deeplabv3plus(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
