"""Which class a crop is laid on, and which picture shows it: rare ones more often.

Rare class sampling (Hoyer et al. 2022, DAFormer, section 3.2, arXiv:2111.14887): a class is drawn
with probability exp((1 - f) / T) over the sum of all, f its share of the pixels, T = 0.01. So a few
bicyclists among ten thousand frames are learned from as often as poles, and a class that only the
earlier pictures show is not forgotten over the new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from segcore.train.frozen import FrozenItem

TEMPERATURE = 0.01
LEAST_PIXELS = 50  # of a class in a picture that is to show it; fewer are a speck


class RareClasses:
    """The chances of the classes, from all items of a run.

    Parameters
    ----------
    items : of all roles that are learned from; classes : ids of those that count.
    """

    def __init__(self, items: Sequence[FrozenItem], classes: Collection[int]) -> None:
        pixels = {c: sum(item.counts.get(c, 0) for item in items) for c in sorted(classes)}
        total = max(1, sum(pixels.values()))
        self._share = {c: count / total for c, count in pixels.items() if count}

    def shown(self, item: FrozenItem) -> list[int]:
        """The classes of which a picture shows enough."""
        return [c for c in self._share if item.counts.get(c, 0) >= LEAST_PIXELS]

    def showing(self, items: Sequence[FrozenItem]) -> dict[int, list[FrozenItem]]:
        """The classes that some of these items show, in order, with those items."""
        found: dict[int, list[FrozenItem]] = {c: [] for c in self._share}
        for item in items:
            for c in self.shown(item):
                found[c].append(item)
        return {c: those for c, those in found.items() if those}

    def draw(self, classes: Sequence[int], rng: np.random.Generator) -> int:
        """One of some classes (at least one), by how rare they are."""
        share = np.array([self._share[c] for c in classes])
        # Less than the rarest one's share: the ratios stay, and no exponential becomes 0 in all.
        chance = np.exp((share.min() - share) / TEMPERATURE)
        return int(classes[int(rng.choice(len(classes), p=chance / chance.sum()))])


def pixel_of(
    target: NDArray[np.uint16], wanted: int, rng: np.random.Generator
) -> tuple[int, int] | None:
    """A random pixel (y, x) of a class in a target (h, w) of ids; None where it has none."""
    found = target == wanted
    ends = np.count_nonzero(found, axis=1).cumsum()  # row by row: a list of all pixels is large
    if not ends[-1]:
        return None
    number = int(rng.integers(int(ends[-1])))
    y = int(np.searchsorted(ends, number, side="right"))
    within = number - (int(ends[y - 1]) if y else 0)
    return y, int(np.flatnonzero(found[y])[within])
