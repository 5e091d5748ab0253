"""Region: paint a mask that a solver found, such as that of GrabCut.

The edit holds the mask itself, so doing it again needs no solver.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.edits.objects import Mask
from segcore.edits.packed import pack_mask, unpack_mask
from segcore.edits.painting import Painting
from segcore.labels import Labels


@dataclass(frozen=True)
class Region(Painting):
    """Paint the pixels of a mask. Make one with `Region.of`.

    Parameters
    ----------
    z : slice.
    rect : where the mask lies; what reaches beyond the image is passed over.
    packed : the mask, as `pack_mask` gives it.
    class_id : the class to paint; 0 erases.
    instance : the object that the pixels become part of; 0 for none, `OWN` to find it then.
    at : row and column of the pixel where a person began to mark it, or None.
    """

    z: int
    rect: Rect
    packed: bytes
    class_id: int
    instance: int = 0
    at: tuple[int, int] | None = None

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
    def mask(self) -> Mask:
        """(rect.height, rect.width) bool."""
        return unpack_mask(self.packed, (self.rect.height, self.rect.width))

    @property
    def begins_at(self) -> tuple[int, int] | None:
        return self.at

    def parts(self, labels: Labels) -> Iterator[tuple[Rect, Mask]]:
        yield self.rect, self.mask
