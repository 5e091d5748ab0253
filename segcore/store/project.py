"""Project: a folder with everything that was done to a set of images."""

from __future__ import annotations

import atexit
import sqlite3
import threading
import time
import unicodedata
import uuid
import weakref
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet, MaskwrightError, NotAProject
from segcore.labels import FieldChange, Labels, Patch
from segcore.store import adoption, contents, layers, migrations, places, sources, writer
from segcore.store.classes import class_changes, read_classes, with_changed_rows
from segcore.store.contents import Contents
from segcore.store.database import DATABASE, Database, make_durable, open_connection
from segcore.store.events import Applied, Entry
from segcore.store.history import HistoryRow
from segcore.store.items import Item, Items
from segcore.store.keeper import Keeper
from segcore.store.origins import Origins
from segcore.store.records import (
    ADOPTED,
    LABEL,
    PREDICTION,
    Content,
    InstanceRow,
    ItemRow,
    LayerRow,
    NewItem,
    PredictionLayer,
    Role,
    dumps,
)
from segcore.store.scores import Scores
from segcore.store.scribe import Scribe, state_change

if TYPE_CHECKING:
    from segcore.edits import Edit

SUFFIX = ".maskwright"
"""Ending of a project folder's name."""


class Project:
    """An open project. Make one with `create` or `open`; a context manager that closes.

    Attributes
    ----------
    path : the folder, absolute.
    items : `Items`.
    scribe : `Scribe`: does, undoes and writes.
    person : who works here; stamped on every step.
    """

    def __init__(self, path: Path, *, write: bool, person: str | None) -> None:
        self.path = path.absolute()
        self.person = places.this_person() if person is None else person
        file = self.path / DATABASE
        _require_project(self.path, file)
        shared = places.is_network_share(self.path)
        self.database = Database(file, write=write, exclusive=shared and write)
        self._epoch = ""
        self._writer: writer.Writer | None = None
        if write:
            self._become_writer()
        else:
            self._writer = writer.read(self.database)
        self._last_version = self.database.data_version()
        self.classes: ClassSet = read_classes(self.database)
        self.items = Items(self, self.database)
        self.contents = Contents(self.database, self.items)
        self.scores = Scores(self)
        found = self.database.row("SELECT max(number) FROM layer")
        self._last_layer = (found[0] or 0) if found is not None else 0
        self._last_seq = self._max_seq()
        self._lock = threading.Lock()
        self.scribe = Scribe(self, self._epoch)
        self.origins = Origins(self)
        self._closed = False
        self._keeper: Keeper | None = None
        if self.scribe.durable is not None:
            self._keeper = Keeper(
                self.database, self.scribe.durable, self._epoch, self._save_derived
            )
            _open_projects.add(self)

    # -- opening and closing ------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path | str, classes: ClassSet, *, person: str | None = None) -> Project:
        """Make a new project folder, ``NAME.maskwright``, and open it.

        Raises
        ------
        MaskwrightError : the name has another ending, the folder exists, or cannot be made.
        """
        folder = Path(path)
        if folder.suffix != SUFFIX:
            raise MaskwrightError(
                f"{folder.name} is no name for a project.",
                f"Let it end in {SUFFIX}: {folder.name}{SUFFIX}",
            )
        try:
            folder.mkdir(parents=True)
            for part in ("models", "runs", "backup", "cache"):
                (folder / part).mkdir()
        except FileExistsError:
            raise MaskwrightError(
                f"{folder.name} exists already.", "Open it, or choose another name."
            ) from None
        except OSError as error:
            raise MaskwrightError(
                f"{folder} cannot be made: {error.strerror or error}.", "Choose another folder."
            ) from error
        with closing(open_connection(folder / DATABASE, "rwc")) as connection:
            make_durable(connection)
            migrations.migrate(connection, folder, folder / "backup")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO meta VALUES (?, ?)",
                [("uuid", str(uuid.uuid4())), ("created", str(time.time()))],
            )
            connection.execute("COMMIT")
        project = cls(folder, write=True, person=person)
        project.set_classes(classes)
        project.scribe.flush()
        return project

    @classmethod
    def open(cls, path: Path | str, *, write: bool = True, person: str | None = None) -> Project:
        """Open a project; for reading only if `write` is False or somebody else writes to it.

        Raises
        ------
        NotAProject : the folder is no project, or was written by a newer program.
        """
        return cls(Path(path), write=write, person=person)

    def close(self, *, discard: bool = False) -> None:
        """Make everything durable and let go of the folder.

        Parameters
        ----------
        discard : close although something cannot be written, and lose it.

        Raises
        ------
        MaskwrightError : something cannot be written; the project stays open.
        """
        if self._closed:
            return
        if not discard:
            self.scribe.flush()
        self._closed = True
        _open_projects.discard(self)
        if self._keeper is not None:
            self._keeper.stop()
        durable = self.scribe.durable
        healthy = durable is not None and durable.trouble is None
        self.scribe.close()
        if healthy:
            self._save_derived()
            writer.release(self.database, self._epoch)
        self.database.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _become_writer(self) -> None:
        with closing(open_connection(self.database.file, "rw")) as connection:
            if not self.database.exclusive:
                migrations.migrate(connection, self.path, self.path / "backup")
        row, ours = writer.acquire(self.database, self.person)
        self._writer = row
        if ours:
            self._epoch = row.epoch
        else:
            self.database.close()
            self.database = Database(self.path / DATABASE, write=False)

    def _save_derived(self) -> None:
        statements = self.scores.take_dirty()
        if statements:
            with self.database.transaction() as connection:
                for sql, parameters in statements:
                    connection.execute(sql, parameters)

    # -- what it is ---------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The folder's name without its ending."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def read_only(self) -> bool:
        return not self.database.writable

    @property
    def writer(self) -> str:
        """Who has it open for writing, as a part of a sentence."""
        if not self.read_only:
            return "this program has it open"
        row = writer.read(self.database)
        return "nobody writes to it" if row is None else str(row)

    @property
    def models_dir(self) -> Path:
        return self.path / "models"

    @property
    def runs_dir(self) -> Path:
        return self.path / "runs"

    @property
    def cache_dir(self) -> Path:
        """Holds what can be made again; may be deleted at any time."""
        return self.path / "cache"

    @property
    def id(self) -> str:
        """The project's uuid."""
        found = self.database.row("SELECT value FROM meta WHERE key = 'uuid'")
        return "" if found is None else str(found[0])

    def _max_seq(self) -> int:
        found = self.database.row("SELECT max(seq) FROM event")
        return (found[0] or 0) if found is not None else 0

    def poll(self) -> frozenset[str]:
        """See what another process has committed; gives the ids of the items that changed.

        For projects that are open for reading; cheap when nothing has happened.
        """
        version = self.database.data_version()
        if version == self._last_version or not self.read_only:
            return frozenset()
        self._last_version = version
        rows = self.database.rows(
            "SELECT DISTINCT item FROM event WHERE seq > ? AND item IS NOT NULL", (self._last_seq,)
        )
        self._last_seq = self._max_seq()
        self.classes = read_classes(self.database)
        changed = {row[0] for row in rows} | self.items.read(self.database)
        self.contents.forget(changed | {""})
        self.scores.forget(changed)
        return frozenset(changed)

    # -- items --------------------------------------------------------------------------------

    def add_items(self, new: Sequence[NewItem]) -> list[Item]:
        """Add items, all or none; durable when it returns."""

        def work() -> list[Item]:
            taken: set[str] = set()
            rows: list[ItemRow] = []
            statements: list[tuple[str, Sequence[Any]]] = []
            first = len(self.items) + 1
            first_layer = self._last_layer + 1
            for offset, wanted in enumerate(new):
                name = self.items.free_name(unicodedata.normalize("NFC", wanted.name), taken)
                taken.add(name)
                row = ItemRow(
                    first + offset,
                    str(uuid.uuid4()),
                    name,
                    "new",
                    wanted.group,
                    wanted.split,
                    wanted.shape,
                )
                rows.append(row)
                statements += self._item_statements(row, wanted, first_layer + offset)
            event = Patch((), (), f"Add {len(rows)} items", "add", person=self.person)
            event = replace(event, time=time.time())
            self.scribe.write_now(
                Entry(
                    event,
                    seq=self.scribe.next_seq(),
                    id=event.id,
                    kind="add",
                    statements=tuple(statements),
                )
            )
            self._last_layer += len(rows)
            self.items.add(rows)
            self.scribe.announce(Applied(None, event, None, None, "add", True, event.id))
            return [Item(self, row.id) for row in rows]

        return self.scribe.call(work) if new else []

    def _item_statements(
        self, row: ItemRow, wanted: NewItem, layer_number: int
    ) -> list[tuple[str, Sequence[Any]]]:
        affine = None
        if wanted.affine is not None:
            affine = dumps(np.asarray(wanted.affine, np.float64).tolist())
        spacing = None if wanted.spacing is None else dumps(list(wanted.spacing))
        label = Labels.empty(wanted.shape, cache=self.contents.cache)
        made: list[tuple[str, Sequence[Any]]] = [
            (
                "INSERT INTO item (number, uuid, name, grp, split, z, y, x, spacing, affine)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (row.number, row.id, row.name, row.group, row.split, *row.shape, spacing, affine),
            ),
            contents.layer_statement(
                LayerRow(
                    layer_number,
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
            ),
            ("INSERT INTO pointer VALUES (?, ?, ?)", (row.id, LABEL, label.layer)),
        ]
        for position, file in enumerate(wanted.sources):
            measured = sources.measure(Path(file)) or (0, 0)
            made.append(
                (
                    "INSERT INTO source_file (item, position, path, size, mtime_ns)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (row.id, position, sources.relative(self.path, file), *measured),
                )
            )
        return made

    # -- steps --------------------------------------------------------------------------------

    def apply(self, item: Item | str, edit: Edit, *, group: str | None = None) -> Patch:
        """Do an edit and wait until it is applied; the Patch is empty if it changed nothing."""
        ticket = self.scribe.submit(_id(item), edit, group=group)
        applied = ticket.applied.result()
        assert applied is not None
        return applied.patch

    def accept(self, item: Item | str, fill: int | None = None) -> Patch:
        """Accept an item; with `fill`, what is unlabelled becomes that class in the same step."""
        from segcore.edits import FillUnlabelled, SetState

        item_id = _id(item)
        change = state_change(item_id, self.items.row(item_id).state, "accepted")
        if fill is None:
            return self.apply(item_id, SetState(state="accepted"))
        edit = FillUnlabelled(
            class_id=fill,
            origin=self.source("person"),
            name="Accept",
            tool="state",
            fields=(change,),
        )
        return self.apply(item_id, edit)

    def reject(self, item: Item | str) -> Patch:
        """Reject an item: it is in no training and no export."""
        from segcore.edits import SetState

        return self.apply(item, SetState(state="rejected"))

    def set_field(self, item: Item | str, field: str, value: Any) -> Patch:
        """Give an item another name, group, split or note, undoable in the project's log."""
        item_id = _id(item)

        def work() -> Patch:
            found = self.database.row(
                f"SELECT {_COLUMN_OF[field]} FROM item WHERE uuid = ?", (item_id,)
            )
            assert found is not None
            change = FieldChange("item", item_id, field, found[0], value)
            patch = Patch((), (change,), f"Set {field}", "item")
            return self.scribe.take_step(item_id, patch, "do").patch

        return self.scribe.call(work)

    def undo_group(self, group: str) -> list[Applied]:
        """Take back a step that was done to many items.

        An item where something later was built on the step keeps it; the others are undone.
        Gives what was applied, one for each item that was undone.
        """

        def work() -> list[Applied]:
            done = []
            for item_id in sorted(self.scribe.items_of_group(group)):
                history = self.contents.history(item_id)
                mine = [step for step in history.done if step.patch.group == group]
                for step in reversed(mine):
                    if step is history.done[-1] or self.still_stands(item_id, step):
                        done.append(self.scribe.turn(item_id, [("undo", step)]))
            return done

        return self.scribe.call(work)

    def redo_group(self, group: str) -> list[Applied]:
        """Bring back a group of steps on the items where nothing was done since."""

        def work() -> list[Applied]:
            done = []
            for item_id in sorted(self.scribe.items_of_group(group)):
                history = self.contents.history(item_id)
                if history.undone and history.undone[-1].patch.group == group:
                    step = history.undone[-1]
                    done.append(self.scribe.turn(item_id, [("redo", step)]))
            return done

        return self.scribe.call(work)

    def still_stands(self, item_id: str, step: Any) -> bool:
        """Whether everything that a step changed is still as the step left it."""
        self.contents.load_changes(step)
        content = self.contents.get(item_id)
        row = self.items.row(item_id)
        for change in step.patch.changes:
            content = self.contents.with_layer_of(content, change.layer)
            if content.layers[change.layer].handle(change.plane, change.at) != change.after:
                return False
        for change in step.patch.fields:
            if change.table == "item" and contents.is_pointer(change.field):
                present: Any = content.pointers.get(change.field)
            elif change.table == "item":
                present = getattr(row, change.field, change.after)
            else:
                number = int(change.key.split("/")[1])
                found = content.instances.get(number)
                present = None if found is None else found.to_json()
            if present != change.after:
                return False
        return True

    # -- classes ------------------------------------------------------------------------------

    def set_classes(self, classes: ClassSet) -> Patch:
        """Exchange the classes, a step of the project's history.

        A class that is left out is retired: ids are never used again.
        """

        def work() -> Patch:
            changes = class_changes(self.classes, classes)
            patch = Patch((), changes, "Change classes", "classes")
            if not patch.is_empty:
                self.scribe.take_project_step(patch, "class")
            return patch

        return self.scribe.call(work)

    def follow_classes(self, rows: list[dict[str, Any]]) -> None:
        """A step has changed these classes (called by the scribe)."""
        self.classes = with_changed_rows(self.classes, rows)

    def history(self) -> list[HistoryRow]:
        """Steps of the project itself, oldest first."""
        return self.scribe.history(None)

    def undo(self) -> Applied | None:
        """Take back the last step of the project itself."""
        return self._turn_project("undo")

    def redo(self) -> Applied | None:
        """Bring back the last step of the project itself that was undone."""
        return self._turn_project("redo")

    def _turn_project(self, kind: Any) -> Applied | None:
        def work() -> Applied | None:
            history = self.contents.history(None)
            steps = history.done if kind == "undo" else history.undone
            # The first step of all gave the project its classes.
            if not steps or (kind == "undo" and len(steps) == 1):
                return None
            return self.scribe.turn(None, [(kind, steps[-1])])

        return self.scribe.call(work)

    # -- origins ------------------------------------------------------------------------------

    def source(self, kind: str, model_digest: str = "", person: str = "") -> int:
        """The id of an origin for plane ``origin``; made if it is new. Never waits.

        Parameters
        ----------
        kind : imported, model, person, refined or interpolated.
        model_digest : of kind model, "" if unknown.
        person : who; "" is this project's person, except for a model.
        """
        return self.origins.find(kind, model_digest, person)

    def person_origins(self) -> frozenset[int]:
        """The origins that stand for a person's word: painted, refined, imported."""
        return self.origins.persons

    def new_instance(self, item: Item | str, count: int = 1) -> int:
        """The first of `count` numbers for new objects of an item; nobody else gets them."""
        return self.contents.reserve_instances(_id(item), count)

    # -- layers -------------------------------------------------------------------------------

    def _next_layer(self) -> int:
        with self._lock:
            self._last_layer += 1
            return self._last_layer

    def import_layer(
        self,
        item: Item | str,
        role: Role,
        classes: NDArray[Any],
        instances: NDArray[Any] | None = None,
        *,
        origin: int | None = None,
        model: str = "",
        model_digest: str = "",
        group: str | None = None,
    ) -> Labels:
        """Add a layer from an array of class ids, and let the item show it.

        Parameters
        ----------
        role : "label" (a person's; the item becomes corrected, undoable), "truth", or
            "prediction" (see `store_prediction`).
        classes : (y, x) or (z, y, x), ids of this project's classes, 0 = unlabelled.
        instances : numbers of objects, 0 = none; renumbered if the item has objects already.
        origin : row of `source`; None is "imported" by this person.
        group : id that imports into many items share.

        Raises
        ------
        SizeMismatch : the array does not lie on the item's grid.
        UnknownValue : it has an id that no class has.
        """
        item_id = _id(item)
        if role == "prediction":
            return self.store_prediction(
                item_id, model or "imported", model_digest, classes, instances=instances
            ).labels
        if origin is None:
            origin = self.source("imported")
        made = self._make_layer(item_id, role, classes, instances, origin if role == "label" else 0)

        def work() -> Labels:
            content = self.contents.get(item_id)
            old = content.pointers.get(role)
            fields = [FieldChange("item", item_id, role, old, made.row.id)]
            if role == LABEL:
                fields += _instance_exchange(content, made.instances)
                state = self.items.row(item_id).state
                if state != "corrected":
                    fields.append(state_change(item_id, state, "corrected"))
            patch = Patch(
                made.changes,
                tuple(fields),
                f"Import {role}",
                "import",
                _pixels(content.labels, made.labels) if role == LABEL else {},
                made.whole,
                group=group,
            )
            self._take_layer(content, made, patch, "import")
            return made.labels

        return self.scribe.call(work)

    def store_prediction(
        self,
        item: Item | str,
        model_name: str,
        model_digest: str,
        classes: NDArray[Any],
        confidence: NDArray[Any] | None = None,
        margin: NDArray[Any] | None = None,
        instances: NDArray[Any] | None = None,
        partial: bool = False,
    ) -> PredictionLayer:
        """Keep a model's answer as a layer; `adopt` makes it the label where that is allowed.

        Parameters
        ----------
        classes : (y, x) or (z, y, x) ids of the project, 0 where the model has no class.
        confidence, margin : uint8 of the same shape.
        partial : the model did not get through the whole item.
        """
        item_id = _id(item)
        origin = self.source("model", model_digest)
        planes = {"confidence": confidence, "margin": margin}
        made = self._make_layer(
            item_id,
            "prediction",
            classes,
            instances,
            origin,
            model=model_name,
            model_digest=model_digest,
            partial=partial,
            **{name: plane for name, plane in planes.items() if plane is not None},
        )

        def work() -> PredictionLayer:
            content = self.contents.get(item_id)
            slot = PREDICTION + model_name
            change = FieldChange("item", item_id, slot, content.pointers.get(slot), made.row.id)
            patch = Patch(
                made.changes, (change,), f"Predict with {model_name}", "predict", {}, made.whole
            )
            self._take_layer(content, made, patch, "predict")
            return self.prediction_layer(self.contents.get(item_id), made.row.id)

        return self.scribe.call(work)

    def _make_layer(
        self,
        item_id: str,
        role: Role,
        classes: NDArray[Any],
        instances: NDArray[Any] | None,
        origin: int,
        *,
        model: str = "",
        model_digest: str = "",
        partial: bool = False,
        **planes: NDArray[Any],
    ) -> layers.NewLayer:
        row = self.items.row(item_id)
        if instances is not None:
            planes["instance"] = instances
        planes["class"] = classes
        volumes = {
            name: layers.require_fits(row.name, row.shape, plane) for name, plane in planes.items()
        }
        layers.require_known(row.name, self.classes, volumes["class"])
        count = 0 if instances is None else int(instances.max(initial=0))
        return layers.make(
            self.contents.cache,
            number=self._next_layer(),
            item=item_id,
            role=role,
            planes=volumes,
            origin=origin,
            first_instance=self.new_instance(item_id, count) if count else 1,
            model=model,
            model_digest=model_digest,
            partial=partial,
        )

    def _take_layer(self, content: Content, made: layers.NewLayer, patch: Patch, kind: Any) -> None:
        with self.contents.holding(content.item):
            self.scribe.take_step(
                content.item,
                patch,
                kind,
                statements=[contents.layer_statement(made.row)],
                content=content.with_layer(made.row, made.empty),
            )

    def prediction_layer(self, content: Content, layer: str) -> PredictionLayer:
        """A prediction of an item by the layer's id."""
        row = content.rows[layer]
        return PredictionLayer(
            row.id,
            row.name,
            row.model_digest,
            content.layers[layer],
            row.partial,
            content.pointers.get(ADOPTED) == row.id,
            tuple(InstanceRow.from_json(r["id"], r) for r in row.instances),
        )

    def adopt(
        self, item: Item | str, layer: PredictionLayer, *, group: str | None = None
    ) -> Patch | None:
        """Make a prediction the label, if nobody has worked on it; else None: it is a proposal.

        Only a complete prediction is adopted, only where the item has no step except adoptions
        (undone ones included) and no pixel that a person or an import set.
        """
        item_id = _id(item)

        def work() -> Patch | None:
            with self.contents.holding(item_id) as content:
                history = self.contents.history(item_id)
                if not adoption.may_adopt(content, history, self.person_origins(), layer):
                    return None
                patch = adoption.adopt(content, layer, self.items.row(item_id).state)
                patch = replace(patch, group=group)
                return self.scribe.take_step(item_id, patch, "adopt").patch

        return self.scribe.call(work)

    def take(
        self, item: Item | str, layer: PredictionLayer, where: adoption.Where = "all"
    ) -> adoption.Take:
        """The edit that takes a proposal over what the label is when it is applied.

        Parameters
        ----------
        where : "all", "not_mine" (where no person painted), class ids, or a rectangle.
        """
        origin = self.source("model", layer.model_digest)
        return adoption.take(layer, _id(item), origin, self.person_origins(), where)


_COLUMN_OF = {"name": "name", "group": "grp", "split": "split", "note": "note"}
_open_projects: weakref.WeakSet[Project] = weakref.WeakSet()


@atexit.register
def _finish_open_projects() -> None:
    # A script that forgets to close loses nothing that can be written.
    for project in list(_open_projects):
        try:
            project.close()
        except MaskwrightError:
            project.close(discard=True)


def _id(item: Item | str) -> str:
    return item if isinstance(item, str) else item.id


def _require_project(path: Path, file: Path) -> None:
    if not file.is_file():
        raise NotAProject(
            f"{path.name} is not a Maskwright project: it has no {DATABASE}.",
            "Open a folder that Maskwright made, or make one with `maskwright new`.",
        )
    try:
        with closing(open_connection(file, "ro")) as connection:
            migrations.require_known(connection, path)
    except sqlite3.OperationalError as error:
        raise NotAProject(
            f"{path.name} cannot be opened: {error}.", "Check that the folder can be read."
        ) from error


def _pixels(before: Labels, after: Labels) -> dict[int, tuple[int, int]]:
    gained, lost = after.counts(), before.counts()
    return {
        c: (gained.get(c, 0), lost.get(c, 0))
        for c in sorted(gained.keys() | lost.keys())
        if gained.get(c, 0) != lost.get(c, 0)
    }


def _instance_exchange(content: Content, rows: tuple[InstanceRow, ...]) -> list[FieldChange]:
    """The rows of the label's objects become `rows`."""
    gone = [
        FieldChange("instance", f"{content.item}/{number}", "row", row.to_json(), None)
        for number, row in content.instances.items()
    ]
    fresh = [
        FieldChange("instance", f"{content.item}/{row.id}", "row", None, row.to_json())
        for row in rows
    ]
    return gone + fresh
