"""FillUnlabelled: give what nobody has looked at yet one class, as on accepting an item."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from segcore.base.dataclass import dataclass
from segcore.edits.base import BaseEdit, ImageReader
from segcore.labels import Draft, Labels, Patch, is_uniform, uniform_value


@dataclass(frozen=True)
class FillUnlabelled(BaseEdit):
    """Paint every unlabelled pixel.

    Parameters
    ----------
    class_id : the class to paint.
    z : one slice, or None for all.
    """

    class_id: int
    z: int | None = None

    NAME: ClassVar[str] = "Fill unlabelled"
    TOOL: ClassVar[str] = "fill_unlabelled"

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        draft = Draft(labels, self.guard)
        for z in range(labels.shape.z) if self.z is None else (self.z,):
            for index in labels.tiles_in(labels.extent, z):
                handle = labels.handle("class", index)
                if is_uniform(handle) and uniform_value(handle) != 0:
                    continue
                z0, rect = labels.tile_rect(index)
                if is_uniform(handle):
                    mask = np.broadcast_to(np.True_, (rect.height, rect.width))
                else:
                    tile = labels.tile_array("class", index)[z - z0, : rect.height, : rect.width]
                    mask = np.asarray(tile == 0, bool)
                draft.write(z, rect, mask, class_id=self.class_id, origin=self.origin)
        return draft.close(self.name, self.tool, self.fields)
