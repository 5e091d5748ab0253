"""The sums over pixels that most losses are made of, with one softmax and one pass backward.

With plain operators of the library the losses alone took a quarter of a training step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from segcore.base.dataclass import dataclass

IGNORE = -100


@dataclass(frozen=True)
class Sums:
    """What a batch says: N pixels in a row, C classes.

    Parameters
    ----------
    rows : (N, C) logits; grid : the target's shape (B, ...), N pixels in all.
    log : (N,) log p of the pixel's own class; index : (N,) that class, 0 where ignored.
    counts : (N,) the pixel's weight, 0 where ignored.
    both, predicted, true : (C,) sum(p y), sum(p), sum(y), weighted by `counts`.
    """

    rows: Tensor
    grid: torch.Size
    log: Tensor
    index: Tensor
    counts: Tensor
    both: Tensor
    predicted: Tensor
    true: Tensor


def measure(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Sums:
    """The sums of a batch.

    Parameters
    ----------
    logits : (B, C, ...); target : (B, ...) int64 channel numbers, `IGNORE` where a pixel is not
        learned from; weight : (B, ...) float, or None for 1 everywhere.

    Raises
    ------
    ValueError : the three do not lie on one grid. TypeError : the target is not int64.
    """
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
    return Sums(rows, target.shape, log, index, counts, both, predicted, true)


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


def held_mean(values: Tensor, found: Sums) -> Tensor:
    """Mean of (C,) values over the classes that the target holds; 0 where it holds none.

    A class that the batch does not hold says nothing of overlap and is left out.
    """
    held = (found.true > 0).to(values.dtype)
    return (held * values).sum() / positive(held.sum())


def weighted_mean(values: Tensor, found: Sums, class_weight: Tensor | None = None) -> Tensor:
    """Mean of (N,) values, each with its pixel's weight times its class's; 0 where none counts."""
    share = found.counts
    if class_weight is not None:
        share = share * class_weight.to(share.dtype)[found.index]
    return (values * share).sum() / positive(share.sum())


def positive(value: Tensor) -> Tensor:
    """The value, or the smallest number above 0, to divide by."""
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
