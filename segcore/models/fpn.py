"""FPN: features of every size brought to one, summed, and read by one small head.

Kirillov, Girshick, He & Dollár 2019, "Panoptic Feature Pyramid Networks" (its semantic branch),
https://arxiv.org/abs/1901.02446; the network is that of segmentation_models_pytorch, with any
of its encoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec
from segcore.models.unet import DEFAULT_ENCODER

if TYPE_CHECKING:
    from torch import nn


@register(
    "fpn",
    title="FPN",
    paper="https://arxiv.org/abs/1901.02446",
    year=2019,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        Option("pyramid_channels", 256, "Channels of the pyramid"),
        Option("segmentation_channels", 128, "Channels of the merged features (a multiple of 32)"),
        Option("dropout", 0.2, "Share of channels dropped before the head while training"),
    ),
)
def build_fpn(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(
        "FPN",
        spec,
        decoder_pyramid_channels=spec.options["pyramid_channels"],
        decoder_segmentation_channels=spec.options["segmentation_channels"],
        decoder_dropout=spec.options["dropout"],
    )
