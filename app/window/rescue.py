"""What is offered when a picture is missing or the disk is full: a folder is asked for, and the
rest happens beside the GUI thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from app.workspace import Message, Remedy, Workspace
from segcore.base import MaskwrightError


class Rescue(QObject):
    """Find file, and Save elsewhere."""

    def __init__(self, workspace: Workspace, window: QWidget) -> None:
        super().__init__(window)
        self._workspace, self._window = workspace, window
        workspace.image_failed.connect(self._offer_to_find)
        workspace.image_loaded.connect(lambda _: workspace.withdraw("missing"))
        workspace.project_closed.connect(lambda: workspace.withdraw("missing"))
        workspace.save_asked.connect(self.save_elsewhere)

    def _offer_to_find(self, error: MaskwrightError) -> None:
        remedy = Remedy("Find file", self.find_file)
        writable = not self._workspace.read_only
        self._workspace.post(
            Message(
                error.message,
                kind="banner",
                tone="warning",
                key="missing",
                hint=error.hint,
                remedy=remedy if writable else None,
            )
        )

    def find_file(self) -> None:
        """Look for missing pictures in a folder, by their content."""
        project = self._workspace.project
        chosen = self._ask("Folder with the missing pictures", project)
        if chosen is None or project is None:
            return

        def work() -> int:
            from segcore.store.moving import find_files

            return find_files(project, chosen)

        self._workspace.background.run(work, self._found)

    def _found(self, count: int) -> None:
        noun = "picture" if count == 1 else "pictures"
        self._workspace.tell(f"Found {count} {noun}" if count else "None of them is in that folder")
        if count:
            self._workspace.reload_item()

    def save_elsewhere(self) -> None:
        """Go on in a copy of the project on another disk, with what was not written yet."""
        project = self._workspace.project
        chosen = self._ask("Save the project in", project)
        if chosen is None or project is None:
            return
        target = chosen / Path(project.path).name
        self._workspace.background.run(
            lambda: project.save_elsewhere(target),
            lambda _: self._workspace.tell(f"Saved in {target}; work goes on there"),
        )

    def _ask(self, title: str, project: Any) -> Path | None:
        start = str(Path(project.path).parent) if project is not None else str(Path.home())
        chosen = QFileDialog.getExistingDirectory(self._window, title, start)
        return Path(chosen) if chosen else None
