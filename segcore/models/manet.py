"""MA-Net: attention between places at the coarsest features, and between channels at every skip.

Fan, Wang, Li & Wang 2020, "MA-Net: A Multi-Scale Attention Network for Liver and Tumor
Segmentation", https://doi.org/10.1109/ACCESS.2020.3025372; the network is that of
segmentation_models_pytorch. Memory grows with the square of the number of coarsest pixels (every
one looks at every other).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import (
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
    "manet",
    title="MA-Net",
    idea="Places attend to each other at the coarsest size, channels at every skip.",
    paper="https://doi.org/10.1109/ACCESS.2020.3025372",
    year=2020,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        DECODER_CHANNELS,
        Option(
            "pab_channels",
            64,
            "Channels in which places are compared",
            argument="decoder_pab_channels",
        ),
        NORM,
        INTERPOLATION,
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="MAnet",
)
def build_manet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
