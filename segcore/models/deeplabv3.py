"""DeepLabv3: dilated convolutions of several rates side by side, and the picture's mean.

Chen, Papandreou, Schroff & Adam 2017, "Rethinking Atrous Convolution for Semantic Image
Segmentation", https://arxiv.org/abs/1706.05587: the encoder dilated to stride 16 (as the paper
trains), rates 6, 12 and 18; at ``output_stride=8`` give twice those, as the paper does. The
network is that of segmentation_models_pytorch, whose own default is stride 8. It adds a 3 x 3
convolution after the pyramid.
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
    "deeplabv3",
    title="DeepLabv3",
    idea="Convolutions with holes of several widths see near and far at once, at fine strides.",
    paper="https://arxiv.org/abs/1706.05587",
    year=2017,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=atrous_options(separable=False),
    refusal=refuse,
    licence="BSD-3-Clause (torchvision, by way of segmentation-models-pytorch)",
    peer="DeepLabV3",
)
def build_deeplabv3(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
