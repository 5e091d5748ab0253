"""Fine-tuning as the window sees it: a run folder that is followed by reading its events.

The trainer is nobody's child; this object only looks at `events.jsonl`, and asks for what the
run should do. Whatever takes time (freezing the data, promoting) happens beside the GUI thread.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.workspace.crops import CropPreview
from app.workspace.measuring import Measuring
from app.workspace.messages import Message, Remedy
from app.workspace.models import Beginning, current_model
from app.workspace.run_view import RunView, view_of
from segcore.base import MaskwrightError

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace
    from segcore.projects.training import NewRun

_POLL_MS = 400
_ENDED_KEY = "run-ended"


class Runs(QObject):
    """Follows the run that matters: the running one, else the last that ended.

    Attributes
    ----------
    others : further runs that ended while nobody was looking.
    """

    beginning_chosen = Signal(object)
    """Somebody chose elsewhere what the next training begins with: a `Beginning`."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.view: RunView | None = None
        self.others: list[RunView] = []
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
        """Look for runs of this project that go on, or ended while nobody was looking.

        A trainer outlives its window. The one that goes on is followed; else the last that ended
        is offered, and the others wait in `others`.
        """
        project = self._workspace.project
        if project is None:
            return

        def look() -> tuple[list[RunView], bool]:
            from segcore.projects import promotion
            from segcore.service import trainer
            from segcore.train import runs

            landed = [] if project.read_only else promotion.land_waiting(project)
            ended = promotion.waiting(project)
            # Not those whose process lives: one may have ended, and be about to.
            going_on = [run for run in runs.find_runs(project.runs_dir) if _goes_on(run)]
            for run in going_on:
                trainer.make_room(run)
            return [_read_view(run) for run in (*going_on, *ended)], bool(landed)

        def found(result: tuple[list[RunView], bool]) -> None:
            views, landed = result
            if project is not self._workspace.project:
                return
            if landed:
                self._workspace.models_changed.emit()
            ended = [view for view in views if not view.is_running]
            if self.is_running or self.view is not None:
                self.others = ended
                return
            first = next((view for view in views if view.is_running), None) or (
                ended[0] if ended else None
            )
            self.others = [view for view in ended if view is not first]
            if ended:
                self._offer(ended)
            if first is not None:
                self.follow(first)  # a sheet that is on screen takes the offer back

        self._workspace.background.run(look, found)

    def follow(self, view: RunView) -> None:
        self.view = view
        if view.is_running:
            self._timer.start()
        self._workspace.run_changed.emit(view)

    def show_next(self) -> None:
        """Show the next run that ended while nobody was looking."""
        if self.others and not self.is_running:
            self.follow(self.others.pop(0))

    def note_seen(self) -> None:
        """Somebody looks at how the run ended: it is not offered again."""
        view, project = self.view, self._workspace.project
        if view is None or view.is_running or view.seen or project is None:
            return
        view.seen = True
        self._workspace.withdraw(_ENDED_KEY)
        if not project.read_only:  # else whoever writes has yet to decide
            from segcore.train import runs

            self._workspace.background.run(lambda: runs.note_seen(view.path), lambda _: None)

    def _offer(self, ended: list[RunView]) -> None:
        """Say what ended while nobody was looking, until somebody looks at it."""
        done = [view.name for view in ended if view.state == "done"]
        names = done or [view.name for view in ended]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        have = "have" if more else "has"
        self._workspace.post(
            Message(
                f"{names[0]}{more} {have} finished." if done else f"{names[0]}{more} stopped.",
                kind="banner",
                tone="success" if done else "warning",
                key=_ENDED_KEY,
                hint="Old and new stand side by side in the sheet." if done else "",
                remedy=Remedy("Show", self._workspace.training_asked.emit),
            )
        )

    def forget(self) -> None:
        """The project is being closed; nothing of its runs stays on screen."""
        self.measuring.stop(closing=True)
        self.crops.stop(closing=True)
        self._timer.stop()
        self.view = None
        self.others = []
        self.starting = False
        self._workspace.withdraw(_ENDED_KEY)
        self._workspace.run_changed.emit(None)

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
            from segcore.projects import promotion
            from segcore.projects.training import prepare_run
            from segcore.service import trainer

            project.scribe.flush()
            run = prepare_run(project, new_run(project, settings, beginning))
            promotion.hold(project)
            trainer.launch(run)
            return run

        # The project may be closed meanwhile; the trainer goes on, and is found again there.
        def started(run: Path) -> None:
            if project is workspace.project:
                self._started(run)

        def not_started(error: Exception) -> None:
            if project is workspace.project:
                self._not_started(error)
            else:
                workspace.report(error)

        workspace.run_changed.emit(None)
        workspace.background.run(prepare, started, not_started)

    def cancel(self) -> None:
        """Ask the run to stop; it keeps its last checkpoint."""
        if self.view is not None and self.view.is_running and self.view.state != "cancelling":
            from segcore.train import runs

            runs.request_cancel(self.view.path)
            self.view.state = "cancelling"
            self._workspace.run_changed.emit(self.view)

    def resume(self) -> None:
        """Let a run go on that lost its process."""
        view, project = self.view, self._workspace.project
        if project is None or view is None or view.state not in ("lost", "failed"):
            return

        def work() -> None:
            from segcore.projects import promotion
            from segcore.service import trainer

            promotion.hold(project)
            trainer.launch(view.path)

        def done(_: None) -> None:
            if project is self._workspace.project:
                view.state, view.reason, view.seen = "preparing", "", False
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
        self.follow(view_of(run))

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
                view.lose()
                changed = True
            if changed:
                self._workspace.run_changed.emit(view)
            if not view.is_running:
                self._timer.stop()
                self._tell_end(view)

        self._workspace.background.run_latest("run", work, show)

    def _tell_end(self, view: RunView) -> None:
        if view.state == "done":
            show = ("Show", self._workspace.training_asked.emit)
            self._workspace.tell(f"{view.name} has learned", show)
        elif view.state in ("failed", "lost"):
            self._workspace.post(
                Message(f"{view.name} did not finish.", tone="warning", hint=view.reason)
            )
        self._workspace.models_changed.emit()


def _goes_on(run: Path) -> bool:
    from segcore.train import runs

    try:
        return runs.state(run) == "running"
    except MaskwrightError:  # a damaged folder keeps nobody from the others
        return False


def _read_view(run: Path) -> RunView:
    """A view with all that was told so far. For threads beside the GUI."""
    from segcore.train import runs

    view = view_of(run)
    view.read_events()
    if runs.state(run) == "lost":
        view.lose()
    elif view.is_running and runs.is_cancel_asked(run):
        view.state = "cancelling"
    return view


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
