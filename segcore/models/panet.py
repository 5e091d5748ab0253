"""PANet: Mask R-CNN whose features come down the pyramid and go back up.

Liu, Qi, Qin, Shi & Jia 2018, "Path Aggregation Network for Instance Segmentation",
https://arxiv.org/abs/1803.01534; its parts are written here, on torchvision's Mask R-CNN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcore.models.encoder_table import refuse
from segcore.models.mask_rcnn import OBJECT_OPTIONS, TORCHVISION_LICENCE, require_things
from segcore.models.registry import register
from segcore.models.smp_options import DEFAULT_ENCODER
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "panet",
    title="PANet",
    idea="Mask R-CNN with a path back up the pyramid; every box is given features of all sizes.",
    paper="https://arxiv.org/abs/1803.01534",
    year=2018,
    tasks=("instances",),
    encoder=DEFAULT_ENCODER,
    options=OBJECT_OPTIONS,
    refusal=refuse,
    licence=TORCHVISION_LICENCE,
)
def build_panet(spec: ModelSpec, **masks: Any) -> nn.Module:
    """The network of a spec, with random numbers.

    Parameters
    ----------
    masks : parts of `MaskRcnn` that draw masks in place of its own.
    """
    require_things(spec, "PANet")
    from segcore.models.layers.mask_rcnn import MaskRcnn
    from segcore.models.layers.panet import BottomUpPath, FusedBoxHead, FusedMask

    channels = int(spec.options["pyramid_channels"])
    return MaskRcnn(
        spec,
        path=BottomUpPath(channels),
        box_head=FusedBoxHead(channels * 7 * 7, int(spec.options["box_features"])),
        **masks or {"mask_branch": FusedMask(channels, spec.outputs)},
    )
