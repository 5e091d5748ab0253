"""The items of a project: rows in memory, everything else when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from segcore.base import MaskwrightError, Shape, Spacing
from segcore.labels import Labels
from segcore.store.records import (
    PREDICTION,
    Content,
    InstanceRow,
    ItemRow,
    PredictionLayer,
    Split,
    State,
)
from segcore.store.sources import SourceRef

if TYPE_CHECKING:
    from segcore.images import ImageSource
    from segcore.store.database import Database
    from segcore.store.project import Project

_COLUMNS = "number, uuid, name, state, grp, split, z, y, x"


class Item:
    """One picture or volume of a project; shows the present, also after it has changed."""

    __slots__ = ("_project", "id")

    def __init__(self, project: Project, item_id: str) -> None:
        self._project = project
        self.id = item_id

    def __repr__(self) -> str:
        return f"<item {self.name}, {self.state}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and other.id == self.id and other._project is self._project

    def __hash__(self) -> int:
        return hash(self.id)

    # -- what opening the project read --------------------------------------------------------

    @property
    def _row(self) -> ItemRow:
        return self._project.items.row(self.id)

    @property
    def number(self) -> int:
        """Its place in the order of adding, from 1."""
        return self._row.number

    @property
    def name(self) -> str:
        return self._row.name

    @property
    def state(self) -> State:
        """new, predicted, corrected, accepted or rejected."""
        return self._row.state

    @property
    def group(self) -> str:
        """Patient, series or sequence, "" if none."""
        return self._row.group

    @property
    def split(self) -> Split | None:
        """ "train", "held_out", or None."""
        return self._row.split

    @property
    def shape(self) -> Shape:
        return self._row.shape

    # -- what is read when asked for ----------------------------------------------------------

    def _column(self, name: str) -> Any:
        found = self._project.database.row(f"SELECT {name} FROM item WHERE uuid = ?", (self.id,))
        return None if found is None else found[0]

    @property
    def spacing(self) -> Spacing | None:
        """Millimetres between voxel centres, or None."""
        text = self._column("spacing")
        return None if text is None else Spacing(*json.loads(text))

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """(4, 4), index (x, y, z, 1) to RAS+ millimetres, or None."""
        text = self._column("affine")
        return None if text is None else np.array(json.loads(text), np.float64)

    @property
    def sources(self) -> tuple[SourceRef, ...]:
        """Its image files."""
        project = self._project
        return tuple(
            SourceRef(path, size, mtime_ns, digest, project.path)
            for path, size, mtime_ns, digest in project.database.rows(
                "SELECT path, size, mtime_ns, digest FROM source_file WHERE item = ?"
                " ORDER BY position",
                (self.id,),
            )
        )

    @property
    def as_stack(self) -> bool:
        """Whether a series that is no even volume is opened slice by slice, as was chosen."""
        from segcore.store.pictures import read_as_stack

        return read_as_stack(self._project.database, self.id)

    def open_image(self) -> ImageSource:
        """Open its image; several sources are channels of one.

        A large picture without coarser levels has some in the project's cache, once they are
        built (`segcore.images.PyramidSource`).

        Raises
        ------
        BadFile : a file is missing, damaged or of no known kind.
        """
        from segcore.store.pictures import open_sources

        return open_sources(self, self._project.cache_dir)

    # -- layers -------------------------------------------------------------------------------

    @property
    def _content(self) -> Content:
        return self._project.contents.get(self.id)

    @property
    def labels(self) -> Labels:
        """The label that people correct, as it is now."""
        return self._content.labels

    @property
    def truth(self) -> Labels | None:
        """What scores are measured against, or None."""
        return self._content.truth

    @property
    def further_labels(self) -> tuple[Labels, ...]:
        """Further layers of the label: objects that overlap those of `labels`."""
        return self._content.further("label")

    @property
    def further_truth(self) -> tuple[Labels, ...]:
        """Further layers of the truth: objects that overlap those of `truth`."""
        return self._content.further("truth")

    @property
    def truth_instances(self) -> Mapping[int, InstanceRow]:
        """Rows of the objects of the truth, by id; none where they were never given."""
        content = self._content
        layers = [content.rows[labels.layer] for labels in content.further("truth")]
        if content.truth is not None:
            layers.insert(0, content.rows[content.truth.layer])
        return {r["id"]: InstanceRow.from_json(r["id"], r) for row in layers for r in row.instances}

    @property
    def predictions(self) -> dict[str, PredictionLayer]:
        """The latest answer of each model, by the model's name, oldest first."""
        from segcore.store import intake

        content = self._content
        slots = [slot for slot in content.pointers if slot.startswith(PREDICTION)]
        slots.sort(key=lambda slot: content.rows[content.pointers[slot]].number)
        return {
            slot.removeprefix(PREDICTION): intake.prediction_layer(content, content.pointers[slot])
            for slot in slots
        }

    @property
    def proposal(self) -> PredictionLayer | None:
        """The newest prediction, if it was not adopted and differs from the label."""
        layers = list(self.predictions.values())
        if not layers or layers[-1].adopted:
            return None
        return layers[-1]

    @property
    def instances(self) -> Mapping[int, InstanceRow]:
        """Rows of the label's objects, by id."""
        return self._content.instances

    @property
    def next_instance(self) -> int:
        """The number that a new object would get; `Project.new_instance` takes it."""
        return self._project.contents.next_instance(self.id)

    # -- scores -------------------------------------------------------------------------------

    @property
    def confusion(self) -> NDArray[np.int64] | None:
        """Confusion matrix of label against truth, (n, n + 1) over `classes.scored`, or None.

        It is kept and follows by the tiles that have changed; the first time reads both layers.
        """
        return self._project.scores.confusion(self.id)

    @property
    def mean_iou(self) -> float | None:
        """Mean IoU over the classes that occur; NaN if none does; None without truth."""
        return self._project.scores.mean_iou(self.id)


class Items(Sequence[Item]):
    """All items in the order of adding. Opening 10,000 reads their rows and nothing else."""

    def __init__(self, project: Project, database: Database) -> None:
        self._project = project
        self._rows: dict[str, ItemRow] = {}
        self._order: list[str] = []
        self._names: dict[str, str] = {}
        self.read(database)

    def read(self, database: Database) -> set[str]:
        """Read all rows again; gives the ids whose row has changed or is new."""
        rows = [
            ItemRow(number, uuid, name, state, group, split, Shape(z, y, x))
            for number, uuid, name, state, group, split, z, y, x in database.rows(
                f"SELECT {_COLUMNS} FROM item ORDER BY number"
            )
        ]
        changed = {row.id for row in rows if self._rows.get(row.id) != row}
        self._rows = {row.id: row for row in rows}
        self._order = [row.id for row in rows]
        self._names = {row.name: row.id for row in rows}
        return changed

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [Item(self._project, item_id) for item_id in self._order[index]]
        return Item(self._project, self._order[index])

    def __iter__(self) -> Iterator[Item]:
        for item_id in list(self._order):
            yield Item(self._project, item_id)

    def by_id(self, item_id: str) -> Item:
        """The item with this id.

        Raises
        ------
        KeyError : there is none.
        """
        if item_id not in self._rows:
            raise KeyError(item_id)
        return Item(self._project, item_id)

    def by_name(self, name: str) -> Item:
        """The item with this name.

        Raises
        ------
        MaskwrightError : there is none.
        """
        item_id = self._names.get(name)
        if item_id is None:
            raise MaskwrightError(
                f'{self._project.name} has no item "{name}".', "List them with `maskwright info`."
            )
        return Item(self._project, item_id)

    # -- for the store ------------------------------------------------------------------------

    def row(self, item_id: str) -> ItemRow:
        """The row of an item; KeyError if there is none."""
        return self._rows[item_id]

    def set_field(self, item_id: str, name: str, value: Any) -> None:
        """A step has changed a field."""
        row = self._rows[item_id]
        changed = row.changed(name, value)
        if name == "name" and changed is not row:
            self._names.pop(row.name, None)
            self._names[changed.name] = item_id
        self._rows[item_id] = changed

    def add(self, rows: Sequence[ItemRow]) -> None:
        """New items at the end."""
        for row in rows:
            self._rows[row.id] = row
            self._names[row.name] = row.id
            self._order.append(row.id)

    def free_name(self, wanted: str, taken: set[str]) -> str:
        """`wanted`, with a number if an item has that name."""
        name, number = wanted, 2
        while name in self._names or name in taken:
            name = f"{wanted} ({number})"
            number += 1
        return name
