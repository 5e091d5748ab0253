"""U-Net: an encoder, and a decoder that is handed the encoder's features at every size.

Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", https://doi.org/10.1007/978-3-319-24574-4_28; the network is that of
segmentation_models_pytorch, with any of its encoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

DEFAULT_ENCODER = "tu-tf_efficientnet_lite0"


@register(
    "unet",
    title="U-Net",
    paper="https://doi.org/10.1007/978-3-319-24574-4_28",
    year=2015,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        Option("decoder_channels", [256, 128, 64, 32, 16], "Channels of the five decoder steps"),
        Option("decoder_attention", None, "None, or scse: squeeze and excitation in the decoder"),
    ),
)
def build_unet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.encoders import smp_network

    return smp_network(
        "Unet",
        spec,
        decoder_channels=tuple(spec.options["decoder_channels"]),
        decoder_attention_type=spec.options["decoder_attention"],
    )
