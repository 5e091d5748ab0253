"""Whether a model can predict here, and whether there is one to go back to: read from the
project's folder beside the GUI thread, so that conditions of actions need not wait for a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.workspace.models import current_model

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

NO_MODEL = "No model knows a class of this project; train one first."


class ModelsAtHand(QObject):
    """What was found last; until it is found, nothing is refused."""

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.can_predict = True
        self.can_go_back = False
        self._begun = False
        workspace.project_opened.connect(self._wait)
        workspace.models_changed.connect(self._look_again)
        workspace.classes_changed.connect(self._look_again)

    def _wait(self, _project: Any) -> None:
        self.can_predict, self.can_go_back, self._begun = True, False, False

    def _look_again(self, *_: Any) -> None:
        if self._begun:
            self.look()

    def look(self) -> None:
        """Read it again; for the first time when the first picture has had its time, because what
        this imports would stand before it."""
        self._begun = True
        project = self._workspace.project
        if project is None:
            return

        def read() -> tuple[bool, bool]:
            from segcore.projects.promotion import has_earlier

            return current_model(project) is not None, has_earlier(project)

        def show(found: tuple[bool, bool]) -> None:
            if project is self._workspace.project:
                self.can_predict, self.can_go_back = found
                self.changed.emit()

        self._workspace.idle.run_latest("models at hand", read, show, lambda _: None)
