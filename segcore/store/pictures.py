"""Several sources of an item as one picture: their channels one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore import images
from segcore.base import BadFile, Rect, SizeMismatch
from segcore.images import ImageInfo, ImageSource

if TYPE_CHECKING:
    from segcore.store.items import Item


def open_sources(item: Item) -> ImageSource:
    """Open the image of an item.

    Raises
    ------
    BadFile : the item has no source, or one is missing or damaged.
    SizeMismatch : the sources do not lie on one grid.
    """
    files = [source.file for source in item.sources]
    if not files:
        raise BadFile(f"{item.name} has no image.", "Add the item again with its image.")
    opened: list[ImageSource] = []
    try:
        for file in files:
            opened.append(images.open(file))
        return opened[0] if len(opened) == 1 else Stacked(opened)
    except BaseException:
        for source in opened:
            source.close()
        raise


class Stacked(ImageSource):
    """Images on one grid (T1 and T2) as the channels of one picture."""

    def __init__(self, parts: list[ImageSource]) -> None:
        first = parts[0]
        for part in parts[1:]:
            if part.shape != first.shape or part.dtype.kind != first.dtype.kind:
                raise SizeMismatch(
                    f"{part.path.name} and {first.path.name} do not lie on one grid.",
                    "Use images of the same size and kind as channels of one item.",
                )
        self._parts = parts
        names = [
            part.path.name.split(".")[0] + (f" {name}" if part.channels > 1 else "")
            for part in parts
            for name in part.channel_names
        ]
        info = ImageInfo(
            shape=first.shape,
            axes=first.axes,
            channels=sum(part.channels for part in parts),
            dtype=np.result_type(*(part.dtype for part in parts)),
            channel_names=tuple(names),
            levels=first.levels[:1],
            spacing=first.spacing,
            affine=first.affine,
            view_flip=first.view_flip,
            presets=first.presets,
            hints=tuple(hint for part in parts for hint in part.hints),
            frame_of_reference=first.frame_of_reference,
        )
        super().__init__(first.path, first.family, info)

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        return self._read(z, rect, level)[..., list(channels)]

    def _read(self, z: int, rect: Rect, level: int) -> NDArray[Any]:
        self._check_open()
        return np.concatenate(
            [part.read(z, rect, level).astype(self.dtype, copy=False) for part in self._parts],
            axis=-1,
        )

    def _decode(self, z: int, level: int) -> NDArray[Any]:
        grid = self.levels[level].shape
        return self._read(z, Rect(0, 0, grid.y, grid.x), level)

    def close(self) -> None:
        """Close all parts."""
        super().close()
        for part in self._parts:
            part.close()
