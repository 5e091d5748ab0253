"""Dense CRF: every pixel speaks to every other, and edges move to where the colours change.

Krähenbühl & Koltun 2011, "Efficient inference in fully connected CRFs with Gaussian edge
potentials", https://arxiv.org/abs/1210.5644. The solver is the authors' own, as pydensecrf has it.
Its filter runs on a permutohedral lattice, which approximates the Gaussian sums: against an exact
mean field single pixels at a tie may fall on the other side, most do not (tests/refine).

The solver holds Python's lock while it works, so a program with a window calls this in another
process; `segcore.service.refiner` is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Cancelled, MaskwrightError
from segcore.refine.parameters import AUTHORS, CrfParams

# A class that nowhere in the region is more probable than this takes no part: it could not win,
# and time and memory follow the number of classes.
_ABSENT = 0.01
# The unary energy of what a model calls impossible; the mean field would never leave infinity.
_LEAST = 1e-5
_MOST_COLOURS = 3


class NoDenseCrf(MaskwrightError):
    """The package with the solver is not installed."""


def densecrf(
    image: NDArray[Any],
    probabilities: NDArray[Any],
    params: CrfParams = AUTHORS,
    *,
    spacing: tuple[float, float] = (1.0, 1.0),
    cancelled: Callable[[], bool] | None = None,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """Probabilities that agree with each other where the picture does.

    Parameters
    ----------
    image : (y, x) or (y, x, c) with any number of channels c, values as 8 bits hold them, 0 to
        255, of any real dtype; deeper ones through their window first (`segcore.images.display`).
        A grey picture and the same one with three equal channels give the same answer.
    probabilities : (C, y, x) of the classes, 0 to 1; need not sum to 1 exactly.
    params : see `CrfParams`.
    spacing : (y, x), distance of neighbouring pixels in any unit. The deviations in pixels are
        meant along the finer axis, so coarse slices of a volume are not smoothed further than
        fine ones.
    cancelled : asked between the rounds.
    progress : told the share that is done.

    Returns
    -------
    (C, y, x) float32, summing to 1. The same arguments give the same answer.

    Raises
    ------
    NoDenseCrf : pydensecrf is not installed.
    MaskwrightError : sizes that do not agree.
    Cancelled : `cancelled` said so.
    """
    _check(image, probabilities)
    solver = _solver()
    count, height, width = probabilities.shape
    shares = np.asarray(probabilities, np.float32).reshape(count, -1)
    result = np.zeros_like(shares)
    present = np.flatnonzero(shares.max(axis=1, initial=0) > _ABSENT)
    if present.size < 2 or params.iterations == 0:
        total = np.maximum(shares.sum(axis=0), _LEAST)
        result[...] = shares / total
        return result.reshape(probabilities.shape)
    energy = -np.log(np.clip(shares[present], _LEAST, 1.0))
    field = solver.DenseCRF(height * width, int(present.size))
    field.setUnaryEnergy(np.ascontiguousarray(energy, np.float32))
    for features, weight in _kernels(image, params, spacing):
        if weight > 0:
            field.addPairwiseEnergy(features, compat=weight * params.compatibility)
    state = field.startInference()
    for done in range(params.iterations):
        if cancelled is not None and cancelled():
            raise Cancelled("The dense CRF was cancelled.")
        field.stepInference(*state)
        if progress is not None:
            progress((done + 1) / params.iterations)
    result[present] = np.asarray(state[0], np.float32)
    return result.reshape(probabilities.shape)


def _kernels(
    image: NDArray[Any], params: CrfParams, spacing: tuple[float, float]
) -> list[tuple[NDArray[np.float32], float]]:
    """Features (d, y * x) of the two kernels, in deviations, and their weights."""
    height, width = image.shape[:2]
    finer = min(spacing)
    place = np.empty((2, height, width), np.float32)
    place[0] = np.arange(height, dtype=np.float32)[:, None] * (spacing[0] / finer)
    place[1] = np.arange(width, dtype=np.float32)[None, :] * (spacing[1] / finer)
    flat = place.reshape(2, -1)
    colours = _colours(image) / np.float32(params.appearance_colour)
    near_and_alike = np.concatenate([flat / np.float32(params.appearance_sigma), colours])
    return [
        (np.ascontiguousarray(flat / np.float32(params.smooth_sigma)), params.smooth_weight),
        (np.ascontiguousarray(near_and_alike), params.appearance_weight),
    ]


def _colours(image: NDArray[Any]) -> NDArray[np.float32]:
    """(d, y * x): coordinates whose distances are those of the colours; d is at most 3.

    theta-beta is meant for three channels: with more or fewer the distance is scaled to theirs.
    The lattice's work grows with the square of its dimensions (7 channels of 480 x 360 pixels take
    14 s), so more than three channels are turned to their three principal axes.
    """
    channels = image[..., None] if image.ndim == 2 else image
    count = channels.shape[2]
    if count > 1 and all(np.array_equal(channels[..., 0], channels[..., k]) for k in range(count)):
        channels, factor = channels[..., :1], 3.0  # grey, written as colour
    else:
        factor = 3 / count
    values = channels.reshape(-1, channels.shape[2]).astype(np.float32)
    if values.shape[1] > _MOST_COLOURS:
        centred = values - values.mean(axis=0, dtype=np.float64).astype(np.float32)
        _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred.astype(np.float64))
        values = centred @ axes[:, -_MOST_COLOURS:].astype(np.float32)
    return np.ascontiguousarray(values.T) * np.float32(np.sqrt(factor))


def _solver() -> Any:
    try:
        from pydensecrf import densecrf as solver
    except ImportError as error:
        raise NoDenseCrf(
            "The dense CRF needs the package pydensecrf2, which is not installed.",
            "Install it with: pip install pydensecrf2",
        ) from error
    return solver


def _check(image: NDArray[Any], probabilities: NDArray[Any]) -> None:
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] == 0):
        raise MaskwrightError(
            f"A dense CRF takes one slice, and the image has shape {image.shape}.",
            "Give an array (y, x) or (y, x, channels).",
        )
    if probabilities.ndim != 3 or probabilities.shape[1:] != image.shape[:2]:
        raise MaskwrightError(
            f"The probabilities have shape {probabilities.shape} and the image {image.shape[:2]}.",
            "Give (classes, y, x) with one probability for every class and pixel.",
        )
    if not probabilities.size:
        raise MaskwrightError("A dense CRF takes at least one pixel and one class.")
