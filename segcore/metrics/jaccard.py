"""Aggregated Jaccard index: one figure for objects found, missed, split, merged and ill fitting.

Source: Kumar et al., "A Dataset and a Technique for Generalized Nuclear Segmentation for
Computational Pathology", IEEE TMI 2017, algorithm 1, doi:10.1109/TMI.2017.2677499.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from segcore.metrics.overlaps import Overlaps, class_of


def aggregated_jaccard(
    overlaps: Overlaps, classes: Sequence[int], crowd: Collection[int] = ()
) -> NDArray[np.float64]:
    """The index of an image, class by class; of a data set it is the mean over images.

    Parameters
    ----------
    overlaps : of objects only, which do not overlap each other.
    classes : in the order of the result.
    crowd : keys of true segments that are several objects; they and void are left out: what a
        predicted object has there is no part of it.

    Returns
    -------
    (n,) float64 from 0 to 1; NaN where a class has objects in neither.

    Notes
    -----
    Each true object is compared with the predicted one of its class that it has the highest IoU
    with, if it meets any; shared pixels are summed and divided by the sum of the unions, of the
    true objects that meet nothing, and of the predicted ones that nobody chose. As in the paper,
    several true objects may choose one predicted object.
    """
    o = overlaps
    is_crowd = np.isin(o.truth, np.array(sorted(crowd), np.int64))
    true_class, given_class = class_of(o.truth), class_of(o.prediction)
    same = true_class[o.rows] == given_class[o.columns]
    in_crowd = same & is_crowd[o.rows]
    area = o.prediction_area - o.void
    np.subtract.at(area, o.columns[in_crowd], o.pixels[in_crowd])

    pairs = same & ~is_crowd[o.rows]
    rows, columns, shared = o.rows[pairs], o.columns[pairs], o.pixels[pairs]
    union = o.truth_area[rows] + area[columns] - shared
    iou = shared / union
    # By row, best IoU first, the lower key among equals: the first of each row is its partner.
    order = np.lexsort((columns, -iou, rows))
    rows, columns, shared, union = (a[order] for a in (rows, columns, shared, union))
    first = np.concatenate([[True], rows[1:] != rows[:-1]]) if rows.size else np.zeros(0, bool)
    rows, columns, shared, union = (a[first] for a in (rows, columns, shared, union))

    alone, unchosen = ~is_crowd, np.ones(o.prediction.size, bool)
    alone[rows] = False
    unchosen[columns] = False
    result = np.full(len(classes), np.nan)
    for place, c in enumerate(classes):
        of_class = true_class[rows] == c
        above = int(shared[of_class].sum())
        below = int(union[of_class].sum())
        below += int(o.truth_area[alone & (true_class == c)].sum())
        below += int(area[unchosen & (given_class == c)].sum())
        if below:
            result[place] = above / below
    return result
