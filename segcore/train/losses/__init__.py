"""Losses for classes per pixel, by name and in weighted sums; each is its source's formula.

Axes: B batch, C classes, then any number of spatial axes. A target is (B, ...) int64 with channel
numbers, `IGNORE` where a pixel is not learned from; a weight is (B, ...) float per pixel.
"""

from segcore.train.losses.sums import IGNORE
from segcore.train.losses.table import LOSSES, LossSettings, combined

__all__ = ["IGNORE", "LOSSES", "LossSettings", "combined"]
