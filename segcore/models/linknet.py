"""LinkNet: a light decoder that adds the encoder's features instead of concatenating them.

Chaurasia & Culurciello 2017, "LinkNet: Exploiting Encoder Representations for Efficient Semantic
Segmentation", https://arxiv.org/abs/1707.03718; the network is that of
segmentation_models_pytorch. The paper adds at three sizes (ResNet-18's stages), this at four, and
its last step is a convolution in place of the paper's two transposed ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import refuse
from segcore.models.registry import register
from segcore.models.smp_options import DEFAULT_ENCODER, ENCODER_DEPTH, NORM, SMP_LICENCE
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


def _refuses_linknet(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    # smp refuses these by name; other encoders without features at half size it knows to bridge.
    return refuse(title, encoder, options, half=encoder.startswith("mit_b"))


@register(
    "linknet",
    title="LinkNet",
    idea="The encoder's features are added in the decoder, not concatenated, for speed.",
    paper="https://arxiv.org/abs/1707.03718",
    year=2017,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        NORM,
    ),
    refusal=_refuses_linknet,
    licence=SMP_LICENCE,
    peer="Linknet",
)
def build_linknet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
