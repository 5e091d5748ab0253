"""Found objects as masks: laid out on the picture, joined over tiles, painted into one plane.

By the heuristics of Kirillov et al. 2019, "Panoptic Segmentation" (arXiv:1801.00868), section 7.2:
objects are taken by their score, a later one keeps only what no better one has, and one that is
hidden by more than half is dropped. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass

LOWEST_SCORE = 0.05  # of an object that is found at all: the field's, He et al. 2017
VISIBLE = 0.5  # share of an object that no better one may have taken
SAME_IOU = 0.5  # in what two tiles share, two masks of one object agree at least so far,
SAME_INSIDE = 0.8  # or the smaller one lies in the larger one by so much of its area


@dataclass(frozen=True, eq=False)
class Found:
    """One object.

    Parameters
    ----------
    rect : where it lies in the picture.
    mask : (rect.height, rect.width) float32 probability that a pixel is part of it.
    score : 0 to 1.
    channel : the output channel of its class.
    """

    rect: Rect
    mask: NDArray[np.float32]
    score: float
    channel: int

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Its pixels: those with a probability of at least one half."""
        return self.mask >= 0.5

    def shifted(self, dy: int, dx: int) -> Found:
        return replace(self, rect=self.rect.shifted(dy, dx))

    def seen_in(self, window: Rect) -> Found | None:
        """What of it lies in a window, in the window's own pixels; None if nothing does."""
        part = self.rect.intersect(window)
        if part.is_empty:
            return None
        mask = self.mask[part.shifted(-self.rect.y, -self.rect.x).slices]
        return replace(self, rect=part.shifted(-window.y, -window.x), mask=mask)


def lay_out(
    boxes: NDArray[Any],
    scores: NDArray[Any],
    channels: NDArray[Any],
    masks: NDArray[np.float32],
    size: tuple[int, int],
) -> list[Found]:
    """Masks on grids over their boxes as masks on pixels.

    A pixel takes the probability at its centre, between the centres of the grid's cells.

    Parameters
    ----------
    boxes : (N, 4) y0, x0, y1, x1; masks : (N, m, m); size : height and width of the picture.
    """
    picture = Rect(0, 0, *size)
    found = []
    for box, score, channel, mask in zip(boxes.tolist(), scores, channels, masks, strict=True):
        top, left, bottom, right = box
        # The pixels whose centres lie within the box.
        rect = Rect.from_bounds(
            int(np.ceil(top - 0.5)),
            int(np.ceil(left - 0.5)),
            int(np.ceil(bottom - 0.5)),
            int(np.ceil(right - 0.5)),
        ).intersect(picture)
        if rect.is_empty:
            continue
        cells = mask.shape[0]
        along_x, along_y = cells / (right - left), cells / (bottom - top)
        matrix = np.array(
            [
                [along_x, 0, (rect.x + 0.5 - left) * along_x - 0.5],
                [0, along_y, (rect.y + 0.5 - top) * along_y - 0.5],
            ]
        )
        laid = cv2.warpAffine(
            mask,
            matrix,
            (rect.width, rect.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        found.append(Found(rect, laid, float(score), int(channel)))
    return found


def paint(
    found: Sequence[Found], size: tuple[int, int]
) -> tuple[NDArray[np.uint32], tuple[Found, ...]]:
    """Objects in one plane, best score first.

    Returns
    -------
    (h, w) uint32 numbers, 0 = none, and the objects that are in it: number k + 1 is the k-th.
    """
    numbers = np.zeros(size, np.uint32)
    kept: list[Found] = []
    for one in sorted(found, key=lambda o: -o.score):
        part = numbers[one.rect.slices]
        inside = one.inside
        free = inside & (part == 0)
        if not free.any() or free.sum() < VISIBLE * inside.sum():
            continue
        kept.append(one)
        part[free] = len(kept)
    return numbers, tuple(kept)


def merged(
    numbers: NDArray[np.uint32],
    channel_of: NDArray[np.int64],
    semantic: NDArray[np.int64],
    things: NDArray[np.bool_],
    least_stuff: int,
) -> NDArray[np.int64]:
    """Objects and stuff as one map of channels: objects first, then what is no thing.

    Kirillov et al. 2019, "Panoptic Feature Pyramid Networks", section 3: where the semantic branch
    says thing and no object is, and where a stuff class has few pixels in all, nothing is decided.

    Parameters
    ----------
    numbers : (h, w) objects, 0 = none; channel_of : (n,) of object k + 1.
    semantic : (h, w) channels of the highest scores.
    things : (channels,) which are things.
    least_stuff : pixels below which a stuff class is not in the picture.

    Returns
    -------
    (h, w) int64 channels, -1 where nothing is decided.
    """
    stuff = beneath(numbers, semantic, things, least_stuff)
    return np.where(numbers > 0, np.concatenate([[-1], channel_of])[numbers], stuff)


def beneath(
    numbers: NDArray[np.uint32],
    semantic: NDArray[np.int64],
    things: NDArray[np.bool_],
    least_stuff: int,
) -> NDArray[np.int64]:
    """(h, w) int64: the channels of `merged` with all objects taken away, -1 where undecided.

    What stuff is in the picture is counted beside the objects; parameters as of `merged`.
    """
    stuff = np.where(things[semantic], -1, semantic)
    seen = stuff[(stuff >= 0) & (numbers == 0)]
    pixels = np.bincount(seen, minlength=len(things))
    stuff[np.isin(stuff, np.flatnonzero(pixels < least_stuff))] = -1
    return stuff


def join_tiles(tiles: Sequence[tuple[Rect, Sequence[Found]]]) -> list[Found]:
    """The objects of overlapping tiles, each once.

    Two objects of one class are the same where their masks agree in what both tiles see; the best
    pairs come first, and no two objects of one tile become one. A joined object has the union of
    the masks and the higher score.

    Parameters
    ----------
    tiles : the part of the picture that each tile sees, with its objects in the picture's pixels.
    """
    objects = [one for _, found in tiles for one in found]
    tile_of = [k for k, (_, found) in enumerate(tiles) for _ in found]
    groups = [[k] for k in range(len(objects))]
    group_of = list(range(len(objects)))
    for _, a, b in sorted(_pairs(objects, tile_of, [rect for rect, _ in tiles]), reverse=True):
        one, other = group_of[a], group_of[b]
        if {tile_of[k] for k in groups[one]} & {tile_of[k] for k in groups[other]}:
            continue
        for k in groups[other]:
            group_of[k] = one
        groups[one] += groups[other]
        groups[other] = []
    return [_union([objects[k] for k in group]) for group in groups if group]


def _pairs(
    objects: Sequence[Found], tile_of: Sequence[int], tiles: Sequence[Rect]
) -> list[tuple[float, int, int]]:
    """How well the masks of two objects of different tiles agree, for those that may be one."""
    if len(tiles) < 2 or not objects:
        return []
    ends = np.array([(o.rect.y, o.rect.x, o.rect.bottom, o.rect.right) for o in objects])
    channels = np.array([o.channel for o in objects])
    owners = np.array(tile_of)
    found = []
    for a in range(len(objects)):
        near = (ends[a, :2] < ends[:, 2:]).all(1) & (ends[:, :2] < ends[a, 2:]).all(1)
        near &= (owners > owners[a]) & (channels == channels[a])
        for b in np.flatnonzero(near).tolist():
            window = tiles[tile_of[a]].intersect(tiles[tile_of[b]])
            window = window.intersect(objects[a].rect.union(objects[b].rect))
            one, other = _within(objects[a], window), _within(objects[b], window)
            shared = int((one & other).sum())
            if not shared:
                continue
            areas = int(one.sum()), int(other.sum())
            iou = shared / (sum(areas) - shared)
            if iou >= SAME_IOU or shared >= SAME_INSIDE * min(areas):
                found.append((iou, a, b))
    return found


def _within(one: Found, window: Rect) -> NDArray[np.bool_]:
    result = np.zeros((window.height, window.width), bool)
    part = one.rect.intersect(window)
    if not part.is_empty:
        mine = part.shifted(-one.rect.y, -one.rect.x).slices
        result[part.shifted(-window.y, -window.x).slices] = one.inside[mine]
    return result


def _union(group: Sequence[Found]) -> Found:
    if len(group) == 1:
        return group[0]
    rect = group[0].rect
    for one in group[1:]:
        rect = rect.union(one.rect)
    mask = np.zeros((rect.height, rect.width), np.float32)
    for one in group:
        part = mask[one.rect.shifted(-rect.y, -rect.x).slices]
        np.maximum(part, one.mask, out=part)
    return Found(rect, mask, max(one.score for one in group), group[0].channel)
