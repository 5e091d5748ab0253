"""A picture as a model takes it: an array or an open image, prepared part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.models.prepare import as_channels, prepare, statistics

if TYPE_CHECKING:
    from segcore.images import ImageSource
    from segcore.models.spec import ModelSpec


class Picture:
    """The parts of one slice; the statistics that prepare them are those of the whole slice.

    Parameters
    ----------
    image : (h, w) or (h, w, c) array, or an open image, which is read in parts.
    z : slice of an open image.
    spec : of the model that takes it.

    Attributes
    ----------
    size : (height, width).
    """

    def __init__(self, image: NDArray[Any] | ImageSource, z: int, spec: ModelSpec) -> None:
        self._preparation = spec.preparation
        self._channels = spec.channels
        self._z = z
        self._source: ImageSource | None = None
        if isinstance(image, np.ndarray):
            self._array = as_channels(image, self._channels)
            self.size = (image.shape[0], image.shape[1])
            self._whole = statistics(image, self._preparation)
        else:
            self._source = image
            self.size = (image.shape.y, image.shape.x)
            level = next(
                (i for i, row in enumerate(image.levels) if row.shape.y * row.shape.x <= 1 << 22),
                len(image.levels) - 1,
            )
            # A coarser level has nearly the same percentiles and costs a fraction.
            self._whole = statistics(image.read(z, level=level), self._preparation)

    def read(self, rect: Rect) -> NDArray[np.float32]:
        """The part (channels, h, w) of the slice, prepared."""
        if self._source is None:
            part = self._array[rect.slices]
        else:
            part = as_channels(self._source.read(self._z, rect), self._channels)
        whole = self._whole
        if len(whole.offset) != part.shape[2]:  # one channel that was repeated
            whole = type(whole)(whole.offset * part.shape[2], whole.divisor * part.shape[2])
        return prepare(part, self._preparation, whole)
