"""Where the work was is known again, also by a program that was killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.settings import Settings
from app.window.main_window import MainWindow
from app.workspace import Workspace

Make = Callable[..., Any]


def test_item_class_and_size_are_in_the_file_while_the_window_is_open(
    make_window: Make, project_path: Path, settings: Settings, tmp_path: Path, qtbot: Any
) -> None:
    settings.path = file = tmp_path / "settings.json"
    window = make_window(project_path)
    workspace = window.workspace
    QTest.keyClick(window.canvas, Qt.Key.Key_D)
    QTest.keyClick(window.canvas, Qt.Key.Key_4)
    second = workspace.requested
    assert second == workspace.queue.order[1]

    def kept() -> dict[str, Any]:
        return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    path = str(project_path)
    qtbot.waitUntil(lambda: kept().get("memory.last_items", {}).get(path) == second)
    qtbot.waitUntil(lambda: kept().get("memory.last_classes", {}).get(path) == 4)
    window.resize(790, 640)  # within the screen of the tests
    qtbot.waitUntil(lambda: not window._rest.isActive())
    # Another program reads what a killed one has left.
    again = Settings(file)
    other = MainWindow(again)
    try:
        assert other.height() == 640
        assert Workspace(again).place.item_of(project_path) == second
    finally:
        other.close()
        other.deleteLater()


def test_a_project_opens_with_the_class_that_was_painted_last(
    open_workspace: Workspace, project_path: Path, qtbot: Any
) -> None:
    workspace = open_workspace
    workspace.set_active_class(6)
    workspace.close_project()
    workspace.open_project(project_path)
    assert workspace.active_class == 6


def test_a_class_that_has_gone_is_not_painted_with(
    open_workspace: Workspace, project_path: Path
) -> None:
    workspace = open_workspace
    first = workspace.active_class
    workspace.close_project()
    workspace.settings.set("memory.last_classes", {str(project_path): 99})
    workspace.open_project(project_path)
    assert workspace.active_class == first
