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
from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec
from segcore.models.unet import DEFAULT_ENCODER, SMP_LICENCE

if TYPE_CHECKING:
    from torch import nn


def _refuses_linknet(encoder: str, options: Mapping[str, Any]) -> str | None:
    # smp refuses these by name; other encoders without features at half size it knows to bridge.
    return refuse("LinkNet", encoder, options, half=encoder.startswith("mit_b"))


@register(
    "linknet",
    title="LinkNet",
    idea="The encoder's features are added in the decoder, not concatenated, for speed.",
    paper="https://arxiv.org/abs/1707.03718",
    year=2017,
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
            "norm",
            "batchnorm",
            "What normalises in the decoder",
            ("batchnorm", "instancenorm", "identity"),
            "decoder_use_norm",
        ),
    ),
    refusal=_refuses_linknet,
    licence=SMP_LICENCE,
    peer="Linknet",
)
def build_linknet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
