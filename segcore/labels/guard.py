"""Guard: what an edit may not touch. It is a field of the edit, so a replay obeys it too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Guard:
    """Limits of an edit; the default allows everything.

    Parameters
    ----------
    locked : classes whose pixels stay as they are, and that nothing new is added to.
    only_over : if given, only pixels of these classes may change (0 = unlabelled).
    region : if given, only pixels inside this rectangle may change.
    keep_origins : pixels that one of these sources set stay ("keep mine").
    """

    locked: frozenset[int] = frozenset()
    only_over: frozenset[int] | None = None
    region: Rect | None = None
    keep_origins: frozenset[int] = frozenset()

    @property
    def is_open(self) -> bool:
        """True if it forbids nothing."""
        return (
            not self.locked
            and self.only_over is None
            and self.region is None
            and not self.keep_origins
        )

    def allows(
        self,
        classes: NDArray[Any],
        origins: NDArray[Any] | None,
        rect: Rect,
    ) -> NDArray[np.bool_]:
        """Where a pixel may change.

        Parameters
        ----------
        classes, origins : (h, w) of the pixels inside `rect`; origins may be None if
            `keep_origins` is empty.

        Returns
        -------
        (h, w) bool.
        """
        allowed = np.ones(classes.shape, bool)
        if self.locked:
            allowed &= ~_is_one_of(classes, self.locked)
        if self.only_over is not None:
            allowed &= _is_one_of(classes, self.only_over)
        if self.keep_origins and origins is not None:
            allowed &= ~_is_one_of(origins, self.keep_origins)
        if self.region is not None:
            inside = np.zeros(classes.shape, bool)
            inside[self.region.intersect(rect).shifted(-rect.y, -rect.x).slices] = True
            allowed &= inside
        return allowed

    def to_json(self) -> dict[str, Any]:
        return {
            "locked": sorted(self.locked),
            "only_over": None if self.only_over is None else sorted(self.only_over),
            "region": None if self.region is None else list(self.region),
            "keep_origins": sorted(self.keep_origins),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Guard:
        return cls(
            locked=frozenset(data["locked"]),
            only_over=None if data["only_over"] is None else frozenset(data["only_over"]),
            region=None if data["region"] is None else Rect(*data["region"]),
            keep_origins=frozenset(data["keep_origins"]),
        )


OPEN = Guard()


def _is_one_of(values: NDArray[Any], wanted: frozenset[int]) -> NDArray[np.bool_]:
    # A few comparisons beat np.isin's sort for the handful of classes that are ever locked.
    found = np.zeros(values.shape, bool)
    for value in wanted:
        found |= values == value
    return found
