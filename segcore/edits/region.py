"""Region: paint a mask that a solver found, such as that of GrabCut.

The edit holds the mask itself, so doing it again needs no solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.edits.base import BaseEdit, ImageReader, paint
from segcore.edits.packed import pack_mask, unpack_mask
from segcore.labels import Draft, Labels, Patch


@dataclass(frozen=True)
class Region(BaseEdit):
    """Paint the pixels of a mask. Make one with `Region.of`.

    Parameters
    ----------
    z : slice.
    rect : where the mask lies; what reaches beyond the image is passed over.
    packed : the mask, as `pack_mask` gives it.
    class_id : the class to paint; 0 erases.
    instance : the object that the pixels become part of; 0 for none.
    """

    z: int
    rect: Rect
    packed: bytes
    class_id: int
    instance: int = 0

    NAME: ClassVar[str] = "Region"
    TOOL: ClassVar[str] = "region"

    @classmethod
    def of(
        cls, z: int, rect: Rect, mask: NDArray[np.bool_], class_id: int, **common: Any
    ) -> Region:
        """The edit that paints `mask` (rect.height, rect.width); further fields by keyword."""
        if mask.shape != (rect.height, rect.width):
            raise ValueError(f"a mask {mask.shape} for {rect}")
        return cls(z, Rect(*rect), pack_mask(mask), class_id, **common)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(rect.height, rect.width) bool."""
        return unpack_mask(self.packed, (self.rect.height, self.rect.width))

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        draft = Draft(labels, self.guard)
        paint(
            draft,
            labels,
            self.z,
            self.rect,
            self.mask,
            class_id=self.class_id,
            origin=self.origin,
            instance=self.instance,
        )
        return draft.close(self.name, self.tool, self.fields)
