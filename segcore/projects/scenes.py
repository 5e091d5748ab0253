"""Made-up pictures with exact truth: glowing nuclei, and vessels in the back of an eye.

The truth is drawn first and the picture is made from it, so it is right to the pixel; light,
blur and noise are what a microscope or a fundus camera adds. Everything follows from one seed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from segcore.base.dataclass import dataclass

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A picture and its truth.

    Parameters
    ----------
    image : (y, x) or (y, x, 3) uint8.
    objects : (y, x) uint32, number of the object at each pixel, 0 where there is none.
    kind : "nucleus" or "vessel".
    """

    image: NDArray[np.uint8]
    objects: NDArray[np.uint32]
    kind: str


def nuclei(
    seed: int,
    *,
    size: tuple[int, int] = (384, 512),
    count: int = 60,
    radius: float = 14.0,
    signal: float = 0.55,
    touching: float = 0.25,
) -> Scene:
    """Fluorescent nuclei on a dark ground.

    Parameters
    ----------
    seed : everything random follows from it.
    size : (y, x) pixels.
    count : nuclei to place; fewer where no room is left.
    radius : mean radius in pixels.
    signal : brightness of a typical nucleus, 0 to 1.
    touching : share of the nuclei that are set against another one.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    objects = np.zeros(size, np.uint32)
    light = np.zeros(size)
    placed: list[tuple[float, float, float]] = []
    attempts = 0
    while len(placed) < count and attempts < 60 * count:
        attempts += 1
        r = radius * math.exp(rng.normal(0, 0.18))
        if placed and rng.random() < touching:
            y0, x0, r0 = placed[int(rng.integers(len(placed)))]
            angle, gap = rng.uniform(0, 2 * math.pi), (r + r0) * rng.uniform(0.9, 1.0)
            y, x = y0 + gap * math.sin(angle), x0 + gap * math.cos(angle)
        else:
            y, x = rng.uniform(0, height), rng.uniform(0, width)
        if any(math.hypot(y - b, x - a) < 0.85 * (r + q) for b, a, q in placed):
            continue
        inside = _blob(rng, size, (y, x), r) & (objects == 0)
        if np.count_nonzero(inside) < 0.3 * math.pi * r * r:
            continue
        placed.append((y, x, r))
        objects[inside] = len(placed)
        light[inside] = signal * math.exp(rng.normal(0, 0.35))
    # Chromatin: two scales of texture; nucleoli: darker spots.
    texture = 1 + 0.22 * _noise(rng, size, 1.6) + 0.16 * _noise(rng, size, 4.0)
    light *= np.clip(texture, 0.25, 1.8)
    optics = _blur(light, 1.1) * 0.9 + _blur(light, 14.0) * 0.1
    ground = 0.035 + 0.02 * (_noise(rng, size, 90.0) + 1)
    photons = rng.poisson(np.clip(optics + ground, 0, None) * 420) / 420
    image = photons + rng.normal(0, 0.008, size)
    return Scene(_to_byte(image), _renumbered(objects), "nucleus")


def vessels(seed: int, *, size: int = 560) -> Scene:
    """Vessels that branch from the optic disc over the back of an eye.

    Parameters
    ----------
    seed : everything random follows from it.
    size : height and width in pixels.
    """
    rng = np.random.default_rng(seed)
    centre = (size - 1) / 2
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float64)
    eye = np.hypot(rows - centre, columns - centre) < 0.47 * size
    disc = (centre + rng.uniform(-0.03, 0.03) * size, centre - 0.24 * size)
    depth = np.zeros(size * size).reshape(size, size)
    veins = 8
    for number in range(veins):
        towards = 2 * math.pi * number / veins + rng.normal(0, 0.2)
        width = size / 85 * rng.uniform(0.8, 1.15)
        _grow(rng, depth, disc, towards, width, 0.62 * size, 0)
    truth = (depth > 0) & eye
    away = np.hypot(rows - disc[0], columns - disc[1]) / size
    macula = np.hypot(rows - centre, columns - centre - 0.2 * size) / size
    shade = 1 - 0.35 * (np.hypot(rows - centre, columns - centre) / (0.47 * size)) ** 2
    shade *= 1 - 0.3 * np.exp(-((macula / 0.07) ** 2))
    shade += 0.05 * _noise(rng, (size, size), 24.0) + 0.025 * _noise(rng, (size, size), 3.0)
    bright = 0.75 / (1 + np.exp((away - 0.055) * 160))
    dark = _blur(depth, 0.8)
    image = np.zeros((size, size, 3))
    # Blood takes most of the green and blue light, little of the red.
    for channel, (base, glow, loss) in enumerate(
        ((0.80, 0.45, 0.22), (0.38, 0.85, 0.52), (0.17, 0.70, 0.35))
    ):
        image[..., channel] = (base * shade + glow * bright * 0.6) * (1 - loss * dark)
    image = np.where(eye[..., None], image, 0.0)
    image = np.stack([_blur(image[..., c], 0.7) for c in range(3)], axis=-1)
    image += rng.normal(0, 0.012, image.shape)
    return Scene(_to_byte(image), truth.astype(np.uint32), "vessel")


def _grow(
    rng: np.random.Generator,
    depth: Array,
    start: tuple[float, float],
    towards: float,
    width: float,
    length: float,
    order: int,
) -> None:
    """Draw one vessel and its branches; `depth` gets how much blood lies at a pixel, 0 to 1."""
    y, x = start
    bend = rng.normal(0, 0.004)
    done = 0.0
    next_branch = length * rng.uniform(0.12, 0.3)
    while done < length and width > 0.75:
        step = max(1.0, width / 2)
        bend = 0.97 * bend + rng.normal(0, 0.0035)
        towards += bend * step
        y, x = y + step * math.sin(towards), x + step * math.cos(towards)
        if not (2 < y < depth.shape[0] - 3 and 2 < x < depth.shape[1] - 3):
            return
        _stamp(depth, y, x, width / 2)
        done += step
        width *= 1 - 0.55 * step / length
        if done > next_branch and order < 3 and width > 1.3:
            side = 1 if rng.random() < 0.5 else -1
            _grow(
                rng,
                depth,
                (y, x),
                towards + side * rng.uniform(0.5, 1.0),
                width * rng.uniform(0.6, 0.8),
                (length - done) * rng.uniform(0.5, 0.9),
                order + 1,
            )
            next_branch = done + length * rng.uniform(0.1, 0.25)


def _stamp(depth: Array, y: float, x: float, radius: float) -> None:
    """A disc of blood: thicker in the middle, zero outside; pixels by their centre."""
    reach = math.ceil(radius) + 1
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    part = depth[top : int(y) + reach + 1, left : int(x) + reach + 1]
    rows, columns = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
    away = np.hypot(rows - y, columns - x)
    thick = np.where(
        away <= radius, 0.55 + 0.45 * np.sqrt(np.clip(1 - (away / radius) ** 2, 0, 1)), 0
    )
    np.maximum(part, thick, out=part)


def _blob(
    rng: np.random.Generator, size: tuple[int, int], centre: tuple[float, float], radius: float
) -> NDArray[np.bool_]:
    """An ellipse with a gently uneven rim, as a mask of the whole picture."""
    y, x = centre
    stretch, angle = rng.uniform(1.0, 1.45), rng.uniform(0, math.pi)
    waves = [(k, rng.normal(0, 0.05 / k), rng.uniform(0, 2 * math.pi)) for k in (2, 3, 4, 5)]
    mask = np.zeros(size, np.bool_)
    reach = math.ceil(radius * stretch * 1.4)
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    part = mask[top : max(0, int(y) + reach), left : max(0, int(x) + reach)]
    rows, columns = np.mgrid[top : top + part.shape[0], left : left + part.shape[1]]
    dy, dx = rows - y, columns - x
    along = dx * math.cos(angle) + dy * math.sin(angle)
    across = dy * math.cos(angle) - dx * math.sin(angle)
    turn = np.arctan2(across, along)
    rim = radius * (1 + sum(size * np.cos(k * turn + phase) for k, size, phase in waves))
    part[...] = np.hypot(along / math.sqrt(stretch), across * math.sqrt(stretch)) < rim
    return mask


def _renumbered(objects: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The same objects with numbers 1 to N without gaps."""
    values, numbers = np.unique(objects, return_inverse=True)
    first = 0 if values[0] == 0 else 1
    return (numbers + first).reshape(objects.shape).astype(np.uint32)


def _noise(rng: np.random.Generator, size: tuple[int, int], scale: float) -> Array:
    """Smooth noise of mean 0 and deviation 1, with structures of about `scale` pixels."""
    field = _blur(rng.normal(0, 1, size), scale)
    spread = float(field.std())
    return np.asarray((field - field.mean()) / (spread if spread > 0 else 1.0), np.float64)


def _blur(values: Array, sigma: float) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(values, sigma, mode="reflect"), np.float64)


def _to_byte(values: Array) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values * 255), 0, 255), np.uint8)
