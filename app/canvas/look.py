"""Look: how labels are coloured, as look-up tables over class ids. One version, one look."""

from __future__ import annotations

from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet
from segcore.base.dataclass import dataclass

_IDS = 1 << 16


@dataclass(frozen=True, eq=False)
class Look:
    """Tables for one choice of colours, opacities and visible classes.

    Parameters
    ----------
    version : grows with every new look; part of the keys of composed tiles.
    colours : (65536, 4) uint8, blue, green, red, 255.
    filled : (65536,) bool, classes that are filled.
    rank : (65536,) uint16, which class draws a shared edge: the higher. 0 draws none.
    halo : (65536,) uint8 by **rank**, 0 or 255: what stands out more against the line.
    line : (65536, 4) uint8 by **rank**, the line's colour.
    faint : (65536,) bool by **rank**, lines drawn at half strength (another class is hovered).
    active_rank : rank of the active class, 0 if it is hidden.
    corrected : (65536,) bool by row of `source`: set by a person or an accepted refinement.
    fill, outline : opacities 0 to 1.
    solid : no outline is dashed, whoever set it: truth is nobody's guess.
    """

    version: int
    colours: NDArray[np.uint8]
    filled: NDArray[np.bool_]
    rank: NDArray[np.uint16]
    halo: NDArray[np.uint8]
    line: NDArray[np.uint8]
    faint: NDArray[np.bool_]
    active_rank: int
    corrected: NDArray[np.bool_]
    fill: float
    outline: float
    any_faint: bool = field(default=False)
    solid: bool = field(default=False)

    @property
    def shows_nothing(self) -> bool:
        return not self.active_rank and not self.rank.any()


def make_look(
    version: int,
    classes: ClassSet | None,
    *,
    active: int,
    hidden: frozenset[int] = frozenset(),
    hovered: int = 0,
    corrected: frozenset[int] = frozenset(),
    fill: float = 0.35,
    outline: float = 1.0,
    mask_hidden: bool = False,
    solid: bool = False,
) -> Look:
    """The look of these classes.

    Parameters
    ----------
    active : this class draws its edges above all others, one pixel wider.
    hidden : classes that are neither filled nor outlined.
    hovered : if given, the outlines of the others are drawn faint.
    corrected : rows of `source` whose outlines are solid.
    mask_hidden : show nothing at all.
    solid : no outline is dashed.
    """
    colours = np.zeros((_IDS, 4), np.uint8)
    colours[:, 3] = 255
    filled = np.zeros(_IDS, bool)
    rank = np.zeros(_IDS, np.uint16)
    halo = np.zeros(_IDS, np.uint8)
    line = np.zeros((_IDS, 4), np.uint8)
    faint = np.zeros(_IDS, bool)
    shown = [] if classes is None or mask_hidden else [c for c in classes if c.id not in hidden]
    shown = [c for c in shown if c.rgb is not None]
    # Ground first, then things, so that a car's edge is the car's and not the road's.
    order = sorted(shown, key=lambda c: (c.id == active, c.thing))
    active_rank = 0
    for number, c in enumerate(order, 1):
        assert c.rgb is not None
        red, green, blue = c.rgb
        colours[c.id] = (blue, green, red, 255)
        filled[c.id] = True
        rank[c.id] = number
        line[number] = colours[c.id]
        halo[number] = 0 if _luminance(c.rgb) > 0.179 else 255
        faint[number] = bool(hovered) and c.id != hovered
        if c.id == active:
            active_rank = number
    by_source = np.zeros(_IDS, bool)
    for row in corrected:
        by_source[row] = True
    return Look(
        version,
        colours,
        filled,
        rank,
        halo,
        line,
        faint,
        active_rank,
        by_source,
        fill,
        outline,
        bool(faint.any()),
        solid,
    )


def _luminance(rgb: tuple[int, int, int]) -> float:
    """WCAG relative luminance; above 0.179 black contrasts more than white."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
