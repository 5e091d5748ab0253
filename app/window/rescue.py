"""What is offered when a picture is missing or the disk is full: a folder is asked for, and the
rest happens beside the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.choosing import choose_folder
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

        def find(chosen: Path) -> None:
            def work() -> int:
                from segcore.store.moving import find_files

                return find_files(project, chosen)

            self._workspace.background.run(work, self._found)

        self._ask("Folder with the missing pictures", project, find)

    def _found(self, count: int) -> None:
        noun = "picture" if count == 1 else "pictures"
        self._workspace.tell(f"Found {count} {noun}" if count else "None of them is in that folder")
        if count:
            self._workspace.reload_item()

    def save_elsewhere(self) -> None:
        """Go on in a copy of the project on another disk, with what was not written yet."""
        project = self._workspace.project

        def save(chosen: Path) -> None:
            target = chosen / Path(project.path).name
            self._workspace.background.run(
                lambda: project.save_elsewhere(target),
                lambda _: self._workspace.tell(f"Saved in {target}; work goes on there"),
            )

        self._ask("Save the project in", project, save)

    def _ask(self, title: str, project: Any, then: Callable[[Path], None]) -> None:
        """Ask for a folder, and do something with it if the project is still the open one."""
        if project is None:
            return

        def go_on(chosen: Path) -> None:
            if project is self._workspace.project:
                then(chosen)

        choose_folder(self._window, title, Path(project.path).parent, go_on)
