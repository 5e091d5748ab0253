"""PSPNet: features pooled over the whole picture, its halves, thirds and sixths, as context.

Zhao, Shi, Qi, Wang & Jia 2016, "Pyramid Scene Parsing Network",
https://arxiv.org/abs/1612.01105. As in the paper the encoder is dilated to stride 8, and while
training a second head reads the features of stage 4 (the paper weighs its loss by 0.4). The
network is that of segmentation_models_pytorch, whose own default is another one: the first three
stages of the encoder, not dilated, which is smaller and much faster (``encoder_depth=3``).

From the paper it differs in three places: the pooled features are joined by a 1 x 1 convolution,
not 3 x 3; what is pooled to one pixel is not normalised; the dropout drops whole channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import DEFAULT_ENCODER, ENCODER_DEPTH, NORM, SMP_LICENCE
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "pspnet",
    title="PSPNet",
    idea="Features pooled at four sizes tell every pixel what the whole scene is.",
    paper="https://arxiv.org/abs/1612.01105",
    year=2016,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        Option(
            "output_stride",
            8,
            "Stride to dilate the encoder to; 32 is not at all",
            (8, 16, 32),
        ),
        Option("psp_channels", 512, "Channels of the joined features", argument="psp_out_channels"),
        NORM,
        Option(
            "dropout",
            0.1,
            "Share of channels dropped before the head while training",
            argument="psp_dropout",
        ),
        Option("auxiliary", True, "A second head at stage 4 while training"),
    ),
    refusal=refuse,
    licence=SMP_LICENCE,
    peer="PSPNet",
)
def build_pspnet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network
    from segcore.models.layers.auxiliary import Tap, convolution_head, with_auxiliary

    options = spec.options
    coarsest = 2 ** options["encoder_depth"]
    stride = min(options["output_stride"], coarsest)
    # Only what is dilated is told so: most encoders cannot be.
    dilated = {"output_stride": stride} if stride < coarsest else {}
    network: Any = smp_network(spec, upsampling=stride, **dilated)
    if not options["auxiliary"]:
        return cast("nn.Module", network)
    channels = network.encoder.out_channels[-2]
    head = convolution_head(channels, max(channels // 4, 1), spec.outputs, options["dropout"])
    return with_auxiliary(network, {"stage4": Tap("encoder", head, -2)})
