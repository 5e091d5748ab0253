"""The menu row: menus at the left, the project's name in the middle, the search at the right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QMenuBar, QSizePolicy, QWidget

from app.actions.action_set import ActionSet
from app.theme.buttons import KeyButton, connect
from app.theme.controls import label
from app.theme.theme import theme
from app.window.recent_menu import RecentMenu
from app.workspace import Workspace


class TopBar(QWidget):
    """24 px high."""

    def __init__(
        self, workspace: Workspace, actions: ActionSet, open_path: Callable[[Path], None]
    ) -> None:
        super().__init__()
        self.setObjectName("bars")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.menus = QMenuBar(self)
        for name, title in actions.menus().items():
            menu = self.menus.addMenu(title)
            menu.setToolTipsVisible(True)
            actions.fill_menu(menu, name)
            if name == "file":
                self.recent = RecentMenu(workspace, open_path)
                self.recent.put_after(actions.qt["project.open"], menu)
        self.project = label(tone="muted")
        self.project.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.search = KeyButton(
            "Search actions", "search", actions.keys_text("app.palette"), tone="flat"
        )
        self.search.setToolTip(actions.tooltip("app.palette"))
        connect(self.search, lambda: actions.run("app.palette"))
        layout = QGridLayout(self)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.setHorizontalSpacing(8)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        layout.addWidget(self.menus, 0, 0, left)
        layout.addWidget(self.project, 0, 1)
        layout.addWidget(self.search, 0, 2, right)
        layout.setColumnStretch(0, 1)
        layout.setColumnStretch(2, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._size()
        workspace.project_opened.connect(self._opened)
        workspace.project_closed.connect(lambda: self.project.setText(""))
        theme().changed.connect(self._size)

    def _size(self) -> None:
        height = max(24, theme().line() + 8)
        self.setFixedHeight(height)
        self.search.setStyleSheet(
            f"min-height: {height - 2}px; max-height: {height - 2}px; padding: 0;"
        )

    def _opened(self, project: Any) -> None:
        self.project.setText(project.name)
