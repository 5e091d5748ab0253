"""What a dense CRF can be told: one frozen table, from which options, sliders and search follow.

The names of the paper: w(1), theta-alpha and theta-beta belong to the appearance kernel, w(2) and
theta-gamma to the smoothness kernel (Krähenbühl & Koltun 2011, eq. 3). No solver is loaded here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class CrfParams:
    """Parameters of `segcore.refine.densecrf`.

    The defaults are those of the authors' own program. 8-bit intensities are meant by
    `appearance_colour`: what is deeper has gone through its window.

    Parameters
    ----------
    appearance_weight : w(1), price of two near and alike pixels with different classes.
    appearance_sigma : theta-alpha, how near, in pixels.
    appearance_colour : theta-beta, how alike, in steps of 8 bits.
    smooth_weight : w(2), price of two neighbours with different classes, whatever their colours.
    smooth_sigma : theta-gamma, who is a neighbour, in pixels.
    compatibility : factor on both weights (Potts: every pair of different classes costs the same).
    iterations : of mean field; 0 gives the probabilities back.

    Raises
    ------
    MaskwrightError : a value outside of its row in `TABLE`.
    """

    appearance_weight: float = 10.0
    appearance_sigma: float = 80.0
    appearance_colour: float = 13.0
    smooth_weight: float = 3.0
    smooth_sigma: float = 3.0
    compatibility: float = 1.0
    iterations: int = 5

    def __post_init__(self) -> None:
        for row in TABLE:
            value = getattr(self, row.name)
            good = isinstance(value, int | float) and math.isfinite(value)
            if not good or not row.low <= value <= row.high or (row.whole and value != int(value)):
                raise MaskwrightError(
                    f"A dense CRF cannot work with {row.name} = {value}.",
                    f"Use a {'whole ' if row.whole else ''}number "
                    f"from {row.low:g} to {row.high:g}.",
                )

    @property
    def reach(self) -> int:
        """Pixels of context that a region needs around it.

        One deviation of the appearance kernel. On CamVid, cut into blocks 180 pixels wide with such
        a rim, 1.0 to 1.4 % of the pixels differ from the whole at the authors' parameters and
        0.1 % at DeepLab's; without a rim 6 to 7 %.
        """
        return math.ceil(max(self.appearance_sigma, 2 * self.smooth_sigma))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> CrfParams:
        """Read what `to_json` wrote; what is missing has its default.

        Raises
        ------
        MaskwrightError : a name that is none, or a value that does not fit.
        """
        known = {field.name for field in fields(cls)}
        for name in row:
            if name not in known:
                raise MaskwrightError(
                    f'A dense CRF has no parameter "{name}".',
                    f"Use {', '.join(known_row.name for known_row in TABLE)}.",
                )
        made = {n: int(v) if n == "iterations" and v == int(v) else v for n, v in row.items()}
        return cls(**made)

    @classmethod
    def parse(cls, text: str, base: CrfParams | None = None) -> CrfParams:
        """Read ``appearance_weight=4,appearance_colour=3``; the rest is that of `base`.

        Raises
        ------
        MaskwrightError : a part without a number, a name that is none, a value that does not fit.
        """
        row = (base or cls()).to_json()
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, value = part.partition("=")
            try:
                row[name.strip()] = float(value)
            except ValueError:
                raise MaskwrightError(
                    f'"{part}" is no parameter of a dense CRF.',
                    "Write NAME=NUMBER, several with commas, such as appearance_weight=4.",
                ) from None
        return cls.from_json(row)


@dataclass(frozen=True)
class Parameter:
    """One row: name in `CrfParams`, title, range, unit, and what more of it does.

    Parameters
    ----------
    searched : low and high where `segcore.refine.tune` looks; None leaves it as it is.
    """

    name: str
    title: str
    low: float
    high: float
    unit: str
    help: str
    whole: bool = False
    searched: tuple[float, float] | None = None


TABLE: tuple[Parameter, ...] = (
    Parameter(
        "appearance_weight", "Appearance", 0, 100, "",
        "More pulls edges harder to where the colours change.", searched=(0.5, 20),
    ),
    Parameter(
        "appearance_sigma", "Reach", 1, 500, "px",
        "More lets pixels further apart speak to each other.", searched=(5, 120),
    ),
    Parameter(
        "appearance_colour", "Colour", 0.5, 255, "",
        "More calls colours alike that differ more.", searched=(2, 40),
    ),
    Parameter(
        "smooth_weight", "Smoothness", 0, 100, "",
        "More removes specks, and thin structures with them.", searched=(0.3, 10),
    ),
    Parameter(
        "smooth_sigma", "Neighbours", 0.5, 100, "px",
        "More counts pixels further off as neighbours.", searched=(0.7, 5),
    ),
    Parameter("compatibility", "Strength", 0, 10, "", "Factor on both weights."),
    Parameter("iterations", "Rounds", 0, 100, "", "Rounds of mean field.", whole=True),
)  # fmt: skip
"""Every parameter once, in the order in which people meet them."""

AUTHORS = CrfParams()
"""Krähenbühl & Koltun 2011, https://arxiv.org/abs/1210.5644: as their program has them. The paper
itself fixes w(2) = theta-gamma = 1 and searches the other three on validation images."""

DEEPLAB = CrfParams(
    appearance_weight=4.0,
    appearance_sigma=67.0,
    appearance_colour=3.0,
    smooth_weight=3.0,
    smooth_sigma=3.0,
    iterations=10,
)
"""Chen et al. 2014, https://arxiv.org/abs/1412.7062, section 4.3: w(2) = theta-gamma = 3 fixed, the
others searched in 3 to 6, 30 to 100 and 3 to 6, ten rounds; as the published program uses them."""

PRESETS: dict[str, CrfParams] = {"authors": AUTHORS, "deeplab": DEEPLAB}
"""Parameters by name."""
