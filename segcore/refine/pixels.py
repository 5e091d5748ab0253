"""Pixels as a solver sees them: 8 bits, through the item's window, every channel kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.images import ImageSource, default_window, to_display


def solver_window(image: ImageSource, z: int = 0) -> tuple[float, float]:
    """The window in which a solver sees a slice when nobody looks at it.

    That of the window's usual settings, dark pictures stretched: so what was tuned on the command
    line fits what is refined on the screen.
    """
    return default_window(image, z, automatic_contrast=True)


def seen_pixels(
    values: NDArray[Any], window: tuple[float, float], *, invert: bool = False
) -> NDArray[np.uint8]:
    """What is on screen, but all channels of it.

    Parameters
    ----------
    values : (y, x) or (y, x, c) of an image, any real dtype.
    window : values that are black and white.
    invert : small values are bright (`ImageSource.invert`).

    Returns
    -------
    (y, x, c) uint8.
    """
    channels = values[..., None] if values.ndim == 2 else values
    if channels.shape[2] == 3:
        return to_display(channels, *window, invert=invert)
    planes = [
        to_display(channels[..., k], *window, invert=invert)[..., 0]
        for k in range(channels.shape[2])
    ]
    return np.stack(planes, axis=2)
