"""Intensity preparation: the one way from an image's values to a model's input.

Training and prediction both call `prepare`, so a model never sees other numbers in use than it
saw while it learned. Statistics (percentiles, mean, deviation) are those of the whole picture,
never of a tile: a dark tile of a bright picture stays dark.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass

Kind = Literal["imagenet", "mean-std", "percentile", "window", "none"]
KINDS: tuple[Kind, ...] = ("imagenet", "mean-std", "percentile", "window", "none")

_SAMPLES = 1 << 18  # pixels a statistic is made of; more does not move a percentile visibly


@dataclass(frozen=True)
class Preparation:
    """How values become a model's input.

    Parameters
    ----------
    kind : ``imagenet``: uint8 divided by 255, other types by their percentiles, then less `mean`,
        divided by `std`. ``percentile``: each channel from its percentiles `low` .. `high` to
        0 .. 1 (clipped), then mean and std. ``window``: fixed values `low` .. `high` to 0 .. 1
        (clipped), then mean and std. ``mean-std``: each channel less its own mean, divided by its
        own deviation. ``none``: as they are.
    mean, std : one number a channel, or one for all, in the scale 0 .. 1.
    low, high : percentiles (0 .. 100), or for ``window`` values in the image's unit (HU for CT).
    """

    kind: Kind = "imagenet"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    low: float = 0.5
    high: float = 99.5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise MaskwrightError(
                f'The intensity preparation "{self.kind}" is unknown.',
                f"Use one of {', '.join(KINDS)}.",
            )
        if not self.low < self.high:
            raise MaskwrightError(
                f"The preparation's range {self.low} .. {self.high} is empty.",
                "Give a low value below the high one.",
            )
        if any(s <= 0 for s in self.std):
            raise MaskwrightError(
                "The preparation's deviation is not positive.", "Give numbers above 0."
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "mean": list(self.mean),
            "std": list(self.std),
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Preparation:
        return cls(
            row["kind"],
            tuple(row["mean"]),
            tuple(row["std"]),
            float(row["low"]),
            float(row["high"]),
        )


@dataclass(frozen=True)
class Statistics:
    """Per channel an offset and a divisor that bring the values of one picture to scale."""

    offset: tuple[float, ...]
    divisor: tuple[float, ...]


def as_channels(image: NDArray[Any], channels: int) -> NDArray[Any]:
    """The picture with the model's number of channels; one channel is repeated.

    Parameters
    ----------
    image : (h, w) or (h, w, c), any dtype.

    Raises
    ------
    MaskwrightError : the picture has several channels, and not as many as the model takes.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    have = image.shape[2]
    if have == channels:
        return image
    if have == 1:
        return np.repeat(image, channels, axis=2)
    raise MaskwrightError(
        f"The image has {have} channels and the model takes {channels}.",
        f"Choose a model of {have} channels, or open the image with {channels}.",
    )


def statistics(image: NDArray[Any], preparation: Preparation) -> Statistics:
    """What `prepare` needs to know of the whole picture.

    Values that are not finite are left out. A large picture is sampled on an even grid.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    count = image.shape[2]
    if preparation.kind == "none":
        return Statistics((0.0,) * count, (1.0,) * count)
    if preparation.kind == "window":
        span = preparation.high - preparation.low
        return Statistics((preparation.low,) * count, (span,) * count)
    if preparation.kind == "imagenet" and image.dtype == np.uint8:
        return Statistics((0.0,) * count, (255.0,) * count)
    stride = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / _SAMPLES)))
    sample = image[::stride, ::stride].reshape(-1, count).astype(np.float64)
    offsets, divisors = [], []
    for channel in range(count):
        values = sample[:, channel]
        values = values[np.isfinite(values)]
        if not values.size:
            offset, divisor = 0.0, 1.0
        elif preparation.kind == "mean-std":
            offset, divisor = float(values.mean()), float(values.std())
        else:
            offset, high = (
                float(v) for v in np.percentile(values, (preparation.low, preparation.high))
            )
            divisor = high - offset
        offsets.append(offset)
        divisors.append(divisor if divisor > 0 else 1.0)  # a flat picture stays flat
    return Statistics(tuple(offsets), tuple(divisors))


def prepare(
    image: NDArray[Any], preparation: Preparation, whole: Statistics | None = None
) -> NDArray[np.float32]:
    """A picture, or a part of one, as a model's input.

    Parameters
    ----------
    image : (h, w) or (h, w, c), any dtype; what is not finite counts as the low end.
    whole : the `statistics` of the whole picture where `image` is a part of it.

    Returns
    -------
    (c, h, w) float32, contiguous; one channel is repeated for a mean of several.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    if whole is None:
        whole = statistics(image, preparation)
    values = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
    if preparation.kind == "none":
        return np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)
    offset = np.asarray(whole.offset, np.float32)[:, None, None]
    divisor = np.asarray(whole.divisor, np.float32)[:, None, None]
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, offset)
    values -= offset
    values /= divisor
    if preparation.kind == "mean-std":
        return values
    if not (preparation.kind == "imagenet" and image.dtype == np.uint8):
        np.clip(values, 0.0, 1.0, out=values)
    mean = np.asarray(preparation.mean, np.float32).reshape(-1, 1, 1)
    if len(values) == 1 < len(mean):
        values = np.repeat(values, len(mean), axis=0)
    values -= mean
    values /= np.asarray(preparation.std, np.float32).reshape(-1, 1, 1)
    return values
