"""Project: a folder with everything that was done to a set of images."""

from __future__ import annotations

import atexit
import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segcore.base import ClassSet, MaskwrightError, NotAProject
from segcore.labels import FieldChange, Labels, Patch
from segcore.store import adding, adoption, creation, groups, intake, migrations, places, writer
from segcore.store.classes import (
    change_name,
    class_changes,
    painted_since,
    read_classes,
    with_changed_rows,
)
from segcore.store.contents import Contents
from segcore.store.database import DATABASE, Database, open_connection
from segcore.store.events import Applied, Kind
from segcore.store.history import HistoryRow, Step
from segcore.store.items import Item, Items
from segcore.store.keeper import Keeper
from segcore.store.origins import Origins
from segcore.store.records import NewItem, ObjectFacts, PredictionLayer, Role
from segcore.store.scores import Scores
from segcore.store.scribe import Scribe
from segcore.store.writer import Writer

if TYPE_CHECKING:
    from segcore.edits import Edit


class Project:
    """An open project. Make one with `create` or `open`; a context manager that closes.

    Attributes
    ----------
    path : the folder, absolute.
    items : `Items`.
    scribe : `Scribe`: does, undoes and writes.
    person : who works here; stamped on every step.
    was_taken : it is open for reading because somebody else was writing when it was opened.
    """

    def __init__(self, path: Path, *, write: bool, person: str | None) -> None:
        self.path = path.absolute()
        self.person = places.this_person() if person is None else person
        shared = places.is_network_share(self.path)
        creation.require_project(self.path, exclusive=shared and write)
        self._epoch = ""
        self.was_taken = False
        self.database = self._open_database(write, shared)
        try:
            self._last_version = self.database.data_version()
            self._last_seq = self._max("event", "seq")
            self._last_layer = self._max("layer", "number")
            self.classes: ClassSet = read_classes(self.database)
            self.items = Items(self, self.database)
            self.contents = Contents(self.database, self.items)
        except sqlite3.DatabaseError as error:
            self._release()
            raise NotAProject(
                f"{self.path.name} is damaged: {error}.",
                "Run `maskwright check`, or take the newest file of its backup folder.",
            ) from error
        self._lock = threading.Lock()
        self.scores = Scores(self)
        self.scribe = Scribe(self, self._epoch)
        self.origins = Origins(self)
        self._closed = False
        self._keeper: Keeper | None = None
        if not self.read_only:
            self._keeper = self._start_keeper()
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
        creation.make_folder(folder)
        creation.make_database(folder)
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

    def _open_database(self, write: bool, shared: bool) -> Database:
        file = self.path / DATABASE
        if not write:
            return Database(file, write=False)
        try:
            with closing(open_connection(file, "rw")) as connection:
                if shared:
                    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                migrations.migrate(connection, self.path, self.path / "backup")
            database = Database(file, write=True, exclusive=shared)
        except NotAProject as error:
            if "readonly" not in error.message:
                raise
            return Database(file, write=False)
        present, ours = writer.acquire(database, self.person)
        if ours:
            self._epoch = present.epoch
            return database
        database.close()
        self.was_taken = True
        return Database(file, write=False)

    def _release(self) -> None:
        """Let others write, and let go of the file."""
        if self._epoch:
            with contextlib.suppress(sqlite3.Error, OSError):
                writer.release(self.database, self._epoch)
        self.database.close()

    def _start_keeper(self) -> Keeper:
        assert self.scribe.durable is not None
        return Keeper(self.database, self.scribe.durable, self._epoch, self._save_derived)

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
        self._release()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def save_elsewhere(self, path: Path | str) -> None:
        """Go on in a copy of the project in another place, with what could not be written here.

        The old folder stays as it was at the last commit.

        Raises
        ------
        MaskwrightError : the copy cannot be made; nothing has changed then.
        """
        from segcore.store.moving import copy_project

        durable = self.scribe.durable
        if durable is None or self._keeper is None:
            raise self.scribe.read_only()
        folder = Path(path).absolute()
        with durable.held():
            copy_project(self.path, folder)
            self._keeper.stop()
            old, self.database = self.database, Database(folder / DATABASE, write=True)
            self.contents.database = self.database
            self.path = folder
            durable.move_to(self.database)
            self._keeper = self._start_keeper()
        durable.retry()
        # On a full disk that fails; the row is stale once this process has ended.
        with contextlib.suppress(sqlite3.Error, OSError):
            writer.release(old, self._epoch)
        old.close()

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
        return self.path.name.removesuffix(creation.SUFFIX)

    @property
    def read_only(self) -> bool:
        return not self.database.writable

    @property
    def writer(self) -> str:
        """Who has it open for writing, as a sentence without its full stop."""
        if not self.read_only:
            return "this program has it open"
        holder = self.holder
        return "nobody writes to it" if holder is None else str(holder)

    @property
    def holder(self) -> Writer | None:
        """Who has it open for writing; None where whoever opens it next may write."""
        return writer.holder(self.database)

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

    def _max(self, table: str, column: str) -> int:
        found = self.database.row(f"SELECT max({column}) FROM {table}")
        return 0 if found is None else found[0] or 0

    def next_layer(self) -> int:
        """A number for a new layer (for the store)."""
        with self._lock:
            self._last_layer += 1
            return self._last_layer

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
        self._last_seq = self._max("event", "seq")
        self.classes = read_classes(self.database)
        self.origins.read()
        changed = {row[0] for row in rows} | self.items.read(self.database)
        self.contents.forget(changed | {""})
        self.scores.forget(changed)
        return frozenset(changed)

    # -- items and steps ----------------------------------------------------------------------

    def add_items(self, new: Sequence[NewItem]) -> list[Item]:
        """Add items, all or none; durable when it returns."""
        return adding.add_items(self, new)

    def apply(
        self, item: Item | str, edit: Edit, *, group: str | None = None, seen: bool = True
    ) -> Patch:
        """Do an edit and wait until it is applied; the Patch is empty if it changed nothing.

        Durable some milliseconds later; `scribe.flush` and `close` wait for that. Parameters as in
        `Scribe.submit`.
        """
        applied = self.scribe.submit(_id(item), edit, group=group, seen=seen).applied.result()
        assert applied is not None
        return applied.patch

    def accept(self, item: Item | str, fill: int | None = None) -> Patch:
        """Accept an item; with `fill`, what is unlabelled becomes that class in the same step."""
        from segcore.edits import FillUnlabelled, SetState

        if fill is None:
            return self.apply(item, SetState(state="accepted"))
        # The store writes in what the state was when the step's turn came.
        change = FieldChange("item", "", "state", None, "accepted")
        edit = FillUnlabelled(
            class_id=fill,
            origin=self.source("person"),
            name="Accept",
            tool="state",
            fields=(change,),
        )
        return self.apply(item, edit)

    def reject(self, item: Item | str) -> Patch:
        """Reject an item: it is in no training and no export."""
        from segcore.edits import SetState

        return self.apply(item, SetState(state="rejected"))

    def set_field(self, item: Item | str, field: str, value: Any) -> Patch:
        """Give an item another name, group, split or note; kept in the log with its old value."""
        item_id = _id(item)

        def work() -> Patch:
            change = FieldChange("item", item_id, field, None, value)
            patch = Patch((), (change,), f"Set {field}", "item")
            return self.scribe.steps.take(item_id, patch, "item").patch

        return self.scribe.call(work)

    def undo_group(self, group: str) -> list[Applied]:
        """Take back a step that was done to many items; gives what was undone.

        An item where something later was built on the step keeps it.
        """
        return groups.undo_group(self, group)

    def redo_group(self, group: str) -> list[Applied]:
        """Bring back a group of steps on the items where nothing was done since."""
        return groups.redo_group(self, group)

    def undo_step(self, item: Item | str, event_id: str) -> Applied:
        """Take back one step of an item by itself, such as an import of truth.

        Raises
        ------
        MaskwrightError : something later was built on it, or it is undone already.
        """
        return groups.undo_step(self, _id(item), event_id)

    # -- classes ------------------------------------------------------------------------------

    def set_classes(self, classes: ClassSet) -> Patch:
        """Exchange the classes, a step of the project's history.

        A class that is left out is retired: ids are never used again.
        """

        def work() -> Patch:
            changes = class_changes(self.classes, classes)
            patch = Patch((), changes, change_name(changes), "classes")
            if not patch.is_empty:
                self.scribe.steps.take_for_project(patch, "class")
            return patch

        return self.scribe.call(work)

    def follow_classes(self, rows: list[dict[str, Any]]) -> None:
        """A step has changed these classes (for the scribe)."""
        self.classes = with_changed_rows(self.classes, rows)

    def history(self) -> list[HistoryRow]:
        """Steps of the project itself and those over many items, oldest first.

        A row with a `group` is undone by `undo_group`, the others by `undo`.
        """
        made = [*self.scribe.history(None), *groups.rows(self)]
        return sorted(made, key=lambda row: row.time)

    def undo(self) -> Applied | None:
        """Take back the last step of the project itself, such as a change of its classes.

        Raises
        ------
        MaskwrightError : the step added a class that has been painted with since.
        """
        self.scribe.flush()  # what is painted is counted in the log
        return self._turn("undo")

    def redo(self) -> Applied | None:
        """Bring back the last step of the project itself that was undone."""
        return self._turn("redo")

    def _turn(self, kind: Kind) -> Applied | None:
        def work() -> Applied | None:
            history = self.contents.history(None)
            # The first step of all gave the project its classes; it stays.
            steps = history.done[1:] if kind == "undo" else history.undone
            if steps and kind == "undo":
                self._refuse_painted(steps[-1])
            return self.scribe.steps.turn(None, [(kind, steps[-1])]) if steps else None

        return self.scribe.call(work)

    def _refuse_painted(self, step: Step) -> None:
        """Raise if a step added a class whose pixels would be left without one."""
        for name, items in painted_since(self.database, step.patch, step.seq).items():
            where = "1 item" if items == 1 else f"{items:,} items"
            raise MaskwrightError(
                f'The class "{name}" is painted in {where}.',
                "Undo those strokes or paint over them, then take the class back.",
            )

    # -- origins and instances ----------------------------------------------------------------

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
        facts: Mapping[int, ObjectFacts] = MappingProxyType({}),
        further: Sequence[tuple[NDArray[Any], NDArray[Any]]] = (),
    ) -> Labels:
        """Add a layer from an array of class ids, and let the item show it.

        Parameters
        ----------
        role : "label" (a person's; the item becomes corrected, undoable), "truth", or
            "prediction" (see `store_prediction`).
        classes : (y, x) or (z, y, x), ids of this project's classes, 0 = unlabelled.
        instances : numbers of objects, 0 = none. Truth keeps them; elsewhere they are moved up
            behind those that the item has had.
        origin : row of `source`; None is "imported" by this person.
        group : id that imports into many items share.
        facts : scores and attributes of objects, by their number in `instances`.
        further : classes and instances of further layers of a label or truth, for objects that
            overlap; the numbers of all layers count together.

        Raises
        ------
        SizeMismatch : the array does not lie on the item's grid.
        UnknownValue : it has an id that no class has.
        """
        planes = _planes(classes, instance=instances)
        if role == "prediction":
            return intake.store_prediction(
                self, _id(item), model or "imported", model_digest, planes, False
            ).labels
        if origin is None:
            origin = self.source("imported")
        others = [_planes(ids, instance=numbers) for ids, numbers in further]
        return intake.import_layer(self, _id(item), role, planes, origin, group, facts, others)

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
        facts: Mapping[int, ObjectFacts] = MappingProxyType({}),
        found: NDArray[Any] | None = None,
        ground: NDArray[Any] | None = None,
    ) -> PredictionLayer:
        """Keep a model's answer as a layer; `adopt` makes it the label where that is allowed.

        The same answer of the same model is kept once: what is there already is returned.

        Parameters
        ----------
        classes : (y, x) or (z, y, x) ids of the project, 0 where the model has no class.
        confidence, margin : uint8 of the same shape.
        partial : the model did not get through the whole item.
        facts : scores of objects, by their number in `instances`; without, an object's score is
            the mean confidence of its pixels.
        found, ground : of a model that finds objects: the best object at each pixel whatever its
            score is, of whose numbers `instances` has some, and the class without that object.
            Then `facts` has the score and the class of each.
        """
        planes = _planes(
            classes,
            confidence=confidence,
            margin=margin,
            instance=instances,
            found=found,
            ground=ground,
        )
        return intake.store_prediction(
            self, _id(item), model_name, model_digest, planes, partial, facts
        )

    def adopt(
        self, item: Item | str, layer: PredictionLayer, *, group: str | None = None
    ) -> Patch | None:
        """Make a prediction the label, if nobody has worked on it; else None: it is a proposal.

        Only a complete prediction is adopted, only where the item has no step except adoptions
        (undone ones included) and no pixel that a person or an import set. What is the label
        already leaves no step; its patch is empty.
        """
        return intake.adopt(self, _id(item), layer, group)

    def is_untouched(self, item: Item | str) -> bool:
        """Whether a complete prediction of the item would be adopted."""
        with self.contents.holding(_id(item)) as content:
            history = self.contents.history(_id(item))
            return adoption.is_untouched(content, history, self.person_origins())

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

    def keep_objects(
        self, item: Item | str, layer: PredictionLayer, least_score: float
    ) -> adoption.KeepObjects:
        """The edit by which the label holds the objects of its prediction from a score on.

        Hand it over as a step of kind "adopt": it is a choice among what the model said.

        Parameters
        ----------
        layer : the prediction that the label was made of.
        """
        origin = self.source("model", layer.model_digest)
        return adoption.KeepObjects(layer, _id(item), origin, self.person_origins(), least_score)


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


def _planes(classes: NDArray[Any], **others: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    given = {name: plane for name, plane in others.items() if plane is not None}
    return {"class": classes, **given}
