"""Patch: what an edit changed, complete enough to undo it, redo it, store it and name it."""

from __future__ import annotations

import uuid
from dataclasses import field, replace
from typing import Any, NamedTuple

from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.labels.tiles import Handle, TileIndex


class TileChange(NamedTuple):
    """One tile of one plane before and after."""

    layer: str
    plane: str
    at: TileIndex
    before: Handle
    after: Handle


class FieldChange(NamedTuple):
    """One field of one row before and after; values are what JSON can hold.

    ``table`` is ``item`` (key = item id), ``instance`` (key = "item id/instance id"; a row that
    is not there is None) or ``class`` (key = class id). An edit knows neither the item nor the rows
    that are there: of an object that it paints it gives the bare number as key, ``extent`` as field
    and a row with the new pixels' bounds; the store makes a change of the whole ``row`` out of it.
    """

    table: str
    key: str
    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Patch:
    """A finished edit.

    Parameters
    ----------
    changes, fields : the tiles and the fields that are different now.
    name : what history shows, such as ``Brush Car``.
    tool : id of the tool or command that made it.
    pixels : class id -> (pixels gained, pixels lost).
    bounds : first and last slice and the rectangle that holds every change; None if no pixel
        changed.
    instance : the object that the painted pixels became part of; 0 for none.
    id, person, time, group : stamped by the store; time in seconds since 1970; steps over many
        items share a group.
    """

    changes: tuple[TileChange, ...]
    fields: tuple[FieldChange, ...] = ()
    name: str = ""
    tool: str = ""
    pixels: dict[int, tuple[int, int]] = field(default_factory=dict)
    bounds: tuple[int, int, Rect] | None = None
    instance: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    person: str = ""
    time: float = 0.0
    group: str | None = None

    @property
    def is_empty(self) -> bool:
        """True if it changes nothing: such an edit leaves no step."""
        return not self.changes and not self.fields

    @property
    def changed_pixels(self) -> int:
        """How many pixels have another class than before."""
        return sum(gained for gained, _ in self.pixels.values())

    def inverse(self) -> Patch:
        """The patch that takes this one back; id, person and time stay those of the step."""
        return replace(
            self,
            changes=tuple(c._replace(before=c.after, after=c.before) for c in self.changes),
            fields=tuple(f._replace(before=f.after, after=f.before) for f in self.fields),
            pixels={c: (lost, gained) for c, (gained, lost) in self.pixels.items()},
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the tile changes (the store keeps those as rows), as JSON values."""
        known = {"instance": self.instance} if self.instance else {}
        return {
            "id": self.id,
            "name": self.name,
            "tool": self.tool,
            "person": self.person,
            "time": self.time,
            "group": self.group,
            "fields": [list(f) for f in self.fields],
            "pixels": {str(c): list(counts) for c, counts in self.pixels.items()},
            "bounds": None
            if self.bounds is None
            else [self.bounds[0], self.bounds[1], list(self.bounds[2])],
            **known,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], changes: tuple[TileChange, ...] = ()) -> Patch:
        bounds = data["bounds"]
        return cls(
            changes=changes,
            fields=tuple(FieldChange(*f) for f in data["fields"]),
            name=data["name"],
            tool=data["tool"],
            pixels={int(c): (counts[0], counts[1]) for c, counts in data["pixels"].items()},
            bounds=None if bounds is None else (bounds[0], bounds[1], Rect(*bounds[2])),
            instance=data.get("instance", 0),
            id=data["id"],
            person=data["person"],
            time=data["time"],
            group=data["group"],
        )
