"""Origins: the rows that plane ``origin`` points at, who set a pixel."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from segcore.base import MaskwrightError
from segcore.labels import Patch
from segcore.store.events import Entry
from segcore.store.records import ORIGIN_KINDS, PERSONS_KINDS, Origin

if TYPE_CHECKING:
    from segcore.store.project import Project

_LAST_ID = 65535


class Origins:
    """All origins of a project, in memory; a new one is written before what refers to it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, str], Origin] = {}
        self.persons: frozenset[int] = frozenset()
        self.read()

    def read(self) -> None:
        """Read all rows again."""
        found = self._project.database.rows("SELECT id, kind, model_digest, person FROM source")
        origins = [Origin(*row) for row in found]
        self._rows = {(o.kind, o.model_digest, o.person): o for o in origins}
        self.persons = frozenset(o.id for o in origins if o.kind in PERSONS_KINDS)

    def __iter__(self) -> object:
        return iter(list(self._rows.values()))

    def by_id(self, number: int) -> Origin | None:
        """The origin with this number, or None."""
        return next((o for o in list(self._rows.values()) if o.id == number), None)

    def find(self, kind: str, model_digest: str, person: str) -> int:
        """The number of an origin; a new one gets the next."""
        if kind not in ORIGIN_KINDS:
            raise ValueError(f"no such kind of origin: {kind}")
        if kind != "model":
            person = person or self._project.person
        key = (kind, model_digest, person)
        with self._lock:
            present = self._rows.get(key)
            if present is not None:
                return present.id
            durable = self._project.scribe.durable
            if durable is None:
                raise self._project.scribe.read_only()
            number = max((o.id for o in self._rows.values()), default=0) + 1
            if number > _LAST_ID:
                raise MaskwrightError(
                    f"{self._project.name} has pixels of {_LAST_ID} different sources.",
                    "Export it and begin a new project.",
                )
            # Before the caller can hand over a step with this number, so it is written first.
            row = (number, kind, model_digest, person)
            sql = "INSERT INTO source VALUES (?, ?, ?, ?)"
            durable.add([Entry(Patch(()), statements=((sql, row),))])
            self._rows[key] = Origin(*row)
            if kind in PERSONS_KINDS:
                self.persons |= {number}
            return number
