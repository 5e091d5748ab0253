"""FCN: a classification network made fully convolutional, with scores of several strides added.

Long, Shelhamer & Darrell 2014, "Fully Convolutional Networks for Semantic Segmentation",
https://arxiv.org/abs/1411.4038. With a VGG its fully connected layers are kept, as convolutions;
any other encoder of segmentation_models_pytorch is scored as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import is_vgg, refuse
from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


def _refuses(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    return None if is_vgg(encoder) else refuse(title, encoder, {})


@register(
    "fcn",
    title="FCN",
    idea="A classifier of convolutions only: its coarse scores, enlarged, are added to finer ones.",
    paper="https://arxiv.org/abs/1411.4038",
    year=2014,
    tasks=("semantic",),
    encoder="vgg16",
    options=(
        Option("stride", 8, "Stride of the finest map that is scored", choices=(32, 16, 8)),
        Option("at_once", False, "Scale finer maps down, as the authors do to train all at once"),
    ),
    refusal=_refuses,
)
def build_fcn(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.layers.backbone import backbone
    from segcore.models.layers.fcn import Classifier, Fcn
    from segcore.models.layers.vgg import VggEncoder

    encoder = backbone(spec)
    classifier = Classifier() if isinstance(encoder, VggEncoder) else None
    return Fcn(encoder, classifier, spec.outputs, spec.options["stride"], spec.options["at_once"])
