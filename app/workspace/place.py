"""Where a person works: the item and the class of each project, kept while the work goes on.

Not only at the end: a program that is killed has no end.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

_REST_MS = 400
_PROJECTS = 50


class Place(QObject):
    """Remembers a little after each change, so that leafing through a queue writes once."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self.remember)
        workspace.item_opened.connect(lambda _: self._timer.start())
        workspace.active_class_changed.connect(lambda _: self._timer.start())

    def item_of(self, path: Path) -> str | None:
        """The item of a project that was worked on last."""
        found = self._workspace.settings.get("memory.last_items").get(str(path))
        return found if isinstance(found, str) else None

    def class_of(self, path: Path, offered: list[int]) -> int | None:
        """The class that tools painted last, if it is among those offered."""
        found = self._workspace.settings.get("memory.last_classes").get(str(path))
        return found if found in offered else None

    def remember(self) -> None:
        """Keep where the work is now."""
        self._timer.stop()
        workspace = self._workspace
        if workspace.project is None:
            return
        path = str(workspace.project.path)
        if workspace.item is not None:
            self._keep("memory.last_items", path, workspace.item.id)
        if workspace.active_class:
            self._keep("memory.last_classes", path, workspace.active_class)

    def _keep(self, key: str, path: str, value: Any) -> None:
        kept = dict(self._workspace.settings.get(key))
        kept.pop(path, None)
        kept[path] = value  # newest last; the oldest go
        self._workspace.settings.set(key, dict(list(kept.items())[-_PROJECTS:]))
