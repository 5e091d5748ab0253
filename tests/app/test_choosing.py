"""Choosing folders and files: what is typed is what is opened, in the colours of the theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_dialogs import field_of, open_dialog_of
from PySide6.QtCore import QFileInfo, QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QListView

from app.dialogs.choosing import choose_file, choose_folder
from app.dialogs.new_project import NewProjectDialog

Make = Callable[..., Any]


def test_a_typed_path_of_a_project_opens_it_after_the_completer_marked_its_row(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    window = make_window()
    window.workspace.settings.set("memory.recent", [str(project_path)])
    window.actions_set.run("project.open")
    dialog = open_dialog_of(window)
    field = field_of(dialog)
    view = dialog.findChild(QListView, "listView")
    QTest.keyClicks(field, str(project_path))
    # Where the list was read before the typing, Qt marks the folder that is shown as well.
    flag, marks = QItemSelectionModel.SelectionFlag, view.selectionModel()
    qtbot.waitUntil(marks.hasSelection)
    rows = marks.selectedRows()
    marks.select(view.rootIndex(), flag.ClearAndSelect | flag.Rows)
    for row in rows:
        marks.select(row, flag.Select | flag.Rows)
    field.setText(str(project_path))
    assert dialog.selectedFiles()[0] == str(project_path.parent)
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.workspace.project is not None, timeout=20_000)
    assert window.workspace.project.path == project_path
    assert not window.findChildren(NewProjectDialog)


def test_a_row_that_is_clicked_is_the_folder_that_is_chosen(
    make_window: Make, tmp_path: Path, qtbot: Any
) -> None:
    (tmp_path / "inner").mkdir()
    window, chosen = make_window(), []
    choose_folder(window, "Folder", tmp_path, chosen.append)
    dialog = open_dialog_of(window)
    view = dialog.findChild(QListView, "listView")
    qtbot.waitUntil(lambda: view.model().rowCount(view.rootIndex()) == 1)
    view.setCurrentIndex(view.model().index(0, 0, view.rootIndex()))
    QTest.keyClick(field_of(dialog), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(chosen))
    assert chosen == [tmp_path / "inner"]


def test_nothing_typed_is_the_folder_that_is_shown(
    make_window: Make, tmp_path: Path, qtbot: Any
) -> None:
    window, chosen = make_window(), []
    choose_folder(window, "Folder", tmp_path, chosen.append)
    dialog = open_dialog_of(window)
    dialog.accept()
    qtbot.waitUntil(lambda: bool(chosen))
    assert chosen == [tmp_path]


def test_a_file_is_typed_by_its_name_alone(make_window: Make, tmp_path: Path, qtbot: Any) -> None:
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    window, chosen = make_window(), []
    choose_file(window, "COCO", tmp_path, "COCO (*.json)", chosen.append)
    field = field_of(open_dialog_of(window))
    QTest.keyClicks(field, "a.json")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(chosen))
    assert chosen == [tmp_path / "a.json"]


def test_escape_chooses_nothing(make_window: Make, tmp_path: Path) -> None:
    window, chosen = make_window(), []
    choose_folder(window, "Folder", tmp_path, chosen.append)
    dialog = open_dialog_of(window)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert chosen == []


@pytest.mark.parametrize("name", ["dark", "light"])
def test_folders_have_the_grey_of_the_theme_and_the_completion_list_its_ground(
    make_window: Make, tmp_path: Path, qtbot: Any, name: str
) -> None:
    from app.theme.theme import theme

    (tmp_path / "inner").mkdir()
    window = make_window()
    window.workspace.settings.set("look.theme", name)
    choose_folder(window, "Folder", tmp_path, lambda _: None)
    dialog = open_dialog_of(window)
    drawn = dialog.iconProvider().icon(QFileInfo(str(tmp_path))).pixmap(16, 16).toImage()
    pixels = [drawn.pixelColor(x, y) for x in range(16) for y in range(16)]
    solid = [c for c in pixels if c.alpha() == 255]
    assert solid
    assert {c.name() for c in solid} == {theme().hex("muted").lower()}
    field = field_of(dialog)
    QTest.keyClicks(field, str(tmp_path / "in"))
    popup = field.completer().popup()
    qtbot.waitUntil(popup.isVisible)
    ground = popup.grab().toImage().pixelColor(popup.width() - 8, popup.height() // 2)
    assert ground.name() == theme().hex("panel").lower()
