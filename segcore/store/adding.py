"""Adding items: all or none, durable before anybody sees them."""

from __future__ import annotations

import time
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from segcore.labels import Labels, Patch
from segcore.store import contents, sources
from segcore.store.events import Applied, Entry
from segcore.store.items import Item
from segcore.store.records import LABEL, ItemRow, LayerRow, NewItem, dumps

if TYPE_CHECKING:
    from segcore.store.project import Project

Statement: TypeAlias = tuple[str, Sequence[Any]]


def add_items(project: Project, new: Sequence[NewItem]) -> list[Item]:
    """Add items with an empty label each; see `Project.add_items`."""

    def work() -> list[Item]:
        taken: set[str] = set()
        rows: list[ItemRow] = []
        statements: list[Statement] = []
        first = len(project.items) + 1
        for offset, wanted in enumerate(new):
            name = project.items.free_name(unicodedata.normalize("NFC", wanted.name), taken)
            taken.add(name)
            row = ItemRow(
                first + offset,
                str(uuid.uuid4()),
                name,
                "new",
                wanted.group or "",
                wanted.split,
                wanted.shape,
            )
            rows.append(row)
            statements += _statements(project, row, wanted)
        patch = Patch((), (), f"Add {len(rows)} items", "add", person=project.person)
        patch = replace(patch, time=time.time())
        project.scribe.write_now(
            Entry(
                patch,
                seq=project.scribe.steps.next_seq(),
                id=patch.id,
                kind="add",
                statements=tuple(statements),
            )
        )
        project.items.add(rows)
        project.scribe.announce(Applied(None, patch, None, None, "add", True, patch.id))
        return [project.items.by_id(row.id) for row in rows]

    return project.scribe.call(work) if new else []


def _statements(project: Project, row: ItemRow, wanted: NewItem) -> list[Statement]:
    affine = spacing = None
    if wanted.affine is not None:
        affine = dumps(np.asarray(wanted.affine, np.float64).tolist())
    if wanted.spacing is not None:
        spacing = dumps(list(wanted.spacing))
    label = Labels.empty(wanted.shape, cache=project.contents.cache)
    layer = LayerRow(
        project.next_layer(),
        label.layer,
        row.id,
        "label",
        "",
        label.tile,
        0,
        "",
        False,
        (),
        time.time(),
    )
    add_item = (
        "INSERT INTO item (number, uuid, name, grp, split, z, y, x, spacing, affine)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    add_source = (
        "INSERT INTO source_file (item, position, path, size, mtime_ns) VALUES (?, ?, ?, ?, ?)"
    )
    numbers = (row.number, row.id, row.name, row.group, row.split, *row.shape)
    made: list[Statement] = [
        (add_item, (*numbers, spacing, affine)),
        contents.layer_statement(layer),
        ("INSERT INTO pointer VALUES (?, ?, ?)", (row.id, LABEL, label.layer)),
    ]
    if wanted.as_stack:
        from segcore.store import pictures  # brings the images' decoders with it

        made.append(pictures.stack_statement(row.id))
    for position, file in enumerate(wanted.sources):
        measured = sources.measure(Path(file)) or (0, 0)
        path = sources.relative(project.path, file)
        made.append((add_source, (row.id, position, path, *measured)))
    return made
