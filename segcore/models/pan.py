"""PAN: a small pyramid weighs the coarsest features, and coarse features weigh the finer ones.

Li, Xiong, An & Wang 2018, "Pyramid Attention Network for Semantic Segmentation",
https://arxiv.org/abs/1805.10180; the network is that of segmentation_models_pytorch, with the
encoder dilated to stride 16 as in the paper. The pyramid halves the coarsest features three times,
so a picture is padded to at least eight of them: 128 pixels at stride 16.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import DEFAULT_ENCODER, ENCODER_DEPTH, INTERPOLATION, SMP_LICENCE
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "pan",
    title="PAN",
    idea="Coarse features decide by attention which of the finer ones matter.",
    paper="https://arxiv.org/abs/1805.10180",
    year=2018,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        Option(
            "output_stride",
            16,
            "Stride to which the encoder is dilated; 32 is not at all",
            (16, 32),
            "encoder_output_stride",
        ),
        Option("decoder_channels", 32, "Channels of the decoder", argument="decoder_channels"),
        replace(INTERPOLATION, default="bilinear"),
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="PAN",
)
def build_pan(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    network: Any = smp_network(spec)
    network.least_size = 8 * network.encoder.output_stride
    return cast("nn.Module", network)
