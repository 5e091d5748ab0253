"""Changes of classes and steps over many items, undone and redone with mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from segcore.edits import Stroke

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
UNDO = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
REDO = UNDO | Qt.KeyboardModifier.ShiftModifier
CAR = 9


class Desk:
    """A window, and hands for its classes panel and its history."""

    def __init__(self, window: Any, qtbot: Any) -> None:
        self.window, self.qtbot = window, qtbot
        self.workspace, self.panel = window.workspace, window.right.history
        self.wait(lambda: len(self.workspace.project_steps.rows) == 2)

    def wait(self, reached: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(reached, timeout=20_000)

    def name(self, class_id: int = CAR) -> str:
        return str(self.workspace.classes[class_id].name)

    def rename(self, name: str) -> None:
        """Car gets another name in its row."""
        rows = self.window.right.classes.rows
        at = QPoint(80, rows.row_rect(CAR).center().y())
        QTest.mouseDClick(rows, LEFT, NONE, at)
        editor = rows.findChild(QLineEdit)
        editor.selectAll()
        QTest.keyClicks(editor, name)
        QTest.keyClick(editor, Qt.Key.Key_Return)
        self.wait(lambda: f"Rename Car to {name}" in self.names())

    def names(self) -> list[str]:
        return [row.name for row in self.workspace.project_steps.rows]

    def show_project(self) -> None:
        cell = self.panel.whose._cell(1).center().toPoint()
        QTest.mouseClick(self.panel.whose, LEFT, NONE, cell)

    def click_row(self, name: str, word: str = "") -> None:
        """Click the name of a step, or the word at its end."""
        row = [r.name for r in self.panel.model.rows].index(name)
        rect = self.panel.view.visualRect(self.panel.model.index(row))
        at = QPoint(60, rect.center().y())
        if word:
            assert self.workspace.project_steps.verb(self.panel.model.rows[row]) == word
            at = self.panel.delegate.verb_rect(rect, word).center()
        QTest.mouseClick(self.panel.view.viewport(), LEFT, NONE, at)

    def title(self, action_id: str) -> str:
        self.window.actions_set.refresh()
        return str(self.window.actions_set.qt[action_id].text())


@pytest.fixture
def desk(make_window: Callable[..., Any], project_path: Path, qtbot: Any) -> Desk:
    return Desk(make_window(project_path), qtbot)


def test_a_rename_is_undone_and_redone_with_keys_and_the_menu_says_which(desk: Desk) -> None:
    assert desk.title("class.undo") == "Undo class change"
    assert not desk.window.actions_set.qt["class.undo"].isEnabled()
    desk.rename("Lorry")
    assert desk.title("class.undo") == "Undo class change: Rename Car to Lorry"
    steps = len(desk.workspace.history)
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, UNDO)
    desk.wait(lambda: desk.name() == "Car")
    desk.wait(lambda: desk.title("class.redo") == "Redo class change: Rename Car to Lorry")
    assert len(desk.workspace.history) == steps  # the item's own history is another
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, REDO)
    desk.wait(lambda: desk.name() == "Lorry")
    toast = desk.window.overlays.toast
    desk.wait(lambda: toast.text.text() == "Done again: Rename Car to Lorry")
    QTest.mouseClick(toast.action, LEFT)
    desk.wait(lambda: desk.name() == "Car")


def test_the_history_of_the_project_acts_on_its_words_only(desk: Desk) -> None:
    desk.rename("Lorry")
    w = desk.workspace
    w.set_classes(w.classes.changed(4, colour="#102030"))
    desk.wait(lambda: "Recolour Road" in desk.names())
    desk.show_project()
    shown = [row.name for row in desk.panel.model.rows]
    assert shown[:2] == ["Recolour Road", "Rename Car to Lorry"]
    desk.click_row("Recolour Road")
    desk.click_row("Rename Car to Lorry")
    assert w.project_steps.verb(desk.panel.model.rows[1]) == ""  # what came later goes first
    desk.click_row("Recolour Road", "Undo")
    desk.wait(lambda: w.classes[4].colour != "#102030")
    assert desk.name() == "Lorry"
    desk.wait(lambda: w.project_steps.verb(desk.panel.model.rows[1]) == "Undo")
    desk.panel.view.setCurrentIndex(desk.panel.model.index(1))
    QTest.keyClick(desk.panel.view, Qt.Key.Key_Return)
    desk.wait(lambda: desk.name() == "Car")
    desk.wait(lambda: w.project_steps.verb(desk.panel.model.rows[1]) == "Redo")
    desk.click_row("Rename Car to Lorry", "Redo")
    desk.wait(lambda: desk.name() == "Lorry")


def test_an_import_over_many_items_is_undone_and_brought_back(desk: Desk) -> None:
    w = desk.workspace
    QTest.keyClick(
        desk.window.canvas,
        Qt.Key.Key_Y,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert desk.panel.shows_project
    desk.click_row("Import truth (3 items)", "Undo")
    desk.wait(lambda: w.truth is None)
    assert all(item.truth is None for item in w.project.items)
    desk.wait(lambda: desk.window.right.classes.score.text() == "Area")
    desk.wait(lambda: w.project_steps.verb(desk.panel.model.rows[-2]) == "Redo")
    desk.click_row("Import truth (3 items)", "Redo")
    desk.wait(lambda: w.truth is not None)
    assert all(item.truth is not None for item in w.project.items)


def test_a_new_class_goes_unless_it_was_painted_with(desk: Desk) -> None:
    w = desk.workspace
    QTest.mouseClick(desk.window.right.classes.add, LEFT)
    QTest.keyClick(desk.window.right.classes.rows.findChild(QLineEdit), Qt.Key.Key_Return)
    desk.wait(lambda: "Add Class 1" in desk.names())
    fresh = w.active_class
    w.submit(Stroke(0, ((50.5, 50.5),), 5, fresh, origin=w.person_origin()))
    desk.wait(lambda: w.waiting_strokes == 0)
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, UNDO)
    toast = desk.window.overlays.toast
    desk.wait(lambda: toast.isVisible() and "is painted in 1 item" in toast.text.text())
    assert w.active_class == fresh
    w.undo()
    desk.wait(lambda: w.waiting_strokes == 0)
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, UNDO)
    desk.wait(lambda: w.active_class != fresh)
    assert w.active_class in [int(c.id) for c in w.classes.active]
    assert fresh not in [int(c.id) for c in w.classes.active]
