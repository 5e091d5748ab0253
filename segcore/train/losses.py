"""Losses for classes per pixel; each is the formula of its source and nothing else.

Axes: B batch, C classes, then any number of spatial axes. `target` is (B, ...) int64 with channel
numbers, `IGNORE` where a pixel is not learned from. `weight` is (B, ...) float per pixel, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

IGNORE = -100

Loss = Callable[..., Tensor]


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """Mean of -log softmax(logits)[target] over the pixels that count.

    With weights the mean is the weighted one: the sum of w * loss over the sum of w, where w is
    the pixel's weight times its class's. Zero, with a gradient of zero, where no pixel counts.
    """
    _check(logits, target, weight)
    losses = functional.cross_entropy(
        logits, target, weight=class_weight, ignore_index=IGNORE, reduction="none"
    )
    share = (target != IGNORE).to(losses.dtype)
    if class_weight is not None:
        share = share * class_weight[target.clamp_min(0)]
    if weight is not None:
        losses = losses * weight
        share = share * weight
    total = share.sum()
    return losses.sum() / total.clamp_min(torch.finfo(losses.dtype).tiny)


def dice(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """1 - mean soft Dice over the classes that the target holds.

    Dice of a class is 2 sum(p y) / (sum(p) + sum(y)) over all counted pixels of the batch
    (Milletari et al. 2016, with plain sums as in Sudre et al. 2017,
    https://arxiv.org/abs/1707.03237). A class that the batch does not hold says nothing of overlap
    and is left out of the mean.
    """
    both, predicted, true = _sums(logits, target, weight)
    return _one_less_mean(2 * both, predicted + true, true, class_weight)


def iou(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """1 - mean soft IoU over the classes that the target holds.

    IoU of a class is sum(p y) / (sum(p) + sum(y) - sum(p y)) over all counted pixels of the batch
    (Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22).
    """
    both, predicted, true = _sums(logits, target, weight)
    return _one_less_mean(both, predicted + true - both, true, class_weight)


LOSSES: Mapping[str, Loss] = {"ce": cross_entropy, "dice": dice, "iou": iou}


def combined(
    terms: Mapping[str, float],
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """The weighted sum of the named losses; class weights belong to the cross entropy alone."""
    total = logits.new_zeros(())
    for name, factor in terms.items():
        for_class = class_weight if name == "ce" else None
        total = total + factor * LOSSES[name](logits, target, weight, for_class)
    return total


def _sums(logits: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """For each class sum(p y), sum(p), sum(y) over the pixels that count."""
    _check(logits, target, weight)
    classes = logits.shape[1]
    counts = (target != IGNORE).to(logits.dtype)
    if weight is not None:
        counts = counts * weight
    share = torch.softmax(logits, dim=1) * counts.unsqueeze(1)
    axes = [0, *range(2, logits.ndim)]
    predicted = share.sum(axes)
    index = target.clamp_min(0)
    chosen = share.gather(1, index.unsqueeze(1)).squeeze(1)
    flat = index.reshape(-1)
    zeros = torch.zeros(classes, dtype=logits.dtype, device=logits.device)
    both = zeros.index_add(0, flat, chosen.reshape(-1))
    true = zeros.index_add(0, flat, counts.reshape(-1))
    return both, predicted, true


def _one_less_mean(
    above: Tensor, below: Tensor, true: Tensor, class_weight: Tensor | None
) -> Tensor:
    held = (true > 0).to(above.dtype)
    if class_weight is not None:
        held = held * class_weight
    tiny = torch.finfo(above.dtype).tiny
    ratio = above / below.clamp_min(tiny)
    return (held * (1 - ratio)).sum() / held.sum().clamp_min(tiny)


def _check(logits: Tensor, target: Tensor, weight: Tensor | None) -> None:
    if logits.ndim < 3 or target.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"logits {tuple(logits.shape)} and target {tuple(target.shape)} do not lie on one grid"
        )
    if target.dtype != torch.int64:
        raise TypeError(f"target is {target.dtype}, not int64")
    if weight is not None and weight.shape != target.shape:
        raise ValueError(
            f"weight {tuple(weight.shape)} and target {tuple(target.shape)} do not lie on one grid"
        )
