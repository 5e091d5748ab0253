"""Losses that compare whole regions: one less the share that prediction and truth have in common.

Sums run over all counted pixels of the batch, and the mean over the classes that it holds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from segcore.train.losses.sums import Sums, held_mean, positive


def dice(found: Sums) -> Tensor:
    """1 - mean soft Dice, where Dice is 2 sum(p y) / (sum(p) + sum(y)).

    Milletari et al. 2016 (arXiv:1606.04797), with plain sums as in Sudre et al. 2017
    (arXiv:1707.03237).
    """
    return held_mean(1 - 2 * found.both / positive(found.predicted + found.true), found)


def iou(found: Sums) -> Tensor:
    """1 - mean soft IoU, where IoU is sum(p y) / (sum(p) + sum(y) - sum(p y)).

    Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22.
    """
    return held_mean(1 - found.both / positive(found.predicted + found.true - found.both), found)


def tversky(found: Sums, alpha: float = 0.3) -> Tensor:
    """1 - mean Tversky index, TP / (TP + alpha FP + (1 - alpha) FN) with soft counts.

    alpha below 1/2 forgives what is found too much rather than what is missed; 1/2 is Dice
    (Salehi et al. 2017, section 2, arXiv:1706.05721; there alpha and beta are free).
    """
    wrong = found.predicted - found.both
    missed = found.true - found.both
    return held_mean(
        1 - found.both / positive(found.both + alpha * wrong + (1 - alpha) * missed), found
    )


def lovasz(found: Sums) -> Tensor:
    """The Lovasz extension of 1 - IoU on the errors of the softmax, mean over the classes held.

    The steepest convex function that agrees with 1 - IoU on every hard prediction (Berman et al.
    2018, algorithm 1 and section 3.1, arXiv:1705.08790). Sums run over the batch; a pixel's weight
    counts it so many times. Costs a sort of all pixels for each class.
    """
    counted = found.counts > 0
    shares = torch.softmax(found.rows[counted], dim=1)
    index, weight = found.index[counted], found.counts[counted]
    values = list((0 * found.both).unbind())
    for k in torch.nonzero(found.true > 0).flatten().tolist():
        mine = index == k
        errors = torch.where(mine, 1 - shares[:, k], shares[:, k])
        errors, order = errors.sort(descending=True)
        all_of = weight[order]
        own = all_of * mine[order]
        total = own.sum()
        # 1 - IoU of the prediction that is wrong in just the first n pixels, for every n.
        loss = 1 - (total - own.cumsum(0)) / (total + (all_of - own).cumsum(0))
        values[k] = errors @ torch.diff(loss, prepend=loss.new_zeros(1))
    return held_mean(torch.stack(values), found)
