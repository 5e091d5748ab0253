"""UPerNet: PSPNet's pooling at the top of a feature pyramid, all sizes joined at the end.

Xiao, Liu, Zhou, Jiang & Sun 2018, "Unified Perceptual Parsing for Scene Understanding",
https://arxiv.org/abs/1807.10221, its head for classes of objects; the network is that of
segmentation_models_pytorch, which normalises the encoder's features by layer first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from segcore.models.encoder_table import refuse
from segcore.models.registry import register
from segcore.models.smp_options import (
    DEFAULT_ENCODER,
    ENCODER_DEPTH,
    NORM,
    PYRAMID_CHANNELS,
    SMP_LICENCE,
)
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "upernet",
    title="UPerNet",
    idea="Pooling over the whole scene on top of a feature pyramid; all sizes vote.",
    paper="https://arxiv.org/abs/1807.10221",
    year=2018,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        PYRAMID_CHANNELS,
        replace(NORM, choices=("batchnorm", "identity")),
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="UPerNet",
)
def build_upernet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
