"""GrabCut: an object cut out from a few strokes, a box, or both.

Rother, Kolmogorov & Blake 2004, "GrabCut: interactive foreground extraction using iterated graph
cuts", https://doi.org/10.1145/1015706.1015720; the solver is OpenCV's. What this file adds is that
any picture and any seeds have an answer, that the answer is the same every time, and that no
pixel which a person marked changes its side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import Cancelled, MaskwrightError, Rect

UNKNOWN, FOREGROUND, BACKGROUND = 0, 1, 2
# Up to so many pixels are cut as they are; of more, a coarse picture of this size is cut first.
DIRECT_PIXELS = 1 << 15
# Up to so many pixels one more cut decides everything at full size; of more, only the coarse rim.
WHOLE_PIXELS = 1 << 17
# The rim is cut again at up to so many; beyond, the answer is enlarged.
MAX_WORK_PIXELS = 1 << 20
_RNG_SEED = 20040808  # OpenCV starts its k-means at random; the date of the paper's publication
_COMPONENTS = 5  # Gaussians of each colour model in OpenCV
_PERCENTILES = (0.5, 99.5)
_MIN_MARGIN = 16
_NARROW = 4
_BAND = 2.0  # coarse pixels on either side of the coarse rim that the fine cut decides again
_SETTLED = 1e-4  # share of pixels that an iteration moves when it has nothing more to say

_Models: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]  # background, foreground


def grabcut(
    image: NDArray[Any],
    seeds: NDArray[Any],
    box: Rect | None = None,
    iterations: int = 5,
    *,
    connected: bool = False,
    cancelled: Callable[[], bool] | None = None,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.bool_]:
    """Cut the object out that the seeds and the box mean.

    Parameters
    ----------
    image : (y, x) or (y, x, c), any real dtype. Three channels and more: the first three as
        colour; two: both; what is not 8 bits deep goes through its percentiles 0.5 and 99.5.
    seeds : (y, x) of integers: 0 unknown, 1 foreground, 2 background; no other value.
    box : the object lies inside; rows and columns of the image. What lies outside is background,
        but for foreground seeds. May stick out of the image.
    iterations : of learning colours and cutting; at least 1.
    connected : leave out parts that hold no foreground seed, if there is such a seed: one nucleus
        of many that look alike.
    cancelled : asked between iterations.
    progress : told the share that is done.

    Returns
    -------
    (y, x) bool, True where the object is. Every seed keeps its side. Without a foreground seed
    and without a box nothing is object. Without any background (no such seed, no box that leaves
    some) the rim of the picture is taken to be background, as far as it has no seed.
    The same arguments always give the same answer.

    Raises
    ------
    MaskwrightError : sizes that do not agree, seeds with another value.
    Cancelled : `cancelled` said so.
    """
    _check(image, seeds, iterations)
    result: NDArray[np.bool_] = seeds == FOREGROUND
    work = _work_rect(seeds, box)
    if work.is_empty:
        return result
    watch = _Watch(cancelled or _never, progress or _nothing, iterations)
    found = _cut(image, seeds, box, work, watch)
    if box is not None and not result.any() and not found.any():
        # Something like the object also lies further off, so its colours count as background.
        # What is close around the box tells more then than nothing at all would.
        work = box.grown(_NARROW).intersect(work)
        found = _cut(image, seeds, box, work, watch)
    if connected and result.any():
        found = _holding(found, result[work.slices])
    result[work.slices] = found
    return result


def grabcut_region(
    seeds: NDArray[Any] | Rect, box: Rect | None, shape: tuple[int, int], margin: int | None = None
) -> Rect:
    """The part of a picture in which `grabcut` may find the object.

    Background seeds have no say: a stroke in empty ground far off would let the object reach there.

    Parameters
    ----------
    seeds : (y, x) as for `grabcut`, or the rectangle around the foreground's.
    box : as for `grabcut`.
    shape : (height, width) of the picture.
    margin : pixels around seeds and box; None is their larger side, at least 32: of an object such
        as a lung people mark the middle half.

    Returns
    -------
    A rectangle inside the picture; empty where there is neither a foreground seed nor a box.
    """
    marked = seeds if isinstance(seeds, Rect) else _bounds(np.asarray(seeds) == FOREGROUND)
    meant = marked if box is None else marked.union(box)
    whole = Rect(0, 0, *shape)
    if meant.intersect(whole).is_empty:
        return Rect(0, 0, 0, 0)
    if margin is None:
        margin = max(32, meant.height, meant.width)
    return meant.grown(margin).intersect(whole)


# -- before the cut -----------------------------------------------------------------------------


def _check(image: NDArray[Any], seeds: NDArray[Any], iterations: int) -> None:
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] == 0):
        raise MaskwrightError(
            f"GrabCut takes one slice, and the image has shape {image.shape}.",
            "Give an array (y, x) or (y, x, channels).",
        )
    if seeds.shape != image.shape[:2]:
        raise MaskwrightError(
            f"The seeds have shape {seeds.shape} and the image {image.shape[:2]}.",
            "Give one seed value for every pixel.",
        )
    if image.dtype.kind not in "biuf" or seeds.dtype.kind not in "biu":
        raise MaskwrightError(
            f"GrabCut takes numbers, not {image.dtype} with seeds of {seeds.dtype}.",
            "Give real pixel values and integer seeds.",
        )
    if seeds.size and not 0 <= int(seeds.min()) <= int(seeds.max()) <= BACKGROUND:
        raise MaskwrightError(
            f"The seeds hold values from {seeds.min()} to {seeds.max()}.",
            "Use 0 for unknown, 1 for foreground and 2 for background.",
        )
    if iterations < 1:
        raise MaskwrightError(f"GrabCut cannot do {iterations} iterations.", "Ask for 1 or more.")


def _work_rect(seeds: NDArray[Any], box: Rect | None) -> Rect:
    """Where there is something to decide: everywhere, or in and around the box."""
    whole = Rect(0, 0, *seeds.shape)
    if box is None:
        return whole if (seeds == FOREGROUND).any() else Rect(0, 0, 0, 0)
    inside = box.intersect(whole)
    if inside.is_empty:
        return inside
    if whole.area <= WHOLE_PIXELS:
        return whole
    # The ring around the box is where the background's colours are learned. All of a large
    # picture would cost more and say less about what surrounds the object.
    margin = max(_MIN_MARGIN, max(inside.height, inside.width) // 2)
    return inside.grown(margin).intersect(whole)


def _inside(box: Rect, work: Rect) -> NDArray[np.bool_]:
    mask = np.zeros((work.height, work.width), np.bool_)
    mask[box.intersect(work).shifted(-work.y, -work.x).slices] = True
    return mask


def _eight_bits(image: NDArray[Any]) -> NDArray[np.uint8]:
    """(y, x, 3) uint8, contiguous."""
    planes = image[..., np.newaxis] if image.ndim == 2 else image[..., :3]
    if planes.dtype != np.uint8:
        # One range for all channels: their relation is the colour.
        values = planes.astype(np.float64)
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, _PERCENTILES) if finite.size else (0.0, 1.0)
        if high <= low and finite.size:
            low, high = finite.min(), finite.max()
        with np.errstate(over="ignore", invalid="ignore"):
            values = (values - low) * (255.0 / (high - low)) if high > low else values * 0
        planes = np.rint(np.clip(np.nan_to_num(values, posinf=255, neginf=0), 0, 255))
    pick = {1: (0, 0, 0), 2: (0, 1, 1), 3: (0, 1, 2)}[planes.shape[2]]
    return np.ascontiguousarray(planes[..., pick], np.uint8)


def _shrunk(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shrunk_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """True where any pixel is: a stroke one pixel wide must not vanish."""
    return np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0)


def _shrunk_seeds(seeds: NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Seeds of both kinds in one coarse pixel leave it unknown; full size decides it exactly."""
    small = np.zeros((size[1], size[0]), np.uint8)
    front, back = (_shrunk_mask(seeds == kind, size) for kind in (FOREGROUND, BACKGROUND))
    small[front & ~back] = FOREGROUND
    small[back & ~front] = BACKGROUND
    return small


def _bounds(marked: NDArray[np.bool_]) -> Rect:
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    if not rows.size:
        return Rect(0, 0, 0, 0)
    return Rect.from_bounds(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


# -- the cut ------------------------------------------------------------------------------------


def _cut(
    image: NDArray[Any], seeds: NDArray[Any], box: Rect | None, work: Rect, watch: _Watch
) -> NDArray[np.bool_]:
    """The answer inside `work`."""
    crop, marks = _eight_bits(image[work.slices]), seeds[work.slices]
    inside = None if box is None else _inside(box, work)
    if work.area <= DIRECT_PIXELS:
        solved, _ = _solve(crop, marks, inside, watch)
    else:
        solved = _solve_large(crop, marks, inside, watch)
    solved[marks == FOREGROUND] = True
    solved[marks == BACKGROUND] = False
    return solved


def _holding(found: NDArray[np.bool_], marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected parts (8 neighbours) in which something is marked."""
    _, parts = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    kept = np.zeros(int(parts.max(initial=0)) + 1, np.bool_)
    kept[parts[marked]] = True
    kept[0] = False
    return np.asarray(kept[parts], np.bool_)


class _Watch(NamedTuple):
    cancelled: Callable[[], bool]
    progress: Callable[[float], None]
    iterations: int

    def look(self, share: float) -> None:
        if self.cancelled():
            raise Cancelled("The cut was cancelled.")
        self.progress(share)


def _never() -> bool:
    return False


def _nothing(share: float) -> None:
    pass


def _solve(
    image: NDArray[np.uint8], seeds: NDArray[Any], inside: NDArray[np.bool_] | None, watch: _Watch
) -> tuple[NDArray[np.bool_], _Models | None]:
    """The cut at the size that is given, and what was learned; None where nothing was open."""
    front, back = _certain(seeds, inside)
    if not back.any():
        back = _rim(front.shape) & ~front
        if not back.any():
            return np.ones_like(front), None
    if (front | back).all():
        return front, None
    mask = np.full(front.shape, cv2.GC_PR_FGD, np.uint8)
    mask[front], mask[back] = cv2.GC_FGD, cv2.GC_BGD
    models: _Models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(_RNG_SEED)
    if front.any() and inside is None:
        # Colours are learned from the seeds alone and used for a first cut (Boykov & Jolly
        # 2001). Calling all that is unknown foreground, as is right inside a box, would teach
        # the foreground every colour of the picture.
        _learn(image, front, back, models)
        cv2.grabCut(image, mask, None, *models, 1, cv2.GC_EVAL_FREEZE_MODEL)
    else:
        cv2.grabCut(image, mask, None, *models, 1, cv2.GC_INIT_WITH_MASK)
    for done in range(1, watch.iterations):
        watch.look(done / watch.iterations)
        before = mask.copy()
        if not _both_sides(mask):
            break
        cv2.grabCut(image, mask, None, *models, 1, cv2.GC_EVAL)
        if np.count_nonzero(mask != before) <= mask.size * _SETTLED:
            break
    watch.look(1.0)
    return np.asarray(mask & 1, np.bool_), models


def _solve_large(
    image: NDArray[np.uint8], seeds: NDArray[Any], inside: NDArray[np.bool_] | None, watch: _Watch
) -> NDArray[np.bool_]:
    """The cut of a coarse picture, and then once more, finer.

    An iteration costs more than proportionally to its pixels (0.24 s for 90,000, 0.06 s for a
    quarter of them). Colours and sides that were found hold at every size, so at the finer one
    a single cut is enough, and in a large picture one of a band around the coarse rim.
    """
    height, width = seeds.shape
    coarse, models = _at_size(image, seeds, inside, DIRECT_PIXELS, watch)
    fine_size = _size_within(height, width, MAX_WORK_PIXELS)
    fine_image = _shrunk(image, fine_size)
    front, back = _certain(
        _shrunk_seeds(seeds, fine_size), None if inside is None else _shrunk_mask(inside, fine_size)
    )
    scale = fine_size[1] / coarse.shape[0]
    soft = cv2.resize(coarse.astype(np.float32), fine_size, interpolation=cv2.INTER_LINEAR)
    reach = 2 * math.ceil(_BAND * scale) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (reach, reach))
    object_ = (soft >= 0.5).astype(np.uint8)
    whole = height * width <= WHOLE_PIXELS
    band = np.full(object_.shape, whole) | (
        cv2.dilate(object_, kernel) != cv2.erode(object_, kernel)
    )
    mask = np.where(band, np.uint8(cv2.GC_PR_BGD), np.uint8(cv2.GC_BGD)) | object_
    mask[front], mask[back] = cv2.GC_FGD, cv2.GC_BGD
    if models is not None and band.any() and _both_sides(mask):
        mode = cv2.GC_EVAL if whole else cv2.GC_EVAL_FREEZE_MODEL
        cv2.grabCut(fine_image, mask, None, *models, 1, mode)
    watch.look(1.0)
    if fine_size == (width, height):
        return np.asarray(mask & 1, np.bool_)
    soft = cv2.resize(
        (mask & 1).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
    )
    solved: NDArray[np.bool_] = soft >= 0.5
    return solved if inside is None else solved & inside


def _at_size(
    image: NDArray[np.uint8],
    seeds: NDArray[Any],
    inside: NDArray[np.bool_] | None,
    pixels: int,
    watch: _Watch,
) -> tuple[NDArray[np.bool_], _Models | None]:
    size = _size_within(seeds.shape[0], seeds.shape[1], pixels)
    return _solve(
        _shrunk(image, size),
        _shrunk_seeds(seeds, size),
        None if inside is None else _shrunk_mask(inside, size),
        watch,
    )


def _size_within(height: int, width: int, pixels: int) -> tuple[int, int]:
    """(width, height) of the same proportions with at most so many pixels."""
    scale = min(1.0, math.sqrt(pixels / (height * width)))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _certain(
    seeds: NDArray[Any], inside: NDArray[np.bool_] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels that are object and pixels that are background whatever the colours say."""
    front, back = seeds == FOREGROUND, seeds == BACKGROUND
    if inside is not None:
        back |= ~inside & ~front
    return front, back


def _learn(
    image: NDArray[np.uint8],
    front: NDArray[np.bool_],
    back: NDArray[np.bool_],
    models: _Models,
) -> None:
    """Fit both colour models to certain pixels: GrabCut of a strip of them, with no iteration."""
    strips = [_at_least(image[side], _COMPONENTS) for side in (back, front)]
    strip = np.concatenate(strips)[np.newaxis]
    mask = np.full(strip.shape[:2], cv2.GC_FGD, np.uint8)
    mask[:, : len(strips[0])] = cv2.GC_BGD
    cv2.grabCut(np.ascontiguousarray(strip), mask, None, *models, 0, cv2.GC_INIT_WITH_MASK)


def _at_least(colours: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The colours, repeated where there are fewer than `count`."""
    if len(colours) >= count:
        return colours
    return np.tile(colours, (-(-count // len(colours)), 1))


def _rim(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    rim = np.ones(shape, np.bool_)
    rim[1:-1, 1:-1] = False
    return rim


def _both_sides(mask: NDArray[np.uint8]) -> bool:
    """Whether both colours have pixels to learn from; OpenCV asserts it."""
    front = (mask & 1).astype(bool)  # GC_FGD = 1 and GC_PR_FGD = 3
    return bool(front.any() and not front.all())
