"""DPT: a plain vision transformer whose tokens of four depths are assembled into a pyramid.

Ranftl, Bochkovskiy & Koltun 2021, "Vision Transformers for Dense Prediction",
https://arxiv.org/abs/2103.13413: DPT-Base (ViT-B/16, 96 to 768 channels reassembled), with the
token that stands for no place concatenated to every other and projected. While training a second
head reads the last but one fusion (the paper weighs its loss by 0.2). The network is that of
segmentation_models_pytorch.

Any size is taken: positions are interpolated (timm's ``dynamic_img_size``). The last norm and the
classifier of the transformer have no part in it and are left out or held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from segcore.models.encoder_table import encoder_row
from segcore.models.registry import Option, register
from segcore.models.smp_options import SMP_LICENCE
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

_PATCHES = (8, 16, 32)
_IDLE = ("norm.", "fc_norm.", "attn_pool.", "head.")  # after the last depth that is read


def _refuses_dpt(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    if not encoder.startswith("tu-"):
        return f"DPT reads a plain vision transformer of timm (tu-...), and {encoder} is none."
    row = encoder_row(encoder)
    if row is None:
        return None
    if row.style != "tokens":
        return f"DPT reads a plain vision transformer, and {encoder} is none."
    if row.patch not in _PATCHES:
        return (
            f"DPT's four sizes need patches of {', '.join(map(str, _PATCHES))} pixels, and those "
            f"of {encoder} have {row.patch}."
        )
    return None


@register(
    "dpt",
    title="DPT",
    idea="The tokens of a vision transformer, each of which sees all, made into a pyramid.",
    paper="https://arxiv.org/abs/2103.13413",
    year=2021,
    tasks=("semantic",),
    encoder="tu-vit_base_patch16_224",
    options=(
        Option("encoder_depth", 4, "Depths of it that are read", (4,), "encoder_depth"),
        Option(
            "readout",
            "cat",
            "What becomes of the token that stands for no place",
            ("cat", "add", "ignore"),
            "decoder_readout",
        ),
        Option(
            "intermediate_channels",
            [96, 192, 384, 768],
            "Channels of the four sizes before fusion",
            argument="decoder_intermediate_channels",
        ),
        Option(
            "fusion_channels",
            256,
            "Channels in which the sizes are fused",
            argument="decoder_fusion_channels",
        ),
        Option("auxiliary", True, "A second head at the last but one fusion while training"),
    ),
    refusal=_refuses_dpt,
    licence=SMP_LICENCE,
    peer="DPT",
)
def build_dpt(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    import warnings

    from segcore.models.encoders import smp_network
    from segcore.models.layers.auxiliary import Tap, convolution_head, with_auxiliary

    with warnings.catch_warnings():
        # Without such a token its readout is a projection; smp advises to leave it out.
        warnings.filterwarnings("ignore", message="Encoder does not have prefix tokens")
        network: Any = smp_network(spec, dynamic_img_size=True, num_classes=0)
    network.input_multiple = 32  # the coarsest of the four sizes, whatever the patch
    for name, parameter in network.encoder.model.named_parameters():
        if name.startswith(_IDLE):
            parameter.requires_grad_(False)
    if not spec.options["auxiliary"]:
        return cast("nn.Module", network)
    channels = spec.options["fusion_channels"]
    head = convolution_head(channels, channels, spec.outputs, 0.1)
    return with_auxiliary(network, {"fusion": Tap("decoder.fusion_blocks.2", head)})
