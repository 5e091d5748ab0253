"""Losses for classes per pixel; each is the formula of its source and nothing else.

Axes: B batch, C classes, then any number of spatial axes. `target` is (B, ...) int64 with channel
numbers, `IGNORE` where a pixel is not learned from. `weight` is (B, ...) float per pixel, or None.

All of them are made of three sums over pixels, which share one softmax and one pass backward: with
plain operators of the library the losses alone took a quarter of a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

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
    return _cross_entropy(_measure(logits, target, weight), class_weight)


def dice(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """1 - mean soft Dice over the classes that the target holds.

    Dice of a class is 2 sum(p y) / (sum(p) + sum(y)) over all counted pixels of the batch
    (Milletari et al. 2016, with plain sums as in Sudre et al. 2017,
    https://arxiv.org/abs/1707.03237). A class that the batch does not hold says nothing of overlap
    and is left out of the mean.
    """
    return _dice(_measure(logits, target, weight))


def iou(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """1 - mean soft IoU over the classes that the target holds.

    IoU of a class is sum(p y) / (sum(p) + sum(y) - sum(p y)) over all counted pixels of the batch
    (Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22).
    """
    return _iou(_measure(logits, target, weight))


LOSSES: Mapping[str, Loss] = {"ce": cross_entropy, "dice": dice, "iou": iou}


def combined(
    terms: Mapping[str, float],
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    class_weight: Tensor | None = None,
) -> Tensor:
    """The weighted sum of the named losses; class weights belong to the cross entropy alone."""
    found = _measure(logits, target, weight)
    total = found.counts.new_zeros(())
    for name, factor in terms.items():
        value = _cross_entropy(found, class_weight) if name == "ce" else _OVERLAPS[name](found)
        total = total + factor * value
    return total


# -- the sums they are made of -----------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """What a batch says: N pixels in a row, C classes.

    Parameters
    ----------
    log : (N,) log p of the pixel's own class; index : (N,) that class, 0 where ignored.
    counts : (N,) the pixel's weight, 0 where ignored.
    both, predicted, true : (C,) sum(p y), sum(p), sum(y), weighted by `counts`.
    """

    log: Tensor
    index: Tensor
    counts: Tensor
    both: Tensor
    predicted: Tensor
    true: Tensor


def _measure(logits: Tensor, target: Tensor, weight: Tensor | None) -> _Sums:
    _check(logits, target, weight)
    classes = logits.shape[1]
    # Channels last is how the networks compute: this is a view then, and the softmax reads rows.
    rows = logits.movedim(1, -1).reshape(-1, classes)
    if rows.dtype in (torch.float16, torch.bfloat16):
        rows = rows.float()
    flat = target.reshape(-1)
    counts = (flat != IGNORE).to(rows.dtype)
    if weight is not None:
        counts = counts * weight.reshape(-1).to(rows.dtype)
    index = flat.clamp_min(0)
    log, both, predicted = _Softmax.apply(rows, index, counts)
    true = torch.zeros(classes, dtype=rows.dtype, device=rows.device).index_add(0, index, counts)
    return _Sums(log, index, counts, both, predicted, true)


class _Softmax(torch.autograd.Function):
    """log p of each pixel's class, sum(p y) and sum(p), with the gradient of all three at once."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, index: Tensor, counts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        # By hand: the library's softmax over a short last axis takes three times as long.
        top = rows.amax(1)
        shares = (rows - top[:, None]).exp_()
        total = shares @ rows.new_ones(rows.shape[1])
        log = rows.gather(1, index[:, None]).squeeze(1) - top - total.log()
        shares *= total.reciprocal()[:, None]
        own = log.exp()
        both = rows.new_zeros(rows.shape[1]).index_add_(0, index, own * counts)
        ctx.save_for_backward(shares, index, counts, own)
        ctx.set_materialize_grads(False)
        return log, both, counts @ shares

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, None, None]:
        """With a_k = counts (g_predicted_k + [k = y] g_both_k), the gradient of the sums by p_k:

        d/dz_k = p_k (a_k - sum_j p_j a_j) + g_log ([k = y] - p_k)
        """
        shares, index, counts, own = ctx.saved_tensors
        to_log, to_both, to_predicted = gradients
        at = torch.zeros_like(own)  # what goes to the pixel's own class
        all_of = torch.zeros_like(own)  # what is taken from every class in proportion to p
        if to_both is not None:
            at += counts * own * to_both[index]
            all_of += at
        if to_predicted is not None:
            all_of += counts * (shares @ to_predicted)
        if to_log is not None:
            at += to_log
            all_of += to_log
        if to_predicted is not None:
            result = torch.outer(counts, to_predicted).sub_(all_of[:, None]).mul_(shares)
        else:
            result = shares * -all_of[:, None]
        result.scatter_add_(1, index[:, None], at[:, None])
        return result, None, None


def _cross_entropy(found: _Sums, class_weight: Tensor | None) -> Tensor:
    share = found.counts
    if class_weight is not None:
        share = share * class_weight.to(share.dtype)[found.index]
    return -(found.log * share).sum() / _positive(share.sum())


def _dice(found: _Sums) -> Tensor:
    return _one_less_mean(2 * found.both, found.predicted + found.true, found.true)


def _iou(found: _Sums) -> Tensor:
    return _one_less_mean(found.both, found.predicted + found.true - found.both, found.true)


_OVERLAPS: Mapping[str, Callable[[_Sums], Tensor]] = {"dice": _dice, "iou": _iou}


def _one_less_mean(above: Tensor, below: Tensor, true: Tensor) -> Tensor:
    held = (true > 0).to(above.dtype)
    return (held * (1 - above / _positive(below))).sum() / _positive(held.sum())


def _positive(value: Tensor) -> Tensor:
    return value.clamp_min(torch.finfo(value.dtype).tiny)


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
