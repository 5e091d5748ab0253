"""UPerNet: PSPNet's pooling at the top of a feature pyramid, all sizes joined at the end.

Xiao, Liu, Zhou, Jiang & Sun 2018, "Unified Perceptual Parsing for Scene Understanding",
https://arxiv.org/abs/1807.10221, its head for classes of objects; the network is that of
segmentation_models_pytorch, which normalises the encoder's features by layer first.
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


def _refuses_upernet(encoder: str, options: Mapping[str, Any]) -> str | None:
    return refuse("UPerNet", encoder, options)


@register(
    "upernet",
    title="UPerNet",
    idea="Pooling over the whole scene on top of a feature pyramid; all sizes vote.",
    paper="https://arxiv.org/abs/1807.10221",
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
        Option("decoder_channels", 256, "Channels of the pyramid", argument="decoder_channels"),
        Option(
            "norm",
            "batchnorm",
            "What normalises in the decoder",
            ("batchnorm", "identity"),
            "decoder_use_norm",
        ),
    ),
    refusal=_refuses_upernet,
    licence=SMP_LICENCE,
    peer="UPerNet",
)
def build_upernet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
