"""Workspace: what is open and chosen, and the requests that change it.

Panels, tools and the canvas meet here and nowhere else. It holds state and speaks in signals
named in the past tense; it draws nothing and knows no widget. Everything slow goes to the
scribe (labels), to `Background` (reading) or to another process (models, refinement).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from app.settings import Settings
from app.workspace import review
from app.workspace.ahead import Ahead
from app.workspace.at_hand import ModelsAtHand
from app.workspace.jobs import Jobs
from app.workspace.messages import Message, Remedy
from app.workspace.models import Beginning
from app.workspace.object_score import ObjectScore
from app.workspace.offer import Offer
from app.workspace.opening import Opening
from app.workspace.place import Place
from app.workspace.project_steps import ProjectSteps
from app.workspace.refine import Refining
from app.workspace.runs import Runs
from segcore.base import ClassSet, MaskwrightError, Rect
from segcore.labels import Guard, Labels

_FOLLOW_MS = 1000
_FIND_RUNS_MS = 600
_READ_ONLY = "read-only"


class Workspace(Opening):
    """The one object that everything on screen listens to. Lives on the GUI thread."""

    def __init__(self, settings: Settings | None = None, parent: QObject | None = None) -> None:
        super().__init__(settings, parent)
        self.jobs = Jobs(self)
        self.runs = Runs(self)
        self.object_score = ObjectScore(self)
        self.offer = Offer(self)
        self.project_steps = ProjectSteps(self)
        self.refining = Refining(self)
        self.ahead = Ahead(self)
        self.place = Place(self)
        self.at_hand = ModelsAtHand(self)
        # Looked for later: what that imports must not delay the first picture.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_FIND_RUNS_MS)
        self._later.timeout.connect(self.at_hand.look)
        self._later.timeout.connect(self.runs.find)
        self._follower = QTimer(self)
        self._follower.setInterval(_FOLLOW_MS)
        self._follower.timeout.connect(self._follow_writer)
        self._writer = ""

    @property
    def shown_labels(self) -> Labels | None:
        """As `Opening.shown_labels`, but the label as it would be in its place: refined, or with
        the objects from a score on."""
        waiting = self.refining.shown or self.object_score.shown
        return (waiting if self.view_mode == "label" else None) or super().shown_labels

    # -- project ------------------------------------------------------------------------------

    @property
    def visible_classes(self) -> frozenset[int]:
        """Ids of the classes that are shown."""
        if self.classes is None:
            return frozenset()
        return frozenset(int(c.id) for c in self.classes) - self.hidden_classes

    def open_project(
        self, path: Path | str, *, item: str | None = None, z: int | None = None
    ) -> None:
        """Open a project; read-only, with a banner, where somebody else is writing.

        Parameters
        ----------
        item : the one to show; None is the one that was worked on last.
        z : the slice of that item to show.

        Raises
        ------
        MaskwrightError : it cannot be opened at all.
        """
        from segcore.store import Project

        person = self.settings.get("correct.person") or None
        self.take_project(Project.open(Path(path), person=person), item=item, z=z)

    def take_project(self, project: Any, *, item: str | None = None, z: int | None = None) -> None:
        """Show a project that is already open; it is closed with the workspace."""
        self.close_project()
        self.project = project
        self._remember_recent(Path(project.path))
        project.scribe.listen(self._store_spoke.emit)
        shown = [c for c in project.classes.active if not c.ignore]
        coloured = [c for c in shown if c.colour is not None]
        first = int((coloured or shown)[0].id) if shown else 0
        self.active_class = self.place.class_of(project.path, [int(c.id) for c in shown]) or first
        self.background_class = 0
        self.hidden_classes = self.locked_classes = frozenset()
        self.queue.load(project)
        self.project_opened.emit(project)
        self.classes_changed.emit(project.classes)
        self.active_class_changed.emit(self.active_class)
        if project.read_only:
            self._say_read_only(project, project.writer)
            self._follower.start()
        self._later.start()
        if item is not None and z is not None:
            self._slices[item] = z
        wanted = item or self.place.item_of(project.path)
        if wanted is None or self.queue.row_of(wanted) < 0:
            wanted = self.queue.order[0] if len(self.queue) else None
        if wanted is not None:
            self.open_item(wanted)

    def _say_read_only(self, project: Any, writer: str) -> None:
        """The banner of a project that is open for reading.

        Parameters
        ----------
        writer : who writes to it, as `Project.writer` says; "" if it is free by now.
        """
        self._writer = writer
        if writer:
            text = f"{project.name} is open for reading: {writer}."
            hint = "Close it there to write here."
            self.post(Message(text, kind="banner", tone="warning", key=_READ_ONLY, hint=hint))
            return
        text = f"{project.name} can be written now: nobody else has it open."
        # Not by itself: the person may be reading here and about to write elsewhere.
        remedy = Remedy("Open for writing", self._open_for_writing)
        self.post(Message(text, kind="banner", key=_READ_ONLY, remedy=remedy))

    def _open_for_writing(self) -> None:
        """Open what is open for reading again, at the same place; who is first writes."""
        project, wanted = self.project, self.requested
        if project is None:
            return
        here = self.item is not None and self.item.id == wanted
        z = self.z if here else self._slices.get(wanted or "")
        try:
            self.open_project(project.path, item=wanted, z=z)
        except MaskwrightError as error:
            self.report(error)

    def _follow_writer(self) -> None:
        """Read-only: see what the writing process has committed since, and whether it is gone."""
        project = self.project
        if project is None or not project.read_only:
            self._follower.stop()
            return

        def look() -> tuple[frozenset[str], str]:
            changed = project.poll()
            holder = project.holder
            if holder is not None:
                return changed, str(holder)
            # Where not a writer but the medium is in the way, nobody's end lets us write.
            return changed, "" if project.was_taken else project.writer

        def show(seen: tuple[frozenset[str], str]) -> None:
            if project is not self.project:
                return
            changed, writer = seen
            if writer != self._writer:
                self._say_read_only(project, writer)
            for item_id in changed:
                self._shelf.spoil(item_id)
                self.queue.state_changed(item_id, project.items.by_id(item_id).state)
            if self.item is not None and self.item.id in changed:
                self.reload_item()

        def fail(error: Exception) -> None:
            if project is self.project:  # else it was closed while it was looked at
                self.report(error)

        self.idle.run_latest("follow", look, show, fail)

    def close_project(self) -> None:
        """Finish what waits to be written, then let go of the project."""
        if self.project is None:
            return
        self.place.remember()
        project, self.project = self.project, None
        self._later.stop()
        self._follower.stop()
        self.ahead.forget()
        self.jobs.forget()
        self.runs.forget()
        for key in (_READ_ONLY, "store"):
            self.withdraw(key)
        self._history = []
        self._unapplied = 0
        self._uncommitted.clear()
        self._forget_items()
        self.project_closed.emit()
        project.close()

    def shut_down(self) -> None:
        """Close everything; the last call of the window."""
        self.jobs.close()
        self.close_project()
        self.overviews.close()
        self.object_score.close()
        self.background.close()
        self.idle.close()

    # -- review and models --------------------------------------------------------------------

    def accept(self) -> None:
        """Accept the open item and go on."""
        review.accept(self)

    def reject(self) -> None:
        """Reject the open item and go on."""
        review.reject(self)

    def take_proposal(self, where: Any = "all") -> None:
        """Take the waiting prediction or a part of it; see `review.take_proposal`."""
        review.take_proposal(self, where)

    def drop_proposal(self) -> None:
        """Leave the label as it is; the proposal is not offered again by itself."""
        review.drop_proposal(self)

    def offer_again(self) -> None:
        """Have the prediction that was dropped wait as a proposal again."""
        review.offer_again(self)

    def predict(self, ids: list[str] | None = None) -> None:
        """Predict these items, or the open one."""
        if ids is None:
            ids = [self.item.id] if self.item is not None else []
        self.jobs.predict(ids)

    def predict_all(self) -> None:
        """Predict every item that nobody has looked at yet, those next in the queue first."""
        ids = [i for i in self.queue.order if self.queue.state(i) in ("new", "predicted")]
        row = max(0, self.queue.row_of(self.requested or ""))
        self.jobs.predict(sorted(ids, key=lambda i: self.queue.row_of(i) < row))

    def fine_tune(self, recipe: Any = None, beginning: Beginning | None = None) -> None:
        """Start a training from the corrections; what is not given is the project's default."""
        self.runs.start(recipe, beginning)

    def set_classes(self, classes: ClassSet) -> None:
        """Exchange the project's classes (added, renamed, coloured); undoable, in its history."""
        if self.project is None or self.read_only:
            return
        try:
            self.project.set_classes(classes)
        except MaskwrightError as error:
            self.report(error)
            return
        self.classes_changed.emit(self.project.classes)
        self.look_changed.emit()

    def submit(self, edit: Any, item_id: str | None = None, **how: Any) -> Any:
        """As `Steps.submit`, after what a slider that has not come to rest says already."""
        self.object_score.settle()
        return super().submit(edit, item_id, **how)

    # -- labels on screen ---------------------------------------------------------------------

    def guard(self) -> Guard:
        """What strokes may not touch, from locks, "only over" and "keep mine"."""
        options = self.tool_options
        only_over = options.get("only_over")
        keep = bool(options.get("keep_mine"))
        return Guard(
            locked=self.locked_classes,
            only_over=None if only_over in (None, "any") else frozenset((int(only_over),)),
            keep_origins=self.project.person_origins() if keep and self.project else frozenset(),
        )

    def person_origin(self) -> int:
        """The row of `source` that this person's strokes carry."""
        return 0 if self.project is None else int(self.project.source("person"))

    def origin_text(self, origin: int) -> str:
        """Who set a pixel, as the status bar says it."""
        row = None if self.project is None else self.project.origins.by_id(origin)
        if row is None:
            return ""
        mine = row.person == self.project.person
        who = "you" if mine else row.person
        if row.kind == "model":
            return "Predicted by a model"
        word = {
            "person": "Painted by",
            "imported": "Imported by",
            "refined": "Refined by",
            "interpolated": "Interpolated by",
        }[row.kind]
        return f"{word} {who}"

    def solve_grabcut(
        self, z: int, rect: Rect, seeds: Any, box: Rect | None = None, iterations: int = 5
    ) -> int:
        """Ask the refiner for a region; `region_solved` answers. Newest wins.

        Parameters
        ----------
        rect : bounded region of the picture that is solved.
        seeds : (h, w) uint8 of `rect`: 0 unknown, 1 object, 2 background.
        box : in image coordinates, or None.

        Returns
        -------
        number of the request, 0 if there is nothing to ask.
        """
        return self.jobs.solve_grabcut(z, rect, seeds, box, iterations)

    def _remember_recent(self, path: Path) -> None:
        recent = [str(path), *(p for p in self.settings.get("memory.recent") if p != str(path))]
        self.settings.set("memory.recent", recent[:12])
        opened = self.settings.get("memory.opened") | {str(path): time.time()}
        self.settings.set("memory.opened", {p: t for p, t in opened.items() if p in recent[:12]})
