"""Painting: what the edits that give pixels of one slice a class have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect
from segcore.edits.base import BaseEdit, Edit, ImageReader
from segcore.edits.objects import OWN, Mask, object_at, object_under
from segcore.labels import Draft, FieldChange, Labels, Patch

T = TypeVar("T", bound=Edit)


class Painting(BaseEdit):
    """Gives the pixels of its parts a class and maybe an object; see `Stroke` and its like.

    Parameters
    ----------
    z : slice.
    class_id : the class to paint; 0 erases.
    instance : the object that the pixels become part of; 0 for none (an object of the same class
        keeps its pixels); `OWN` for the one that `segcore.edits.objects` finds.
    """

    z: int
    class_id: int
    instance: int

    @property
    def begins_at(self) -> tuple[int, int] | None:
        """Row and column of the pixel where it begins; None if it begins nowhere."""
        return None

    def parts(self, labels: Labels) -> Iterator[tuple[Rect, Mask]]:
        """What is painted: rectangles and masks (h, w) that share no pixel."""
        raise NotImplementedError

    def object_in(self, labels: Labels) -> int | None:
        """The object of these labels that it extends; None for a new one."""
        if self.begins_at is not None:
            found = object_at(labels, self.z, self.begins_at, self.class_id)
            if found is not None:
                return found
        return object_under(labels, self.z, self.parts(labels), self.class_id)

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        if self.instance == OWN:
            raise ValueError("the edit's object is not settled yet")
        draft = Draft(labels, self.guard)
        for rect, mask in self.parts(labels):
            paint(
                draft,
                labels,
                self.z,
                rect,
                mask,
                class_id=self.class_id,
                origin=self.origin,
                instance=self.instance,
            )
        patch = draft.close(self.name, self.tool, self.fields)
        if not (patch.changes and self.class_id and self.instance):
            return patch
        assert patch.bounds is not None
        first, last, rect = patch.bounds
        bounds = [first, rect.y, rect.x, last + 1, rect.bottom, rect.right]
        row = {"class": self.class_id, "source": self.origin, "bounds": bounds}
        extent = FieldChange("instance", str(self.instance), "extent", None, row)
        return replace(patch, fields=(*patch.fields, extent), instance=self.instance)


def settled(edit: T, labels: Labels, new_number: Callable[[], int]) -> T:
    """The edit with its object's number, if it has left that open until its turn.

    Parameters
    ----------
    new_number : gives the number of a new object; called only if there is one.
    """
    if not isinstance(edit, Painting) or edit.instance != OWN:
        return edit
    found = edit.object_in(labels) if edit.class_id else 0
    number: dict[str, Any] = {"instance": new_number() if found is None else found}
    return replace(edit, **number)


def paint(
    draft: Draft,
    labels: Labels,
    z: int,
    rect: Rect,
    mask: NDArray[np.bool_],
    *,
    class_id: int,
    origin: int,
    instance: int = 0,
) -> None:
    """Set the pixels under `mask` (rect.height, rect.width) to a class, and see to instances.

    With an instance the pixels become its own. Without, an instance of the same class stays (to
    paint a class over itself only confirms it), and one of another class loses the pixels.
    """
    rect, mask = _inside(labels, rect, mask)
    if rect.is_empty or not mask.any():
        return
    if class_id and not instance and labels.has_plane("instance"):
        kept = np.where(draft.read(rect, z) == class_id, draft.read(rect, z, "instance"), 0)
        if kept.any():
            draft.write_planes(
                z,
                rect,
                mask,
                classes=np.full(mask.shape, class_id, np.uint16),
                origin=origin,
                instances=kept,
            )
            return
    draft.write(
        z, rect, mask, class_id=class_id, origin=origin, instance=instance if class_id else 0
    )


def _inside(labels: Labels, rect: Rect, mask: NDArray[np.bool_]) -> tuple[Rect, NDArray[np.bool_]]:
    if mask.shape != (rect.height, rect.width):
        raise ValueError(f"a mask {mask.shape} for {rect}")
    part = rect.intersect(labels.extent)
    return part, mask[part.shifted(-rect.y, -rect.x).slices]
