"""Panoptic FPN: one pyramid under two branches, one that finds objects and one for every pixel.

Kirillov, Girshick, He & Dollár 2019, "Panoptic Feature Pyramid Networks",
https://arxiv.org/abs/1901.02446; the objects' branch is Mask R-CNN with torchvision's parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.encoder_table import refuse
from segcore.models.mask_rcnn import OBJECT_OPTIONS, TORCHVISION_LICENCE, require_things
from segcore.models.registry import Option, register
from segcore.models.smp_options import DEFAULT_ENCODER
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "panoptic_fpn",
    title="Panoptic FPN",
    idea="Mask R-CNN and a semantic branch share a pyramid; their answers are merged into one.",
    paper="https://arxiv.org/abs/1901.02446",
    year=2019,
    tasks=("semantic", "instances", "panoptic"),
    encoder=DEFAULT_ENCODER,
    options=(
        *OBJECT_OPTIONS,
        Option("semantic_share", 0.5, "Weight of the semantic branch's loss beside the objects'"),
        Option("least_stuff", 64, "Pixels below which a class that is no thing is left undecided"),
    ),
    refusal=refuse,
    licence=TORCHVISION_LICENCE,
)
def build_panoptic_fpn(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    require_things(spec, "Panoptic FPN")
    from segcore.models.layers.panoptic_fpn import PanopticFpn

    return PanopticFpn(spec)
