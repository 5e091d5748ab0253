"""From planes to an even volume: their order, their distances, the affine; or why they make none.

Sorting is by position along the normal, never by name or number. A stack that is uneven or tilted
is no grid: a volume or a distance measured on it would be wrong, so it is refused and not bent.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from segcore.base import Spacing
from segcore.base.dataclass import dataclass
from segcore.images.dicom_header import Plane

# Scanners write positions rounded to a hundredth of a millimetre or so; that is no gap.
_RELATIVE_TOLERANCE = 0.02
_TILT_DEGREES = 0.5


@dataclass(frozen=True)
class Volume:
    """Planes in their order and, where they lie on an even grid, its geometry.

    `problem` is the end of a sentence ("its slices are ...") where they do not.
    """

    planes: tuple[Plane, ...]
    affine: NDArray[np.float64] | None
    spacing: Spacing | None
    problem: str = ""


def arrange(planes: tuple[Plane, ...], thickness: float | None) -> Volume:
    """Sort planes by their position and find the grid that they lie on.

    Parameters
    ----------
    planes : of one series, of one size.
    thickness : of a slice in millimetres; the extent along z of a single plane.

    Returns
    -------
    Volume
        Without geometry and without problem where no plane has a position; they are then in the
        order of their numbers.
    """
    placed = [p for p in planes if p.position is not None and p.orientation is not None]
    if not placed:
        ordered = tuple(sorted(planes, key=lambda p: (p.number, p.frame)))
        return Volume(ordered, None, _plane_spacing(planes, thickness))
    if len(placed) < len(planes):
        return Volume(
            planes, None, None, f"{len(planes) - len(placed)} of its slices have no place"
        )
    directions = np.array([p.orientation for p in placed], np.float64)
    if np.abs(directions - directions[0]).max() > 1e-3:
        return Volume(_by_number(planes), None, None, "its slices point in different directions")
    row, column = directions[0, :3], directions[0, 3:]
    normal = np.cross(row, column)
    if not 0.99 < np.linalg.norm(normal) < 1.01:
        return Volume(_by_number(planes), None, None, "the directions of its slices make no sense")
    positions = np.array([p.position for p in placed], np.float64)
    # Equal places keep the order of the numbers: phases of a series over time, one after another.
    order = sorted(
        range(len(placed)),
        key=lambda i: (round(float(positions[i] @ normal), 4), placed[i].number, placed[i].frame),
    )
    ordered = tuple(placed[i] for i in order)
    positions = positions[order]
    if len({p.spacing for p in planes}) > 1 and not _same_spacing(planes):
        return Volume(ordered, None, None, "its slices differ in the size of their pixels")
    in_plane = planes[0].spacing
    if len(ordered) > 1 and (problem := _unevenness(positions, normal)):
        return Volume(ordered, None, None, problem)
    if in_plane is None:
        return Volume(ordered, None, None)
    if len(ordered) > 1:
        step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    else:
        step = normal * (thickness or in_plane[0])
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2] = row * in_plane[1], column * in_plane[0], step
    lps[:3, 3] = positions[0]
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps + 0.0  # + 0.0 turns -0 into 0
    return Volume(ordered, affine, Spacing(float(np.linalg.norm(step)), in_plane[0], in_plane[1]))


def _unevenness(positions: NDArray[np.float64], normal: NDArray[np.float64]) -> str:
    """Why sorted positions are no even stack along the normal, or ""."""
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    tolerance = max(_RELATIVE_TOLERANCE * usual, 1e-3)
    if gaps.min() <= tolerance:
        doubled = int((gaps <= tolerance).sum())
        places = "one place has" if doubled == 1 else f"{doubled} places have"
        return f"{places} more than one slice"
    problems = []
    if gaps.max() - usual > tolerance or usual - gaps.min() > tolerance:
        if _multiples(gaps, usual, tolerance):
            missing = int(sum(round(float(gap) / usual) - 1 for gap in gaps))
            text = "a slice is missing" if missing == 1 else f"{missing} slices are missing"
            problems.append(f"{text} from the stack")
        else:
            problems.append(
                f"its slices are unevenly spaced ({gaps.min():.2f} to {gaps.max():.2f} mm)"
            )
    along = positions[-1] - positions[0]
    sideways = float(np.linalg.norm(along - (along @ normal) * normal))
    tilt = math.degrees(math.atan2(sideways, float(along @ normal)))
    if tilt > _TILT_DEGREES:
        problems.append(f"its stack is tilted by {tilt:.1f} degrees (the scanner's gantry)")
    return " and ".join(problems)


def _multiples(gaps: NDArray[np.float64], usual: float, tolerance: float) -> bool:
    """Whether every gap is a whole number of usual ones, as where slices were lost."""
    counts = np.rint(gaps / usual)
    return bool((counts >= 1).all() and (np.abs(gaps - counts * usual) <= tolerance * counts).all())


def _same_spacing(planes: tuple[Plane, ...]) -> bool:
    known = [p.spacing for p in planes if p.spacing is not None]
    return len(known) == len(planes) and bool(np.allclose(known, known[0], rtol=1e-4))


def _plane_spacing(planes: tuple[Plane, ...], thickness: float | None) -> Spacing | None:
    """Size of the pixels where nothing is known of the slices' places; z repeats y."""
    first = planes[0].spacing
    if first is None or not _same_spacing(planes):
        return None
    return Spacing(thickness or first[0], first[0], first[1])


def _by_number(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    return tuple(sorted(planes, key=lambda p: (p.number, p.frame)))
