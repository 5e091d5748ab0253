"""Fine-tuning as the window sees it: a run folder that is followed by reading its events.

The trainer is nobody's child; this object only looks at `events.jsonl`, and asks for what the
run should do. Whatever takes time (freezing the data, promoting) happens beside the GUI thread.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.workspace.crops import CropPreview
from app.workspace.measuring import Measuring
from app.workspace.messages import Message
from app.workspace.models import Beginning, current_model
from app.workspace.run_view import RunView, view_of

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace
    from segcore.projects.training import NewRun

_POLL_MS = 400


class Runs(QObject):
    """Follows the run that matters: the running one, else the last that ended."""

    beginning_chosen = Signal(object)
    """Somebody chose elsewhere what the next training begins with: a `Beginning`."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.view: RunView | None = None
        self.starting = False
        self.measuring = Measuring(self)
        self.crops = CropPreview(workspace, self)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def is_running(self) -> bool:
        return self.starting or (self.view is not None and self.view.is_running)

    # -- finding ------------------------------------------------------------------------------

    def find(self) -> None:
        """Look for a run of this project that still goes on: a trainer outlives its window."""
        project = self._workspace.project
        if project is None:
            return

        def look() -> RunView | None:
            from segcore.service import trainer
            from segcore.train import runs

            for run in runs.find_runs(project.runs_dir):
                if runs.state(run) == "running":
                    trainer.make_room(run)
                    view = view_of(run)
                    view.read_events()
                    return view
            return None

        def found(view: RunView | None) -> None:
            if view is not None and project is self._workspace.project:
                self.follow(view)

        self._workspace.background.run(look, found)

    def follow(self, view: RunView) -> None:
        self.view = view
        self._timer.start()
        self._workspace.run_changed.emit(view)

    def forget(self) -> None:
        self.measuring.stop(closing=True)
        self.crops.stop(closing=True)
        self._timer.stop()
        self.view = None
        self.starting = False

    # -- asking -------------------------------------------------------------------------------

    def start(self, recipe: Any = None, beginning: Beginning | None = None) -> None:
        """Freeze the data, start a trainer, follow it.

        Parameters
        ----------
        recipe : settings by name; None is made from the project.
        beginning : None is the model that predicts.
        """
        workspace = self._workspace
        project = workspace.project
        if project is None or self.is_running:
            return
        self.starting = True
        self.measuring.stop()
        self.crops.stop()
        settings = settings_of(workspace, recipe)

        def prepare() -> Path:
            from segcore.projects.training import prepare_run
            from segcore.service import trainer

            project.scribe.flush()
            run = prepare_run(project, new_run(project, settings, beginning))
            trainer.launch(run)
            return run

        workspace.run_changed.emit(None)
        workspace.background.run(prepare, self._started, self._not_started)

    def cancel(self) -> None:
        """Ask the run to stop; it keeps its last checkpoint."""
        if self.view is not None and self.view.is_running:
            from segcore.train import runs

            runs.request_cancel(self.view.path)
            self.view.state = "cancelling"
            self._workspace.run_changed.emit(self.view)

    def resume(self) -> None:
        """Let a run go on that lost its process."""
        view = self.view
        if view is None or view.state not in ("lost", "failed"):
            return

        def work() -> None:
            from segcore.service import trainer

            trainer.launch(view.path)

        def done(_: None) -> None:
            view.state, view.reason = "preparing", ""
            self.follow(view)

        self._workspace.background.run(work, done)

    def promote(self) -> None:
        """Let the new model predict from now on."""
        project, view = self._workspace.project, self.view
        if project is None or view is None or view.state not in ("done", "cancelled"):
            return

        def work() -> str:
            from segcore.projects.promotion import promote

            return promote(project, view.path)

        def done(name: str) -> None:
            view.promoted = True
            self._workspace.models_changed.emit()
            self._workspace.run_changed.emit(view)
            self._workspace.tell(f"{name} predicts from now on", ("Go back", self.go_back))

        self._workspace.background.run(work, done)

    def prefer(self, name: str) -> None:
        """Let a model that is there already predict from now on."""
        project = self._workspace.project
        if project is None:
            return

        def work() -> None:
            from segcore.projects.promotion import prefer

            prefer(project, name)

        def done(_: None) -> None:
            if self.view is not None:
                self.view.promoted = self.view.name == name
            self._workspace.models_changed.emit()
            self._workspace.run_changed.emit(self.view)
            self._workspace.tell(f"{name} predicts from now on", ("Go back", self.go_back))

        self._workspace.background.run(work, done)

    def go_back(self) -> None:
        """Let the model before predict again."""
        project = self._workspace.project
        if project is None:
            return

        def work() -> str:
            from segcore.projects.promotion import demote

            return demote(project) or ""

        def done(name: str) -> None:
            if self.view is not None:
                self.view.promoted = False
            self._workspace.models_changed.emit()
            self._workspace.run_changed.emit(self.view)
            self._workspace.tell(f"Back to {name}" if name else "No earlier model to go back to")

        self._workspace.background.run(work, done)

    # -- following ----------------------------------------------------------------------------

    def _started(self, run: Path) -> None:
        self.starting = False
        self._workspace.jobs.make_room()
        view = view_of(run)
        view.started = time.time()
        self.follow(view)

    def _not_started(self, error: Exception) -> None:
        self.starting = False
        self._workspace.run_changed.emit(self.view)
        self._workspace.report(error)

    def _poll(self) -> None:
        view = self.view
        if view is None:
            self._timer.stop()
            return

        def work() -> tuple[bool, bool]:
            from segcore.service import trainer

            alive = trainer.running(view.path)
            return view.read_events(), alive

        def show(result: tuple[bool, bool]) -> None:
            changed, alive = result
            if view is not self.view:
                return
            if view.is_running and not alive:
                view.state = "lost"
                view.seconds_left = None
                view.reason = "Its process was ended from outside. Resume goes on with it."
                changed = True
            if changed:
                self._workspace.run_changed.emit(view)
            if not view.is_running:
                self._timer.stop()
                self._tell_end(view)

        self._workspace.background.run_latest("run", work, show)

    def _tell_end(self, view: RunView) -> None:
        if view.state == "done":
            self._workspace.tell(f"{view.name} has learned")
        elif view.state in ("failed", "lost"):
            self._workspace.post(
                Message(f"{view.name} did not finish.", tone="warning", hint=view.reason)
            )
        self._workspace.models_changed.emit()


def settings_of(workspace: Workspace, recipe: Any = None) -> dict[str, Any]:
    """The settings of a run that the window starts: those given, and the person's for the rest."""
    settings = {"steps": int(workspace.settings.get("model.steps")), **(recipe or {})}
    # Some points of the held-out curve while it runs; each costs a pass over the items.
    settings.setdefault("score_every", max(20, int(settings["steps"]) // 4))
    return settings


def built_by(beginning: Beginning) -> dict[str, Any]:
    """The settings that say what a new model is; none where one is trained further."""
    if not beginning.is_new:
        return {}
    return {
        "arch": beginning.architecture,
        "encoder": beginning.encoder or None,
        "options": beginning.options,
    }


def new_run(project: Any, settings: dict[str, Any], beginning: Beginning | None = None) -> NewRun:
    """A run that begins with what was chosen. For threads beside the GUI.

    Parameters
    ----------
    beginning : None trains the project's model further.
    """
    from segcore.projects.training import NewRun

    chosen = beginning or Beginning()
    if chosen.is_new:
        return NewRun(settings=settings | built_by(chosen))
    if chosen.model:
        return NewRun(settings=settings, start=chosen.model)
    base = current_model(project)
    return NewRun(settings=settings, start=None if base is None else str(base.path))
