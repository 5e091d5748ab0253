"""SegFormer: a transformer's features of every size, each mixed by one layer and put together.

Xie, Wang, Yu, Anandkumar, Alvarez & Luo 2021, "SegFormer: Simple and Efficient Design for Semantic
Segmentation with Transformers", https://arxiv.org/abs/2105.15203; the decoder is that of
segmentation_models_pytorch, with any of its encoders. The paper's own encoders are ``mit_b0`` to
``mit_b5``; their code and weights are for research and evaluation only, so the default is their
permissively licensed relative ``tu-pvt_v2_b0`` (a pyramid of overlapping patches with attention
over reduced keys, as MiT's).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec
from segcore.models.unet import SMP_LICENCE

if TYPE_CHECKING:
    from torch import nn


def _refuses_segformer(encoder: str, options: Mapping[str, Any]) -> str | None:
    return refuse("SegFormer", encoder, options)


@register(
    "segformer",
    title="SegFormer",
    idea="A pyramid of attention, and a decoder that is nothing but one linear layer a size.",
    paper="https://arxiv.org/abs/2105.15203",
    year=2021,
    tasks=("semantic",),
    encoder="tu-pvt_v2_b0",
    options=(
        Option(
            "encoder_depth",
            5,
            "Stages of the encoder that are used; each halves the size",
            (3, 4, 5),
            "encoder_depth",
        ),
        Option(
            "segmentation_channels",
            256,
            "Channels of the decoder",
            argument="decoder_segmentation_channels",
        ),
    ),
    refusal=_refuses_segformer,
    licence=SMP_LICENCE,
    peer="Segformer",
)
def build_segformer(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
