"""Evidence: what a dense CRF begins with, of a model or of labels, and where nobody doubts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Shares: TypeAlias = tuple[tuple[int, ...], NDArray[np.float32]]
"""Class ids of the project (0 for what it has no class for), and (len(ids), y, x) float32."""

TRUST = 0.9
"""Probability of a label without a confidence of its own. With 0.7, as is often written, the
authors' parameters take 0.17 of mean IoU from blocky street masks, with 0.9 they take 0.05, and
nuclei that are 3 pixels off gain as much (0.08)."""
_MOST = 0.99  # of what is not certain; a confidence of 255 is a rounded number and no proof
_CERTAIN = 0.9999


def from_labels(
    classes: NDArray[Any],
    ids: Sequence[int],
    confidence: NDArray[np.uint8] | None = None,
    trust: float = TRUST,
) -> NDArray[np.float32]:
    """Probabilities from labels: what the label leaves is shared evenly by the other classes.

    Parameters
    ----------
    classes : (y, x) class ids; one that is not in `ids` says nothing.
    ids : the classes, in the order of the result.
    confidence : (y, x) uint8, 255 times the probability of the label; 0 where it is not known.
    trust : the probability of a label without confidence, above 1 / len(ids).

    Returns
    -------
    (len(ids), y, x) float32, summing to 1.
    """
    count = len(ids)
    told = np.full(classes.shape, trust, np.float32)
    if confidence is not None:
        known = confidence > 0
        told[known] = confidence[known].astype(np.float32) / 255
    # A label is what was most probable, so it has more than an even share whatever it says.
    np.clip(told, min(_MOST, 1.05 / count), _MOST, out=told)
    rest = (1 - told) / max(1, count - 1)
    shares = np.empty((count, *classes.shape), np.float32)
    known = np.zeros(classes.shape, bool)
    for number, class_id in enumerate(ids):
        here = classes == class_id
        known |= here
        np.copyto(shares[number], rest)
        shares[number][here] = told[here]
    shares[:, ~known] = 1 / count
    return shares


def with_certain(
    shares: NDArray[np.float32], classes: NDArray[Any], ids: Sequence[int], certain: NDArray[Any]
) -> NDArray[np.float32]:
    """The probabilities, but where `certain` (y, x) is True the class in `classes` is sure.

    What a person painted is so a witness for the pixels around it. A new array.
    """
    out = shares.copy()
    for number, class_id in enumerate(ids):
        sure = certain & (classes == class_id)
        if sure.any():
            out[:, sure] = (1 - _CERTAIN) / max(1, len(ids) - 1)
            out[number][sure] = _CERTAIN
    return out


def joined(ids: tuple[int, ...], shares: NDArray[np.float32]) -> Shares:
    """One channel for each class of the project; what it has no class for is one, too, with 0."""
    if len(set(ids)) == len(ids):
        return ids, shares
    every = tuple(dict.fromkeys(ids))
    out = np.zeros((len(every), *shares.shape[1:]), np.float32)
    for class_id, plane in zip(ids, shares, strict=True):
        out[every.index(class_id)] += plane
    return every, out
