"""DeepLabv3+: DeepLabv3 with a small decoder that brings back edges from stride 4.

Chen, Zhu, Papandreou, Schroff & Adam 2018, "Encoder-Decoder with Atrous Separable Convolution for
Semantic Image Segmentation", https://arxiv.org/abs/1802.02611: the encoder dilated to stride 16,
rates 6, 12 and 18 (at ``output_stride=8`` give twice those), 48 channels of the encoder's features
at stride 4. The network is that of segmentation_models_pytorch, whose own rates are 12, 24 and 36;
its decoder has one separable 3 x 3 convolution where the paper has two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.encoder_table import refuse
from segcore.models.registry import register
from segcore.models.smp_options import DEFAULT_ENCODER, atrous_options
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "deeplabv3plus",
    title="DeepLabv3+",
    idea="DeepLabv3's pyramid, then a small decoder that brings back edges from finer features.",
    paper="https://arxiv.org/abs/1802.02611",
    year=2018,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=atrous_options(separable=True),
    refusal=refuse,
    licence="BSD-3-Clause (torchvision, by way of segmentation-models-pytorch)",
    peer="DeepLabV3Plus",
)
def build_deeplabv3plus(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
