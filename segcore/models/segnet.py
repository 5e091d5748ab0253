"""SegNet: pooling remembers where each maximum was, and the decoder puts it back there.

Badrinarayanan, Kendall & Cipolla 2015, "SegNet: A Deep Convolutional Encoder-Decoder Architecture
for Image Segmentation", https://arxiv.org/abs/1511.00561. The encoder is torchvision's VGG-16 with
batch normalisation, or another of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import is_vgg
from segcore.models.registry import register
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


def _refuses(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    if is_vgg(encoder):
        return None
    return f"SegNet needs the pooling of a VGG, which {encoder} has not."


@register(
    "segnet",
    title="SegNet",
    idea="The decoder unpools: each value returns to the pixel that the encoder's pooling took.",
    paper="https://arxiv.org/abs/1511.00561",
    year=2015,
    tasks=("semantic",),
    encoder="vgg16_bn",
    refusal=_refuses,
)
def build_segnet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.layers.segnet import SegNet

    return SegNet(spec.encoder, spec.channels, spec.outputs)
