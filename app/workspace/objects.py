"""Which object painting gives its pixels to, as far as it can be said while the mouse moves.

The rule itself is in `segcore.edits.objects` and has the last word when the edit's turn comes.
"""

from __future__ import annotations

from segcore.base.dataclass import dataclass
from segcore.edits import OWN, object_at, pixel_at
from segcore.labels import Labels


@dataclass(frozen=True)
class Objects:
    """What a gesture may know of the objects of the class that it paints.

    Parameters
    ----------
    class_id, class_name : a class of things.
    last : the object that was painted last, which Shift goes on with; 0 for none.
    fresh : the number that a new object would get.
    """

    class_id: int
    class_name: str
    last: int
    fresh: int

    def instance(self, shift: bool = False) -> int:
        """The instance of an edit: the last object with Shift, else the one that it finds."""
        return self.last if shift and self.last else OWN

    def begun_at(
        self, labels: Labels, z: int, point: tuple[float, float], shift: bool = False
    ) -> int:
        """The object that painting from this point on belongs to; 0 for pixels without number."""
        if shift and self.last:
            return self.last
        found = object_at(labels, z, pixel_at(point), self.class_id, resident_only=True)
        return self.fresh if found is None else found

    def words(self, number: int, *, is_new: bool) -> str:
        """What is done to an object, for the status bar."""
        if not number:
            return f"Extends {self.class_name} without number"
        return f"{'New' if is_new else 'Extends'} {self.class_name} {number}"
