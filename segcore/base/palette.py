"""The default colours of classes: Okabe-Ito first, then a farthest-point extension.

Source: Okabe & Ito 2008, "Color Universal Design"; the order and the last nine colours were
found by a farthest-point search in OKLab under normal, protan and deutan views (Machado 2009).
The first sixteen are told apart by colour; past them name and number identify.
"""

from __future__ import annotations

CLASS_PALETTE: tuple[str, ...] = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#F0F0F0",
    "#801840",
    "#0000F8",
    "#58D8A0",
    "#483098",
    "#8878F8",
    "#805000",
    "#905078",
    "#B0D0F8",
)


def palette_colour(index: int) -> str:
    """Colour number `index` (from 0) as ``#RRGGBB``; repeats after sixteen."""
    return CLASS_PALETTE[index % len(CLASS_PALETTE)]
