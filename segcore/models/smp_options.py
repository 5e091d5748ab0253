"""What the families of segmentation_models_pytorch have in common: options, default, licence.

Each option names the argument that it is there, so `smp_network` passes it on unasked.
"""

from __future__ import annotations

from dataclasses import replace

from segcore.models.registry import Option

DEFAULT_ENCODER = "tu-tf_efficientnet_lite0"
SMP_LICENCE = "MIT (segmentation-models-pytorch)"

ENCODER_DEPTH = Option(
    "encoder_depth",
    5,
    "Stages of the encoder that are used; each halves the size",
    (3, 4, 5),
    "encoder_depth",
)
DECODER_CHANNELS = Option(
    "decoder_channels",
    [256, 128, 64, 32, 16],
    "Channels of the decoder's steps, one for each stage of the encoder",
    argument="decoder_channels",
)
DECODER_ATTENTION = Option(
    "decoder_attention",
    None,
    "None, or scse: squeeze and excitation in the decoder",
    (None, "scse"),
    "decoder_attention_type",
)
NORM = Option(
    "norm",
    "batchnorm",
    "What normalises in the decoder",
    ("batchnorm", "instancenorm", "identity"),
    "decoder_use_norm",
)
INTERPOLATION = Option(
    "interpolation",
    "nearest",
    "How features are enlarged in the decoder",
    ("nearest", "bilinear"),
    "decoder_interpolation",
)
PYRAMID_CHANNELS = Option(
    "decoder_channels", 256, "Channels of the pyramid", argument="decoder_channels"
)
_SEPARABLE = Option(
    "separable",
    False,
    "Whether the pyramid's convolutions are taken apart by channel",
    argument="decoder_aspp_separable",
)


def atrous_options(*, separable: bool) -> tuple[Option, ...]:
    """The options of DeepLabv3 and of DeepLabv3+, which differ in one default."""
    return (
        ENCODER_DEPTH,
        Option(
            "output_stride",
            16,
            "Stride to which the encoder is dilated",
            (8, 16),
            "encoder_output_stride",
        ),
        PYRAMID_CHANNELS,
        Option(
            "atrous_rates",
            [6, 12, 18],
            "Distances of the pyramid's samples at stride 16; twice that at stride 8",
            argument="decoder_atrous_rates",
        ),
        replace(_SEPARABLE, default=separable),
        Option(
            "dropout",
            0.5,
            "Share of numbers dropped after the pyramid while training",
            argument="decoder_aspp_dropout",
        ),
    )
