"""U-Net++: U-Net whose skips pass through steps of their own, each fed by all before it.

Zhou, Siddiquee, Tajbakhsh & Liang 2018, "UNet++: A Nested U-Net Architecture for Medical Image
Segmentation", https://arxiv.org/abs/1807.10165; the network is that of
segmentation_models_pytorch. ``deep_supervision`` gives, while training, a head to each of the
nested networks; since an encoder's finest features are at half the picture's size, so are the
nodes that these heads read (in the paper they are at full size).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import (
    DECODER_ATTENTION,
    DECODER_CHANNELS,
    DEFAULT_ENCODER,
    ENCODER_DEPTH,
    INTERPOLATION,
    NORM,
    SMP_LICENCE,
)
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


def _refuses_unetplusplus(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    return refuse(title, encoder, options, half=True)


@register(
    "unetplusplus",
    title="U-Net++",
    idea="Nested and dense skips close the gap between what encoder and decoder know.",
    paper="https://arxiv.org/abs/1807.10165",
    year=2018,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        ENCODER_DEPTH,
        DECODER_CHANNELS,
        DECODER_ATTENTION,
        NORM,
        INTERPOLATION,
        Option("deep_supervision", False, "A head for each nested network while training"),
    ),
    refusal=_refuses_unetplusplus,
    licence=SMP_LICENCE,
    peer="UnetPlusPlus",
)
def build_unetplusplus(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from torch import nn

    from segcore.models.encoders import smp_network
    from segcore.models.layers.auxiliary import Tap, with_auxiliary

    network: Any = smp_network(spec)
    if not spec.options["deep_supervision"]:
        return cast("nn.Module", network)
    last = network.decoder.depth - 1
    taps = {}
    for nested in range(1, last + 1):
        name = f"x_{nested}_{last}"
        channels = network.decoder.blocks[name].conv2[0].out_channels
        head = nn.Conv2d(channels, spec.outputs, 1)
        taps[f"nested{last + 1 - nested}"] = Tap(f"decoder.blocks.{name}", head)
    return with_auxiliary(network, taps)
