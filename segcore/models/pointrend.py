"""PointRend: a point head on any semantic model here, or on the masks of Mask R-CNN and PANet.

Kirillov, Wu, He & Girshick 2019, "PointRend: Image Segmentation as Rendering",
https://arxiv.org/abs/1912.08193.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.base import MaskwrightError
from segcore.models.mask_rcnn import build_mask_rcnn
from segcore.models.panet import build_panet
from segcore.models.registry import Architecture, Option, architecture, register
from segcore.models.smp_options import DEFAULT_ENCODER
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


_FINDERS = {"mask_rcnn": build_mask_rcnn, "panet": build_panet}  # what takes other masks
# Points of a picture, or of an object, in training; points that a doubling decides in use.
_OF_PICTURES = {"points": 2048, "refined": 8192}
_OF_OBJECTS = {"points": 14**2, "refined": 28**2}


def _base(name: str) -> Architecture:
    row = architecture(name)
    if name == "pointrend" or (row.tasks != ("semantic",) and name not in _FINDERS):
        titles = " or ".join(architecture(finder).title for finder in _FINDERS)
        raise MaskwrightError(
            f"PointRend refines a semantic model, {titles}, and {row.title} is neither.",
            "Choose a base such as fpn, deeplabv3 or mask_rcnn.",
        )
    return row


def _refuses(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    return _base(options["base"]).refuses(encoder, options["base_options"])


def _tasks_of(options: Mapping[str, Any]) -> tuple[str, ...]:
    return _base(options["base"]).tasks


@register(
    "pointrend",
    title="PointRend",
    idea="A small head decides anew, point by point, where the coarse prediction is in doubt.",
    paper="https://arxiv.org/abs/1912.08193",
    year=2019,
    tasks=("semantic", "instances"),
    encoder=DEFAULT_ENCODER,
    options=(
        Option(
            "base",
            "fpn",
            "Architecture that predicts coarsely: a semantic one; mask_rcnn or panet for objects",
        ),
        Option("base_options", {}, "Options of that architecture"),
        Option(
            "points",
            0,
            "Points that a training step decides; 0 is 2048 of a picture, or 196 of an object",
        ),
        Option(
            "refined",
            0,
            "Most points that each doubling decides anew; 0 is 8192 of a picture, 784 of an object",
        ),
        Option("doublings", 5, "Of an object's mask of 7 x 7: 5 make 224 x 224", (1, 2, 3, 4, 5)),
    ),
    refusal=_refuses,
    tasks_of=_tasks_of,
)
def build_pointrend(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    row = _base(spec.options["base"])
    known = {option.name: option.default for option in row.options}
    options = spec.options["base_options"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise MaskwrightError(
            f'{row.title} has no option "{unknown[0]}".',
            f"Its options are {', '.join(sorted(known)) or 'none'}.",
        )
    inner = spec.changed(architecture=row.name, options=known | options)
    usual = _OF_OBJECTS if row.name in _FINDERS else _OF_PICTURES
    counts = {name: int(spec.options[name]) or count for name, count in usual.items()}
    if row.name in _FINDERS:
        from segcore.models.layers.point_masks import point_masks

        parts = point_masks(inner, doublings=int(spec.options["doublings"]), **counts)
        return _FINDERS[row.name](inner, **parts)
    from segcore.models.layers.pointrend import PointRend

    return PointRend(row.builder(inner), spec.channels, spec.outputs, **counts)
