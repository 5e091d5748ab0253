"""Losses that look at each pixel by itself."""

from __future__ import annotations

from torch import Tensor

from segcore.train.losses.sums import Sums, weighted_mean


def cross_entropy(
    found: Sums, class_weight: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean of -log p[target] over the pixels that count, where p = softmax(logits).

    With weights the mean is the weighted one: the sum of w * loss over the sum of w, where w is
    the pixel's weight times its class's. With `smoothing` e the target is 1 - e + e / C for the
    pixel's class and e / C for the others (Szegedy et al. 2016, section 7, arXiv:1512.00567).
    """
    log = found.log
    if smoothing:
        own = found.rows.gather(1, found.index[:, None]).squeeze(1)
        mean_log = found.rows.mean(1) - own + log  # log p_k = z_k - z_y + log p_y
        log = (1 - smoothing) * log + smoothing * mean_log
    return -weighted_mean(log, found, class_weight)


def focal(found: Sums, class_weight: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Mean of -(1 - p)^gamma log p over the pixels that count, p of the pixel's own class.

    Pixels that are right already weigh less; gamma 0 is the cross entropy (Lin et al. 2017,
    section 3.2, arXiv:1708.02002; the class weights are its alpha). The mean is over all pixels,
    not over the rare ones, since every pixel has a class here.
    """
    # A root is infinitely steep at 0: for gamma below 1 the certain pixels are held off it.
    doubt = (1 - found.log.exp()).clamp_min(1e-12)
    return -weighted_mean(doubt**gamma * found.log, found, class_weight)
