"""Paste: put given classes and instances in a place, from an import or from another layer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.edits.base import BaseEdit, ImageReader
from segcore.edits.packed import pack_array, pack_mask, unpack_array, unpack_mask
from segcore.labels import Draft, Labels, Patch


@dataclass(frozen=True)
class Paste(BaseEdit):
    """Set a block of pixels to the classes and instances given for each. Make with `Paste.of`.

    Parameters
    ----------
    z, depth : first slice and number of slices.
    rect : the part of each slice.
    classes : class ids, packed uint16 (depth, height, width).
    instances : instance ids, packed uint32 of the same shape; None for no instances. They are
        the item's own: whoever makes the edit has renumbered those of another item or file.
    packed_mask : the pixels that are set; None for all.
    """

    z: int
    rect: Rect
    classes: bytes
    instances: bytes | None = None
    packed_mask: bytes | None = None
    depth: int = 1

    NAME: ClassVar[str] = "Paste"
    TOOL: ClassVar[str] = "paste"

    @classmethod
    def of(
        cls,
        z: int,
        rect: Rect,
        classes: NDArray[Any],
        instances: NDArray[Any] | None = None,
        mask: NDArray[np.bool_] | None = None,
        **common: Any,
    ) -> Paste:
        """The edit that sets these pixels; arrays (h, w) or (d, h, w), all of one shape."""
        block = classes[None] if classes.ndim == 2 else classes
        if block.shape[1:] != (rect.height, rect.width):
            raise ValueError(f"classes {classes.shape} for {rect}")
        for other in (instances, mask):
            if other is not None and other.shape != classes.shape:
                raise ValueError(f"an array {other.shape} beside classes {classes.shape}")
        return cls(
            z,
            Rect(*rect),
            pack_array(block, "<u2"),
            None if instances is None else pack_array(instances, "<u4"),
            None if mask is None else pack_mask(mask),
            depth=block.shape[0],
            **common,
        )

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        shape = (self.depth, self.rect.height, self.rect.width)
        classes = unpack_array(self.classes, "<u2", shape)
        instances = None if self.instances is None else unpack_array(self.instances, "<u4", shape)
        mask = None if self.packed_mask is None else unpack_mask(self.packed_mask, shape)
        draft = Draft(labels, self.guard)
        everywhere = np.ones(shape[1:], bool)
        for layer in range(self.depth):
            draft.write_planes(
                self.z + layer,
                self.rect,
                everywhere if mask is None else mask[layer],
                classes=classes[layer],
                origin=self.origin,
                instances=None if instances is None else instances[layer],
            )
        return draft.close(self.name, self.tool, self.fields)
