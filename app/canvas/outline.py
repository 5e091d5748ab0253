"""Outlines at the resolution of the screen: the edges between differing neighbours, as pixels.

An edge runs between two screen pixels and is drawn once, two pixels wide, by the class of higher
rank; the active class one pixel wider on its own side. Around it lies a halo of one pixel, black
or white. A person's work is solid, a prediction dashed. Everything is a function of a few pixels
around a place, so a piece of the screen is drawn again without looking at the rest.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.canvas.look import Look
from segcore.base import Rect

# Device pixels per dash and gap together, and of the dash, at 1x.
_PERIOD, _DASH = 10, 6
_TANGENT = 9


def margin(width: int = 1) -> int:
    """How many pixels around a rectangle have a say in how it is drawn."""
    return 2 + width + _TANGENT // 2


def draw_outlines(
    target: NDArray[np.uint8],
    classes: NDArray[np.uint16],
    regions: NDArray[Any],
    corrected: NDArray[np.bool_] | None,
    look: Look,
    at: Rect,
    width: int = 1,
) -> None:
    """Draw the outlines into `target`.

    Parameters
    ----------
    target : (h, w, 4) uint8, blue, green, red, any; changed in place.
    classes : (h, w) uint16 as shown on the screen.
    regions : (h, w); two neighbours belong to one region if these are equal (class and instance).
    corrected : (h, w) bool, set by a person; None if nothing is.
    at : where the arrays lie in the zoomed grid; dashes continue across pieces by it.
    width : device pixels per logical pixel, 1 or more.
    """
    beside = regions[:, :-1] != regions[:, 1:]
    below = regions[:-1] != regions[1:]
    if look.outline <= 0 or not (beside.any() or below.any()):
        return
    rank = look.rank.take(classes)
    if rank.dtype != np.uint8 and int(look.rank.max()) < 256:
        rank = rank.astype(np.uint8)
    owner = np.zeros_like(rank)
    across = np.maximum(rank[:, :-1], rank[:, 1:]) * beside
    np.maximum(owner[:, :-1], across, out=owner[:, :-1])
    np.maximum(owner[:, 1:], across, out=owner[:, 1:])
    along = np.maximum(rank[:-1], rank[1:]) * below
    np.maximum(owner[:-1], along, out=owner[:-1])
    np.maximum(owner[1:], along, out=owner[1:])
    if not owner.any():
        return
    square = np.ones((3, 3), np.uint8)
    for _ in range(width - 1):
        owner = cv2.dilate(owner, square)
    if look.active_rank:
        active = (owner == look.active_rank).astype(np.uint8)
        if active.any():
            grown = cv2.dilate(active, square, iterations=width)
            inside = (grown > 0) & (rank == look.active_rank)
            owner[inside] = look.active_rank
    halo = cv2.dilate(owner, square, iterations=width)
    drawn = owner > 0
    dark = halo > 0
    drawn &= ~_gaps(owner, rank, corrected, beside, below, at, width)
    _paint(target, drawn, dark, owner, halo, look)


def _gaps(
    owner: NDArray[Any],
    rank: NDArray[Any],
    corrected: NDArray[np.bool_] | None,
    beside: NDArray[np.bool_],
    below: NDArray[np.bool_],
    at: Rect,
    width: int,
) -> NDArray[np.bool_]:
    """Where a dashed line has its gaps."""
    height, columns = owner.shape
    period, dash = _PERIOD * width, _DASH * width
    # Counted along the axis that the edge follows more, looked at over a few pixels: so a dash
    # is 6 to 8.5 pixels long in whatever direction.
    across = np.zeros((height, columns), np.uint8)
    across[:, :-1] = beside
    along = np.zeros((height, columns), np.uint8)
    along[:-1] = below
    window = (_TANGENT, _TANGENT)
    upright = cv2.boxFilter(across, cv2.CV_16S, window, normalize=False) > cv2.boxFilter(
        along, cv2.CV_16S, window, normalize=False
    )
    by_y = ((np.arange(at.y, at.y + height) % period) >= dash)[:, None]
    by_x = ((np.arange(at.x, at.x + columns) % period) >= dash)[None, :]
    gaps = np.where(upright, by_y, by_x)
    if corrected is not None:
        mine = np.where(corrected, rank, 0).astype(owner.dtype)
        if mine.any():
            near = cv2.dilate(mine, np.ones((3, 3), np.uint8), iterations=width)
            gaps &= near != owner
    return gaps


def _paint(
    target: NDArray[np.uint8],
    drawn: NDArray[np.bool_],
    dark: NDArray[np.bool_],
    owner: NDArray[Any],
    halo: NDArray[Any],
    look: Look,
) -> None:
    at_dark = np.flatnonzero(dark & ~drawn)
    at_line = np.flatnonzero(drawn)
    flat = target.reshape(-1, 4)
    halo_rank = halo.reshape(-1)[at_dark]
    line_rank = owner.reshape(-1)[at_line]
    halo_colour = np.repeat(look.halo[halo_rank][:, None], 4, axis=1)
    for places, ranks, colour in (
        (at_dark, halo_rank, halo_colour),
        (at_line, line_rank, look.line[line_rank]),
    ):
        if look.outline >= 1 and not look.any_faint:
            flat[places] = colour
            continue
        share = np.where(look.faint[ranks], look.outline / 2, look.outline)
        share = (share * 256).astype(np.uint16)[:, None]
        mixed = flat[places] * (256 - share) + colour * share
        flat[places] = (mixed >> 8).astype(np.uint8)
