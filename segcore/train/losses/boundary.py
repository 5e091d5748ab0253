"""A loss that counts how far from the true outline a wrong pixel lies."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segcore.train.losses.sums import Sums, positive


def boundary(found: Sums) -> Tensor:
    """Mean over the pixels of sum_k phi_k (p_k - y_k), phi_k the signed distance to class k.

    In pixels, negative within the class, half a pixel at its rim; so each wrong pixel costs at
    least 1 and the more the farther it lies from the outline. Half of the distance between the two
    outlines (Kervadec et al. 2019, equations 3 to 5, arXiv:1812.07032; the part that does not
    depend on the prediction is kept, so that a perfect one costs 0). A class that a picture lacks,
    or fills, has no outline there and costs nothing. Meant beside a loss of regions, with a small
    weight such as 0.01. Distances lie within the last two axes, slice by slice.
    """
    shares = torch.softmax(found.rows, dim=1)
    target = torch.where(found.counts > 0, found.index, -1).reshape(found.grid).cpu().numpy()
    slices = target.reshape(-1, *target.shape[-2:]) if target.ndim > 2 else target[:, None]
    far = np.stack([_signed_distances(part, shares.shape[1]) for part in slices])
    distance = torch.from_numpy(far.reshape(-1, shares.shape[1])).to(shares)
    truth = torch.nn.functional.one_hot(found.index, shares.shape[1]).to(shares.dtype)
    costs = (distance * (shares - truth)).sum(1)
    return (costs * found.counts).sum() / positive(found.counts.sum())


def _signed_distances(target: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """(h, w, classes) distances to the outline of each class, below 0 within it."""
    far = np.zeros((*target.shape, classes), np.float32)
    for k in np.unique(target[target >= 0]).tolist():
        inside = (target == k).astype(np.uint8)
        if inside.all():
            continue
        within = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        beyond = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        far[:, :, k] = np.where(inside > 0, 0.5 - within, beyond - 0.5)
    return far
