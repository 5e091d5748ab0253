"""Outlines at the resolution of the screen: the edges between differing neighbours, as pixels.

An edge runs between two screen pixels and is drawn once, two pixels wide, by the class of higher
rank; the active class one pixel wider on its own side. Around it lies a halo of one pixel, black
or white. A person's work is solid, a prediction dashed. Everything is a function of a few pixels
around a place, so a piece of the screen is drawn again without looking at the rest.

From 400 % on the line follows the squares of the pixels. Below it runs through the middles of
their edges, at most half an image pixel off: there a staircase is only noise.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.canvas.look import Look
from segcore.base import Rect

# Device pixels per dash and gap together, and of the dash, at 1x.
_PERIOD, _DASH = 12, 8
_TANGENT = 9
FOLLOWS_PIXELS_FROM = 4.0
# More regions than this in one piece are drawn as they are: the smoothing costs a pass each.
_MOST_SMOOTHED = 32


def margin(width: int, steps: tuple[float, float]) -> int:
    """How many pixels around a rectangle have a say in how it is drawn."""
    return 2 + width + _TANGENT // 2 + max(_kernel(steps)) // 2


def draw_outlines(
    target: NDArray[np.uint8],
    classes: NDArray[np.uint16],
    regions: NDArray[Any],
    corrected: NDArray[np.bool_] | None,
    look: Look,
    at: Rect,
    width: int = 1,
    steps: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Draw the outlines into `target`.

    Parameters
    ----------
    target : (h, w, 4) uint8, blue, green, red, any; changed in place.
    classes : (h, w) uint16 as shown on the screen.
    regions : (h, w) integers; two neighbours belong to one region if these are equal (class and
        instance).
    corrected : (h, w) bool, set by a person; None if nothing is.
    at : where the arrays lie in the zoomed grid; dashes continue across pieces by it.
    width : device pixels per logical pixel, 1 or more.
    steps : zoomed pixels per image pixel, (y, x).
    """
    if look.outline <= 0 or not _has_edges(regions):
        return
    kernel = _kernel(steps)
    if max(kernel) > 1 and regions.dtype == np.uint16:
        classes, regions = _smoothed(classes, regions, kernel)
    beside = regions[:, :-1] != regions[:, 1:]
    below = regions[:-1] != regions[1:]
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
    reach = width + max(kernel) // 2
    drawn &= ~_gaps(owner, rank, corrected, beside, below, at, width, reach)
    _paint(target, drawn, dark, owner, halo, look)


def _has_edges(regions: NDArray[Any]) -> bool:
    return bool((regions[:, :-1] != regions[:, 1:]).any() or (regions[:-1] != regions[1:]).any())


def _kernel(steps: tuple[float, float]) -> tuple[int, int]:
    """Width and height of the mean that rounds pixels off at this zoom; (1, 1) for none."""
    if not 1.0 < min(steps) < FOLLOWS_PIXELS_FROM:
        return 1, 1
    return 2 * math.ceil(steps[1] / 2) + 1, 2 * math.ceil(steps[0] / 2) + 1


def _smoothed(
    classes: NDArray[np.uint16], regions: NDArray[np.uint16], kernel: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Each place with the region that has most of its surroundings.

    The mean over one image pixel of a picture enlarged by squares is its bilinear enlargement, and
    where that is one half lie the middles of the pixels' edges.
    """
    # Only where an edge is near can the mean be anything but the place's own region.
    edges = np.zeros(regions.shape, bool)
    np.not_equal(regions[:, :-1], regions[:, 1:], out=edges[:, :-1])
    edges[:-1] |= regions[:-1] != regions[1:]
    near = cv2.dilate(edges.view(np.uint8), np.ones((kernel[1] + 1, kernel[0] + 1), np.uint8))
    places = np.flatnonzero(near.view(bool))
    own = regions.reshape(-1).take(places)
    values = np.flatnonzero(np.bincount(own))
    if len(values) > _MOST_SMOOTHED:
        return classes, regions
    best = np.zeros(len(places), np.uint8)
    winner = own.copy()
    for value in values.tolist():
        inside = (regions == value).view(np.uint8)
        share = cv2.boxFilter(inside, -1, kernel, normalize=False).reshape(-1).take(places)
        np.copyto(winner, value, where=share > best)
        np.maximum(best, share, out=best)
    out = regions.copy()
    out.reshape(-1)[places] = winner
    if regions is classes:
        return out, out
    class_of = np.zeros(1 << 16, np.uint16)
    class_of[own] = classes.reshape(-1).take(places)
    shown = classes.copy()
    shown.reshape(-1)[places] = class_of.take(winner)
    return shown, out


def _gaps(
    owner: NDArray[Any],
    rank: NDArray[Any],
    corrected: NDArray[np.bool_] | None,
    beside: NDArray[np.bool_],
    below: NDArray[np.bool_],
    at: Rect,
    width: int,
    reach: int,
) -> NDArray[np.bool_]:
    """Where a dashed line has its gaps."""
    height, columns = owner.shape
    period, dash = _PERIOD * width, _DASH * width
    # Counted along the axis that the edge follows more, looked at over a few pixels: so a dash
    # is 8 to 11 pixels long in whatever direction.
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
            near = cv2.dilate(mine, np.ones((3, 3), np.uint8), iterations=reach)
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
