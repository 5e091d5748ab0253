"""U-Net: an encoder, and a decoder that is handed the encoder's features at every size.

Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", https://doi.org/10.1007/978-3-319-24574-4_28; the network is that of
segmentation_models_pytorch, with any of its encoders.

From the paper it differs in that convolutions keep the size (nothing is cropped), are normalised,
enlarge by interpolation, and that the encoder is a classifier's. ``residual`` makes each step of
the decoder a residual unit (as Zhang, Liu & Wang 2018, arXiv:1711.10684, do throughout); with a
ResNet as encoder all of the network is residual then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import (
    DECODER_ATTENTION,
    DECODER_CHANNELS,
    DEFAULT_ENCODER,
    ENCODER_DEPTH,
    INTERPOLATION,
    NORM,
    SMP_LICENCE,
)
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "unet",
    title="U-Net",
    idea="Features of every size are handed across to the decoder, which concatenates them.",
    paper="https://doi.org/10.1007/978-3-319-24574-4_28",
    year=2015,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        DECODER_CHANNELS,
        DECODER_ATTENTION,
        NORM,
        INTERPOLATION,
        Option("residual", False, "Residual units in the decoder"),
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="Unet",
)
def build_unet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    network = smp_network(spec)
    if spec.options.get("residual"):
        _make_residual(network, spec.options.get("interpolation", "nearest"))
    return network


def _make_residual(network: Any, mode: str) -> None:
    from segcore.models.layers.residual_block import ResidualBlock

    blocks = network.decoder.blocks
    for place, block in enumerate(blocks):
        first = block.conv1[0]
        blocks[place] = ResidualBlock(first.in_channels, first.out_channels, mode, block.attention2)
