"""FPN: features of every size brought to one, summed, and read by one small head.

Kirillov, Girshick, He & Dollár 2019, "Panoptic Feature Pyramid Networks" (its semantic branch),
https://arxiv.org/abs/1901.02446, on the pyramid of Lin et al. 2016, arXiv:1612.03144; the network
is that of segmentation_models_pytorch, with any of its encoders. The paper normalises by groups,
as this does, and has no dropout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import DEFAULT_ENCODER, ENCODER_DEPTH, INTERPOLATION, SMP_LICENCE
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "fpn",
    title="FPN",
    idea="Features of every size are summed from coarse to fine and read by one small head.",
    paper="https://arxiv.org/abs/1901.02446",
    year=2019,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        Option(
            "pyramid_channels",
            256,
            "Channels of the pyramid",
            argument="decoder_pyramid_channels",
        ),
        Option(
            "segmentation_channels",
            128,
            "Channels of the merged features (a multiple of 32)",
            argument="decoder_segmentation_channels",
        ),
        Option(
            "merge",
            "add",
            "Whether the pyramid's features are added or concatenated",
            ("add", "cat"),
            "decoder_merge_policy",
        ),
        Option(
            "dropout",
            0.2,
            "Share of channels dropped before the head while training",
            argument="decoder_dropout",
        ),
        INTERPOLATION,
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="FPN",
)
def build_fpn(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(spec)
