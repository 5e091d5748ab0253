"""The naive network: strided convolutions down, transposed convolutions up, no skips.

The baseline that every other family improves on. Transposed convolutions: Dumoulin & Visin 2016,
"A guide to convolution arithmetic for deep learning", https://arxiv.org/abs/1603.07285, chapter 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segcore.models.registry import Option, register
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@register(
    "naive",
    title="Naive",
    idea="Convolutions that halve and transposed convolutions that double, and nothing between.",
    paper="https://arxiv.org/abs/1603.07285",
    year=2016,
    tasks=("semantic",),
    options=(
        Option("widths", [32, 64, 128, 256, 256], "Channels at each size, the picture's own first"),
    ),
)
def build_naive(spec: ModelSpec) -> nn.Module:
    """The network of a spec, with random numbers."""
    from segcore.models.layers.naive import Naive

    return Naive(spec.channels, spec.outputs, tuple(spec.options["widths"]))
