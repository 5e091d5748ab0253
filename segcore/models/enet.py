"""ENet: real time by an early halving and narrow bottlenecks, in 0.36 million parameters.

Paszke, Chaurasia, Kim & Culurciello 2016, "ENet: A Deep Neural Network Architecture for Real-Time
Semantic Segmentation", https://arxiv.org/abs/1606.02147.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "enet",
    title="ENet",
    idea="Halves the picture at once and then uses narrow, dilated and asymmetric bottlenecks.",
    paper="https://arxiv.org/abs/1606.02147",
    year=2016,
    tasks=("semantic",),
    options=(
        Option("drop_early", 0.01, "Share of channels dropped in the first stage while training"),
        Option("drop", 0.1, "Share of channels dropped in the later stages while training"),
    ),
)
def build_enet(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.layers.enet import ENet

    drop = (spec.options["drop_early"], spec.options["drop"])
    return ENet(spec.channels, spec.outputs, drop)
