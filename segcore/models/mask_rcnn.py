"""Mask R-CNN: a box for each object, a class for each box, and a mask within it.

He, Gkioxari, Dollár & Girshick 2017, https://arxiv.org/abs/1703.06870, on the pyramid of Lin et
al. 2016, https://arxiv.org/abs/1612.03144; proposals, heads and losses are torchvision's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcore.base import MaskwrightError
from segcore.models.encoder_table import refuse
from segcore.models.registry import Option, register
from segcore.models.smp_options import DEFAULT_ENCODER
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn

TORCHVISION_LICENCE = "BSD-3-Clause (torchvision)"

OBJECT_OPTIONS = (
    Option(
        "smallest_anchor",
        16,
        "Side in pixels of the smallest of five sizes of boxes that objects are looked for with",
        (4, 8, 16, 32, 64),
    ),
    Option("pyramid_channels", 256, "Channels of the pyramid and of the masks' layers"),
    Option("box_features", 1024, "Features of the two layers that classify and correct a box"),
    Option("proposals", 1000, "Boxes of a picture that are classified when it is predicted"),
    Option("sampled", 128, "Boxes of a picture that a training step looks at"),
    Option("detections", 400, "The most objects that are found in a picture"),
)


def require_things(spec: ModelSpec, title: str) -> None:
    """Refuse classes among which there is no thing.

    Raises
    ------
    MaskwrightError : there is nothing to find objects of.
    """
    if not any(c.thing for c in spec.classes.scored):
        raise MaskwrightError(
            f"{title} finds objects, and no class of the project is counted as objects.",
            "Mark a class as things, or choose a semantic model.",
        )


@register(
    "mask_rcnn",
    title="Mask R-CNN",
    idea="Boxes are proposed, classified and corrected, and a small mask is drawn within each.",
    paper="https://arxiv.org/abs/1703.06870",
    year=2017,
    tasks=("instances",),
    encoder=DEFAULT_ENCODER,
    options=OBJECT_OPTIONS,
    refusal=refuse,
    licence=TORCHVISION_LICENCE,
)
def build_mask_rcnn(spec: ModelSpec, **masks: Any) -> nn.Module:
    """The network of a spec, with random numbers.

    Parameters
    ----------
    masks : parts of `MaskRcnn` that draw masks in place of its own.
    """
    require_things(spec, "Mask R-CNN")
    from segcore.models.layers.mask_rcnn import MaskRcnn

    return MaskRcnn(spec, **masks)
