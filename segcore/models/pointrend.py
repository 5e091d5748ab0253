"""PointRend: a point head on any semantic model here, for boundaries at the picture's resolution.

Kirillov, Wu, He & Girshick 2019, "PointRend: Image Segmentation as Rendering",
https://arxiv.org/abs/1912.08193.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segcore.base import MaskwrightError
from segcore.models.registry import Architecture, Option, architecture, register
from segcore.models.smp_options import DEFAULT_ENCODER
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


def _base(name: str) -> Architecture:
    row = architecture(name)
    if name == "pointrend" or row.tasks != ("semantic",):
        raise MaskwrightError(
            f"PointRend refines a semantic model, which {row.title} is not.",
            "Choose a base such as fpn or deeplabv3.",
        )
    return row


def _refuses(title: str, encoder: str, options: Mapping[str, Any]) -> str | None:
    return _base(options["base"]).refuses(encoder, options["base_options"])


@register(
    "pointrend",
    title="PointRend",
    idea="A small head decides anew, point by point, where the coarse prediction is in doubt.",
    paper="https://arxiv.org/abs/1912.08193",
    year=2019,
    tasks=("semantic",),
    encoder=DEFAULT_ENCODER,
    options=(
        Option("base", "fpn", "Architecture that predicts coarsely"),
        Option("base_options", {}, "Options of that architecture"),
        Option("points", 2048, "Points of each picture that a training step decides"),
        Option("refined", 8192, "Most points that each doubling decides anew"),
    ),
    refusal=_refuses,
)
def build_pointrend(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.layers.pointrend import PointRend

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
    return PointRend(
        row.builder(inner),
        spec.channels,
        spec.outputs,
        points=spec.options["points"],
        refined=spec.options["refined"],
    )
