"""The table of losses, by name, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from segcore.base.dataclass import dataclass
from segcore.train.losses.boundary import boundary
from segcore.train.losses.overlap import dice, iou, lovasz, tversky
from segcore.train.losses.pixels import cross_entropy, focal
from segcore.train.losses.sums import Sums, measure


@dataclass(frozen=True)
class LossSettings:
    """What the losses can be told.

    Parameters
    ----------
    class_weight : (C,) factor of each class in ``ce`` and ``focal``, or None.
    smoothing : share of ``ce``'s target that is spread over all classes, 0 to below 1.
    gamma : of ``focal``; alpha : of ``tversky``, the weight of what is found too much.
    """

    class_weight: Tensor | None = None
    smoothing: float = 0.0
    gamma: float = 2.0
    alpha: float = 0.3


Term = Callable[[Sums, LossSettings], Tensor]

LOSSES: Mapping[str, Term] = {
    "ce": lambda found, told: cross_entropy(found, told.class_weight, told.smoothing),
    "dice": lambda found, told: dice(found),
    "iou": lambda found, told: iou(found),
    "focal": lambda found, told: focal(found, told.class_weight, told.gamma),
    "tversky": lambda found, told: tversky(found, told.alpha),
    "lovasz": lambda found, told: lovasz(found),
    "boundary": lambda found, told: boundary(found),
}


def combined(
    terms: Mapping[str, float],
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    settings: LossSettings | None = None,
) -> Tensor:
    """The weighted sum of the named losses; see `segcore.train.losses.sums.measure` for the axes.

    Zero, with a gradient of zero, where no pixel counts.
    """
    found = measure(logits, target, weight)
    told = settings or LossSettings()
    total = found.counts.new_zeros(())
    for name, factor in terms.items():
        total = total + factor * LOSSES[name](found, told)
    return total
