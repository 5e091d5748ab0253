"""Effect: which pixels a refinement changes. It never fills what nobody has looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet, Rect
from segcore.labels import Guard, Labels


def may_change(
    classes: ClassSet, labels: Labels, rect: Rect, z: int, found: NDArray[Any], guard: Guard
) -> NDArray[np.bool_]:
    """Where a refinement takes effect: other than before, on a scored class, and not guarded.

    Parameters
    ----------
    found : (rect.height, rect.width) class ids; 0 changes nothing.

    Returns
    -------
    (rect.height, rect.width) bool.
    """
    before = labels.read(rect, z)
    scored = np.zeros(65536, bool)
    scored[[int(c.id) for c in classes.scored]] = True
    wanted = (found != before) & scored[before] & scored[found]
    if guard.is_open:
        return np.asarray(wanted)
    origins = labels.read(rect, z, "origin") if guard.keep_origins else None
    wanted &= guard.allows(before, origins, rect)
    if guard.locked:
        wanted &= ~np.isin(found, list(guard.locked))
    return np.asarray(wanted)
