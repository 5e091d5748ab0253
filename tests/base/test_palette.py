"""The class palette: told apart by people with and without colour-blindness.

Distances are Euclidean in OKLab (Ottosson 2020), under normal sight and under the protanopia and
deuteranopia matrices of Machado, Oliveira & Fernandes 2009, table 1 (severity 1.0).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segcore.base.palette import CLASS_PALETTE, palette_colour

SIGHT = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(colours: tuple[str, ...], sight: str) -> NDArray[np.float64]:
    """Colours ``#RRGGBB`` as (n, 3) OKLab coordinates, as this sight sees them."""
    srgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(np.clip(linear @ SIGHT[sight].T, 0, 1) @ TO_LMS.T) @ TO_OKLAB.T


@pytest.mark.parametrize(
    ("count", "sight", "least"),
    [
        (8, "normal", 0.156),
        (8, "protan", 0.096),
        (8, "deutan", 0.076),
        (16, "normal", 0.126),
        (16, "protan", 0.096),
        (16, "deutan", 0.076),
    ],
)
def test_no_two_class_colours_come_nearer_than_stated(count: int, sight: str, least: float) -> None:
    points = oklab(CLASS_PALETTE[:count], sight)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(count)
    assert distances.min() == pytest.approx(least, abs=0.0006)


def test_the_palette_begins_again_after_its_last_colour() -> None:
    assert palette_colour(len(CLASS_PALETTE)) == CLASS_PALETTE[0]
