"""DeepLab, versions 1 and 2: an encoder dilated to stride 8 and a head with a wide field of view.

Version 1: Chen, Papandreou, Kokkinos, Murphy & Yuille 2014, "Semantic Image Segmentation with Deep
Convolutional Nets and Fully Connected CRFs", https://arxiv.org/abs/1412.7062. Version 2: the same
2016, "DeepLab", https://arxiv.org/abs/1606.00915. Their dense CRF is a step of its own, after
prediction: `segcore.refine.densecrf`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import is_vgg, refuse
from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

LARGE_FIELD_OF_VIEW = (12,)
PYRAMID = (6, 12, 18, 24)


def _refuses(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    if is_vgg(encoder):
        return None
    return refuse(title, encoder, {"output_stride": 8})


@register(
    "deeplab",
    title="DeepLab",
    idea="Dilated convolutions keep the map dense and see far; version 2 (2016) at four rates.",
    paper="https://arxiv.org/abs/1412.7062",
    year=2014,
    tasks=("semantic",),
    encoder="vgg16",
    options=(
        Option(
            "version",
            2,
            "1: large field of view; 2: pyramid, arXiv:1606.00915",
            choices=(1, 2),
        ),
    ),
    refusal=_refuses,
)
def build_deeplab(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.layers.backbone import backbone
    from segcore.models.layers.deeplab import DeepLab

    version = spec.options["version"]
    rates = LARGE_FIELD_OF_VIEW if version == 1 else PYRAMID
    return DeepLab(backbone(spec, output_stride=8), spec.channels, spec.outputs, version, rates)
