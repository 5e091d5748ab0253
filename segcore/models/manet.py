"""MA-Net: attention between places at the coarsest features, and between channels at every skip.

Fan, Wang, Li & Wang 2020, "MA-Net: A Multi-Scale Attention Network for Liver and Tumor
Segmentation", https://doi.org/10.1109/ACCESS.2020.3025372; the network is that of
segmentation_models_pytorch. Memory grows with the square of the number of coarsest pixels (every
one looks at every other).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec
from segcore.models.unet import DEFAULT_ENCODER, SMP_LICENCE

if TYPE_CHECKING:
    from torch import nn


def _refuses_manet(encoder: str, options: Mapping[str, Any]) -> str | None:
    return refuse("MA-Net", encoder, options)


@register(
    "manet",
    title="MA-Net",
    idea="Places attend to each other at the coarsest size, channels at every skip.",
    paper="https://doi.org/10.1109/ACCESS.2020.3025372",
    year=2020,
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
            "decoder_channels",
            [256, 128, 64, 32, 16],
            "Channels of the decoder's steps, one for each stage of the encoder",
            argument="decoder_channels",
        ),
        Option(
            "pab_channels",
            64,
            "Channels in which places are compared",
            argument="decoder_pab_channels",
        ),
        Option(
            "norm",
            "batchnorm",
            "What normalises in the decoder",
            ("batchnorm", "instancenorm", "identity"),
            "decoder_use_norm",
        ),
        Option(
            "interpolation",
            "nearest",
            "How features are enlarged in the decoder",
            ("nearest", "bilinear"),
            "decoder_interpolation",
        ),
    ),
    refusal=_refuses_manet,
    licence=SMP_LICENCE,
    peer="MAnet",
)
def build_manet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
