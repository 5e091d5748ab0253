"""From geometry to pixels: strokes of a brush and polygons, exact by pixel centres.

A pixel (row i, column j) is the square [i, i + 1) x [j, j + 1) and belongs to a shape if its
centre does. A stroke is the union of the disks (or squares) of one radius along a path. Drawing it
disk by disk costs disks x radius^2; here each segment of the path gives one span per row, so the
cost is rows + pixels whatever the radius.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect

Point: TypeAlias = tuple[float, float]
Scale: TypeAlias = float | tuple[float, float]
Floats: TypeAlias = NDArray[np.float64]

# Spans worked on at once: about a dozen arrays of this length stay in the processor's cache.
_SPANS_AT_ONCE = 1 << 14


def stroke_mask(
    path: Sequence[Point],
    radius: float,
    rect: Rect,
    *,
    square: bool = False,
    scale: Scale = 1.0,
) -> NDArray[np.bool_]:
    """The pixels of `rect` whose centre is at most `radius` from the path.

    Parameters
    ----------
    path : points (y, x) in image coordinates; one point gives a disk.
    radius : in pixels of the image; half of the brush's diameter.
    rect : the part to rasterise, in pixels of the level; may reach beyond the image.
    square : the distance is the greater of the two along the axes: a square brush.
    scale : image pixels per pixel of the level, or (y, x): the same geometry for a preview.

    Returns
    -------
    (rect.height, rect.width) bool.
    """
    spans = list(_stroke_spans(path, radius, rect, square, scale))
    if not spans:
        return np.zeros((rect.height, rect.width), bool)
    row, start, end = (np.concatenate(parts) for parts in zip(*spans, strict=True))
    if len(row) <= rect.height and (np.diff(row) > 0).all():
        # One span a row, as while the mouse moves: two comparisons a pixel, no counting.
        bounds = np.zeros((2, rect.height, 1), np.int32)
        bounds[0, row, 0], bounds[1, row, 0] = start, end
        columns = np.arange(rect.width, dtype=np.int32)
        return np.asarray((columns >= bounds[0]) & (columns < bounds[1]))
    depth = _events(rect, row, start, end)
    np.cumsum(depth, axis=1, out=depth)
    return depth[:, : rect.width] > 0


def stroke_bounds(path: Sequence[Point], radius: float, scale: Scale = 1.0) -> Rect:
    """The smallest rectangle that certainly holds every pixel of a stroke; empty without path."""
    if not len(path):
        return Rect(0, 0, 0, 0)
    step_y, step_x = _steps(scale)
    points = np.asarray(path, np.float64).reshape(-1, 2)
    top, left = points.min(axis=0) - radius
    bottom, right = points.max(axis=0) + radius
    return Rect.from_bounds(
        math.floor(top / step_y),
        math.floor(left / step_x),
        math.floor(bottom / step_y) + 1,
        math.floor(right / step_x) + 1,
    )


def stroke_parts(
    path: Sequence[Point], radius: float, within: Rect, rows: int = 256
) -> Iterator[Rect]:
    """Rectangles inside `within` that together hold the stroke, each at most `rows` high.

    A long slanting stroke has a bounding rectangle much larger than itself; working through these
    bands instead keeps memory and time with the stroke's own size.
    """
    if not len(path):
        return
    bounds = stroke_bounds(path, radius).intersect(within)
    tops, lefts, bottoms, rights = _segment_bounds(_segments(path), radius)
    for y in range(bounds.y - bounds.y % rows, bounds.bottom, rows):
        band = Rect(y, bounds.x, rows, bounds.width).intersect(bounds)
        meets = (bottoms >= band.y) & (tops <= band.bottom)
        if not meets.any():
            continue
        part = Rect.from_bounds(
            band.y,
            math.floor(lefts[meets].min()),
            band.bottom,
            math.floor(rights[meets].max()) + 1,
        ).intersect(band)
        if not part.is_empty:
            yield part


def polygon_mask(
    rings: Sequence[Sequence[Point]], rect: Rect, *, scale: Scale = 1.0
) -> NDArray[np.bool_]:
    """The pixels of `rect` whose centre is inside, by the even-odd rule.

    Parameters
    ----------
    rings : closed rings of points (y, x) in image coordinates; the last point is joined to the
        first. A ring within another is a hole, whatever the direction of either.
    rect, scale : as for `stroke_mask`.

    Returns
    -------
    (rect.height, rect.width) bool. A centre on an edge belongs to the polygon on its right (or
    below), so polygons that share an edge neither overlap nor leave a gap.
    """
    step_y, step_x = _steps(scale)
    rows, columns = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    edges = [_closed_edges(ring) for ring in rings if len(ring) >= 3]
    ay, ax, by, bx = np.concatenate([*edges, np.zeros((0, 4))]).T
    upwards = ay > by
    ay, by = np.where(upwards, by, ay), np.where(upwards, ay, by)
    ax, bx = np.where(upwards, bx, ax), np.where(upwards, ax, bx)
    # Rows whose centre is in [ay, by): half-open, so a corner is counted once.
    first = np.maximum(np.ceil(ay / step_y - 0.5), rect.y).astype(np.intp)
    last = np.minimum(np.ceil(by / step_y - 0.5) - 1, rect.bottom - 1).astype(np.intp)
    for edge, row in _ragged(first, last):
        centre = (row + 0.5) * step_y
        share = (centre - ay[edge]) / (by[edge] - ay[edge])
        crossing = ax[edge] + share * (bx[edge] - ax[edge])
        column = np.ceil(crossing / step_x - 0.5) - rect.x
        rows.append(row - rect.y)
        columns.append(np.clip(column, 0, rect.width).astype(np.intp))
    crossings = _events(rect, np.concatenate(rows), np.concatenate(columns))
    np.cumsum(crossings, axis=1, out=crossings)
    return (crossings[:, : rect.width] & 1).astype(bool)


def polygon_bounds(rings: Sequence[Sequence[Point]]) -> Rect:
    """The rectangle of pixels that the rings touch; empty if there are none."""
    points = [point for ring in rings for point in ring]
    return stroke_bounds(points, 0.0)


# -- spans of a stroke ------------------------------------------------------------------------


class _Spans(NamedTuple):
    """Runs of pixels, relative to the rectangle: columns start .. end of a row, end excluded."""

    row: NDArray[np.intp]
    start: NDArray[np.intp]
    end: NDArray[np.intp]


class _Segments(NamedTuple):
    """Segments a-b of a path; a point is a segment of length 0."""

    ay: Floats
    ax: Floats
    dy: Floats
    dx: Floats

    def of(self, which: NDArray[np.intp]) -> _Segments:
        return _Segments(*(values[which] for values in self))


def _stroke_spans(
    path: Sequence[Point], radius: float, rect: Rect, square: bool, scale: Scale
) -> Iterator[_Spans]:
    if not len(path) or rect.is_empty or radius < 0:
        return
    step_y, step_x = _steps(scale)
    segments = _segments(path)
    tops, lefts, bottoms, rights = _segment_bounds(segments, radius)
    # One row more on either side: what a rounding error would lose, the exact test below decides.
    first = np.maximum(np.ceil(tops / step_y - 0.5) - 1, rect.y).astype(np.intp)
    last = np.minimum(np.floor(bottoms / step_y - 0.5) + 1, rect.bottom - 1).astype(np.intp)
    beside = (rights < rect.x * step_x) | (lefts > rect.right * step_x)
    last[beside] = first[beside] - 1
    for which, row in _ragged(first, last):
        y = np.asarray((row + 0.5) * step_y, np.float64)
        start, end = _row_spans(segments.of(which), radius, y, step_x, square)
        begin = np.clip(start - rect.x, 0, rect.width).astype(np.intp)
        stop = np.clip(end - rect.x, 0, rect.width).astype(np.intp)
        kept = begin < stop
        yield _Spans((row - rect.y)[kept], begin[kept], stop[kept])


def _row_spans(
    segments: _Segments, radius: float, y: Floats, step_x: float, square: bool
) -> tuple[Floats, Floats]:
    """First column and the one after the last of each segment's stroke in its row at `y`."""
    reach, holds = (_square_reach, _square_holds) if square else (_round_reach, _round_holds)
    low, high = reach(segments, radius, y)
    # Where a row is not met, any crossed numbers will do; infinities would only raise warnings.
    met = low <= high
    start = np.ceil(np.where(met, low, 0.0) / step_x - 0.5)
    last = np.floor(np.where(met, high, -3.0 * step_x) / step_x - 0.5)

    # The ends come out of square roots and quotients; the test by distance has the last word.
    columns = np.stack([start - 1, start, last, last + 1])
    before, first, final, after = holds(segments, radius, y, (columns + 0.5) * step_x)
    start = start + ~first - (first & before)
    last = last - ~final + (final & after)
    return start, np.where(met, last + 1, start)


def _round_reach(segments: _Segments, radius: float, y: Floats) -> tuple[Floats, Floats]:
    """Where the row at `y` meets the capsule, from and to; crossed where it does not.

    A capsule is convex, so the span reaches from the least to the greatest end of its three parts:
    the disks at both ends and the rectangle between them.
    """
    ay, ax, dy, dx = segments
    low, high = np.full(y.shape, np.inf), np.full(y.shape, -np.inf)
    for at in (0.0, 1.0):
        rest = radius * radius - (y - ay - at * dy) ** 2
        met = rest >= 0
        half = np.sqrt(np.where(met, rest, 0.0))
        centre = ax + at * dx
        low = np.where(met, np.minimum(low, centre - half), low)
        high = np.where(met, np.maximum(high, centre + half), high)
    length = np.hypot(dy, dx)
    offset = y - ay
    with np.errstate(divide="ignore", invalid="ignore"):
        # Along the segment: 0 <= offset dy + t dx <= length^2, for t = x - ax.
        along = np.stack([-offset * dy, length * length - offset * dy]) / dx
        # Across: |offset dx - t dy| <= radius length.
        across = np.stack([offset * dx - radius * length, offset * dx + radius * length]) / dy
    beside = (offset * dy >= 0) & (offset * dy <= length * length)
    along_low = np.where(dx != 0, along.min(axis=0), np.where(beside, -np.inf, np.inf))
    along_high = np.where(dx != 0, along.max(axis=0), np.where(beside, np.inf, -np.inf))
    within = np.abs(offset) <= radius
    across_low = np.where(dy != 0, across.min(axis=0), np.where(within, -np.inf, np.inf))
    across_high = np.where(dy != 0, across.max(axis=0), np.where(within, np.inf, -np.inf))
    from_t = np.maximum(along_low, across_low)
    to_t = np.minimum(along_high, across_high)
    met = (from_t <= to_t) & (length > 0)
    low = np.where(met, np.minimum(low, ax + from_t), low)
    high = np.where(met, np.maximum(high, ax + to_t), high)
    return low, high


def _round_holds(segments: _Segments, radius: float, y: Floats, x: Floats) -> NDArray[np.bool_]:
    """Whether the point is at most `radius` from its segment."""
    ay, ax, dy, dx = segments
    square_length = dy * dy + dx * dx
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ((y - ay) * dy + (x - ax) * dx) / square_length
    share = np.where(square_length > 0, np.clip(share, 0.0, 1.0), 0.0)
    off_y, off_x = y - ay - share * dy, x - ax - share * dx
    return np.asarray(off_y * off_y + off_x * off_x <= radius * radius)


def _square_reach(segments: _Segments, radius: float, y: Floats) -> tuple[Floats, Floats]:
    """As `_round_reach`, for a square: the segment's part within `radius` rows, grown sideways."""
    ay, ax, dy, dx = segments
    share = _shares_within(y - ay, dy, radius)
    ends = ax + share * dx
    met = share[0] <= share[1]
    low = np.where(met, ends.min(axis=0) - radius, np.inf)
    high = np.where(met, ends.max(axis=0) + radius, -np.inf)
    return low, high


def _square_holds(segments: _Segments, radius: float, y: Floats, x: Floats) -> NDArray[np.bool_]:
    """Whether one point of the segment is at most `radius` away along both axes."""
    ay, ax, dy, dx = segments
    rows, columns = _shares_within(y - ay, dy, radius), _shares_within(x - ax, dx, radius)
    return np.asarray(np.maximum(rows[0], columns[0]) <= np.minimum(rows[1], columns[1]))


def _shares_within(offset: Floats, step: Floats, radius: float) -> Floats:
    """(2, n): from which to which share s of a segment |offset - s * step| <= radius; crossed
    where nowhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([offset - radius, offset + radius]) / step
    still = np.abs(offset) <= radius
    low = np.where(step != 0, ends.min(axis=0), np.where(still, 0.0, 1.0))
    high = np.where(step != 0, ends.max(axis=0), np.where(still, 1.0, 0.0))
    return np.stack([np.maximum(low, 0.0), np.minimum(high, 1.0)])


# -- shared -----------------------------------------------------------------------------------


def _segments(path: Sequence[Point]) -> _Segments:
    points = np.asarray(path, np.float64).reshape(-1, 2)
    if len(points) > 1:
        # A mouse that rests sends the same point again and again.
        moved = np.concatenate([[True], (points[1:] != points[:-1]).any(axis=1)])
        points = points[moved]
    start = points[:-1] if len(points) > 1 else points
    step = np.diff(points, axis=0) if len(points) > 1 else np.zeros((1, 2))
    return _Segments(start[:, 0], start[:, 1], step[:, 0], step[:, 1])


def _segment_bounds(segments: _Segments, radius: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Top, left, bottom and right of each segment grown by the radius."""
    ay, ax, dy, dx = segments
    return (
        np.minimum(ay, ay + dy) - radius,
        np.minimum(ax, ax + dx) - radius,
        np.maximum(ay, ay + dy) + radius,
        np.maximum(ax, ax + dx) + radius,
    )


def _closed_edges(ring: Sequence[Point]) -> Floats:
    """(n, 4): ay, ax, by, bx of each edge of a ring."""
    points = np.asarray(ring, np.float64).reshape(-1, 2)
    return np.concatenate([points, np.roll(points, -1, axis=0)], axis=1)


def _ragged(
    first: NDArray[np.intp], last: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """All pairs (number, row) with first[number] <= row <= last[number], a piece at a time."""
    lengths = np.maximum(last - first + 1, 0)
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, _SPANS_AT_ONCE):
        place = np.arange(start, min(start + _SPANS_AT_ONCE, total))
        number = np.searchsorted(ends, place, side="right")
        yield number, first[number] + place - (ends[number] - lengths[number])


def _events(
    rect: Rect,
    rows: NDArray[np.intp],
    up: NDArray[np.intp],
    down: NDArray[np.intp] | None = None,
) -> NDArray[np.int32]:
    """Steps up less steps down at each place; one column more than the rectangle is wide."""
    counts: NDArray[Any] = np.zeros((rect.height, rect.width + 1), np.int32)
    flat, first = counts.reshape(-1), rows * (rect.width + 1)
    np.add.at(flat, first + up, np.int32(1))
    if down is not None:
        np.add.at(flat, first + down, np.int32(-1))
    return counts


def _steps(scale: Scale) -> tuple[float, float]:
    return scale if isinstance(scale, tuple) else (scale, scale)
