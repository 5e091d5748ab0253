"""What the core does before anybody asks: it loads the project's model while the person looks at
the first picture, and predicts the next items of the queue while nobody waits for anything.

Nobody's own request waits for it: whatever a person asks for stops it, and it goes on when that is
done. It stands still while a model is trained, which needs the processor more. An item is left
alone where its label is a person's or an import's, and where this very model has predicted it; so
what comes of it is adopted, or nothing is done.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from app.workspace.models import ModelRow, current_model
from segcore.base import MaskwrightError, digest_file

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

log = logging.getLogger(__name__)

QUIET_MS = 300  # somebody who pages through the queue asks for nothing
SETTING = "model.ahead"


class Ahead(QObject):
    """Keeps the core a step ahead of the person, once it has started."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._warmed: tuple[Path, str] | None = None
        self._given_up: set[tuple[str, str]] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET_MS)
        self._timer.timeout.connect(self._look)
        workspace.item_opened.connect(self.consider)
        workspace.jobs_changed.connect(self.consider)
        workspace.run_changed.connect(self.consider)
        workspace.settings.changed.connect(self._setting_changed)

    def consider(self, *_: object) -> None:
        """Something happened that may leave the core idle, or changes what comes next."""
        if self._workspace.jobs.has_core and not self._timer.isActive():
            self._timer.start()

    def give_way(self) -> None:
        """A person asks for something: what is predicted ahead is begun again later."""
        self._workspace.jobs.stop_ahead()

    def give_up(self, item_id: str, digest: str) -> None:
        """Not this one again: it failed, or a person stopped it."""
        self._given_up.add((item_id, digest))

    def forget(self) -> None:
        """The project is being closed, or the core begins anew with nothing loaded."""
        self._timer.stop()
        self._warmed = None
        self._given_up.clear()

    def _setting_changed(self, key: str, _value: Any) -> None:
        if key == SETTING:
            self.give_way()
            self.consider()

    def _look(self) -> None:
        workspace = self._workspace
        project, item = workspace.project, workspace.item
        if project is None or item is None or not workspace.jobs.has_core:
            return
        following = self._following(item.id)

        def find() -> tuple[ModelRow, str, list[str]] | None:
            model = current_model(project)
            if model is None:
                return None
            digest = _digest(model.path)
            wanted = (i for i in following if (i, digest) not in self._given_up)
            return model, digest, [i for i in wanted if _lacks(project, i, digest)]

        def found(answer: tuple[ModelRow, str, list[str]] | None) -> None:
            if answer is not None and project is workspace.project:
                self._ask(*answer)

        workspace.idle.run_latest("ahead", find, found, _unlucky)

    def _following(self, item_id: str) -> list[str]:
        """The items that may be predicted now, the next one first."""
        workspace = self._workspace
        if workspace.read_only or workspace.runs.is_running or workspace.jobs.running:
            return []
        steps = range(1, int(workspace.settings.get(SETTING)) + 1)
        near = (workspace.queue.neighbour(item_id, step) for step in steps)
        return [i for i in near if i is not None and workspace.queue.state(i) in _OPEN]

    def _ask(self, model: ModelRow, digest: str, ids: list[str]) -> None:
        jobs = self._workspace.jobs
        if self._warmed != (model.path, digest):
            self._warmed = (model.path, digest)
            jobs.warm(model)
        if jobs.running or self._workspace.runs.is_running:
            ids = []  # somebody asked meanwhile
        jobs.predict_ahead(ids, model, digest)


_OPEN = ("new", "predicted")


def _lacks(project: Any, item_id: str, digest: str) -> bool:
    """Whether an item's label is nobody's, and this model has not predicted it."""
    item = project.items.by_id(item_id)
    if any(layer.model_digest == digest for layer in item.predictions.values()):
        return False
    return bool(project.is_untouched(item))


def _digest(folder: Path) -> str:
    from segcore.models.spec import TENSORS

    stat = (folder / TENSORS).stat()
    return _digest_of(folder / TENSORS, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _digest_of(path: Path, _size: int, _changed: int) -> str:
    return digest_file(path)


def _unlucky(error: Exception) -> None:
    """The project was closed meanwhile, a folder went: nobody asked, so nobody is told."""
    kind = logging.INFO if isinstance(error, MaskwrightError | OSError) else logging.ERROR
    log.log(kind, "nothing is predicted ahead: %s", type(error).__name__)
