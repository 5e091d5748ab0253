"""A toast's Undo takes back the step that it names, or is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from segcore.edits import Stroke

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def window(make_window: Callable[..., Any], project_path: Path) -> Any:
    return make_window(project_path)


def accept(window: Any, qtbot: Any) -> str:
    """Accept the open item with the key; gives its id once the next one is open."""
    w = window.workspace
    accepted = w.item.id
    QTest.keyClick(window.canvas, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: w.item.id != accepted, timeout=20_000)
    qtbot.waitUntil(lambda: w.waiting_strokes == 0, timeout=20_000)
    return str(accepted)


def test_an_accepted_item_is_taken_back_from_the_next_one(window: Any, qtbot: Any) -> None:
    w, toast = window.workspace, window.overlays.toast
    accepted = accept(window, qtbot)
    assert w.queue.state(accepted) == "accepted"
    assert toast.isVisible()
    QTest.mouseClick(toast.action, LEFT)
    qtbot.waitUntil(lambda: w.queue.state(accepted) != "accepted", timeout=20_000)
    qtbot.waitUntil(lambda: w.item.id == accepted, timeout=20_000)


def test_a_stroke_on_an_accepted_item_takes_the_toast_away(window: Any, qtbot: Any) -> None:
    w, toast = window.workspace, window.overlays.toast
    accepted = accept(window, qtbot)
    QTest.keyClick(window.canvas, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: w.item.id == accepted, timeout=20_000)
    assert toast.isVisible()
    undo = toast._message.remedy.run
    w.submit(Stroke(0, ((50.5, 50.5), (50.5, 90.5)), 9, 9, origin=w.person_origin()))
    qtbot.waitUntil(lambda: not toast.isVisible(), timeout=5_000)
    undo()  # a click that was on its way
    qtbot.waitUntil(lambda: w.waiting_strokes == 0, timeout=20_000)
    rows = w.project.scribe.history(accepted)
    assert [row.state for row in rows] == ["done"] * len(rows)


def test_a_stroke_on_another_item_leaves_the_toast_and_its_undo(window: Any, qtbot: Any) -> None:
    w, toast = window.workspace, window.overlays.toast
    accepted = accept(window, qtbot)
    other = w.item.id
    w.submit(Stroke(0, ((50.5, 50.5), (50.5, 90.5)), 9, 9, origin=w.person_origin()))
    qtbot.waitUntil(lambda: w.waiting_strokes == 0, timeout=20_000)
    assert toast.isVisible()
    QTest.mouseClick(toast.action, LEFT)
    qtbot.waitUntil(lambda: w.queue.state(accepted) != "accepted", timeout=20_000)
    assert w.project.scribe.history(other)[-1].state == "done"


def test_accepting_again_says_so_and_offers_no_undo(window: Any, qtbot: Any) -> None:
    w, toast = window.workspace, window.overlays.toast
    accepted = accept(window, qtbot)
    w.open_item(accepted)
    qtbot.waitUntil(lambda: w.item.id == accepted, timeout=20_000)
    accept(window, qtbot)
    assert toast.isVisible()
    assert toast.text.text().startswith("Accepted")
    assert not toast.action.isVisible()
