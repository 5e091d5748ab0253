"""Open recent: the projects that were opened last, in the File menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from app.theme.icons import icon
from app.workspace import Workspace

_SHOWN = 9


class RecentMenu(QMenu):
    """Filled each time it opens; projects that are gone are not shown.

    Parameters
    ----------
    open_path : what opens a project.
    """

    def __init__(self, workspace: Workspace, open_path: Callable[[Path], None]) -> None:
        super().__init__("Open recent")
        self._workspace, self._open_path = workspace, open_path
        self.setIcon(icon("history"))
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)

    def put_after(self, before: QAction, menu: QMenu) -> None:
        """Stand in `menu` under the row `before`."""
        rows = menu.actions()
        menu.insertMenu(rows[rows.index(before) + 1], self)
        menu.aboutToShow.connect(self._follow)

    def _paths(self) -> list[Path]:
        paths = [Path(p) for p in self._workspace.settings.get("memory.recent")]
        return [path for path in paths if path.is_dir()][:_SHOWN]

    def _follow(self) -> None:
        any_there = bool(self._paths())
        self.menuAction().setEnabled(any_there)
        self.menuAction().setToolTip("" if any_there else "No project was opened yet.")

    def fill(self) -> None:
        """List the projects, the one that was opened last first."""
        self.clear()
        for number, path in enumerate(self._paths(), 1):
            name = path.name.removesuffix(".maskwright").replace("&", "&&")
            row = self.addAction(f"&{number}  {name}", partial(self._open_path, path))
            row.setToolTip(str(path))
