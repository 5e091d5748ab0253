"""SegFormer: a transformer's features of every size, each mixed by one layer and put together.

Xie, Wang, Yu, Anandkumar, Alvarez & Luo 2021, "SegFormer: Simple and Efficient Design for Semantic
Segmentation with Transformers", https://arxiv.org/abs/2105.15203; the decoder is that of
segmentation_models_pytorch, with any of its encoders. The paper's own encoders are ``mit_b0`` to
``mit_b5``; their code and weights are for research and evaluation only, so the default is their
permissively licensed relative ``tu-pvt_v2_b0`` (a pyramid of overlapping patches with attention
over reduced keys, as MiT's).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import ENCODER_DEPTH, SMP_LICENCE
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "segformer",
    title="SegFormer",
    idea="A pyramid of attention, and a decoder that is nothing but one linear layer a size.",
    paper="https://arxiv.org/abs/2105.15203",
    year=2021,
    tasks=("semantic",),
    encoder="tu-pvt_v2_b0",
    options=(
        ENCODER_DEPTH,
        Option(
            "segmentation_channels",
            256,
            "Channels of the decoder",
            argument="decoder_segmentation_channels",
        ),
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="Segformer",
)
def build_segformer(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
