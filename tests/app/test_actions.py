"""The table of actions, walked: whatever row is added has to keep these promises."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtGui import QKeySequence

from app.actions.table import ACTIONS, MENUS
from app.theme.icons import exists
from app.tools import TOOLS

IDS = [action.id for action in ACTIONS]


@pytest.mark.parametrize("action", ACTIONS, ids=IDS)
def test_every_action_has_a_drawing_a_sentence_and_readable_keys(action: Any) -> None:
    assert exists(action.icon), f"resources/icons has no {action.icon}.svg"
    assert re.fullmatch(r"[A-Z].+\.", action.tip), "a tip is one sentence"
    assert action.title[0].isupper()
    assert not action.menu or action.menu.split("/")[0] in MENUS
    for key in action.keys:
        assert not QKeySequence(key).isEmpty(), f"{key} is no shortcut"


@pytest.mark.parametrize("action", ACTIONS, ids=IDS)
def test_every_condition_says_why_it_does_not_hold(action: Any, workspace: Any) -> None:
    if not action.when.holds(workspace):
        assert re.fullmatch(r"[A-Z].+\.", action.when.why)


def test_ids_are_used_once() -> None:
    assert [i for i, n in Counter(IDS).items() if n > 1] == []


def test_no_two_actions_share_a_shortcut() -> None:
    # Enter and Esc answer a preview; both spellings of one key belong to one action.
    owners: dict[str, list[str]] = {}
    for action in ACTIONS:
        for key in action.keys:
            owners.setdefault(QKeySequence(key).toString(), []).append(action.id)
    assert {k: ids for k, ids in owners.items() if len(ids) > 1} == {}


def test_every_tool_has_an_action_with_its_key() -> None:
    keys = {action.id: action.keys for action in ACTIONS}
    for tool in TOOLS:
        assert keys[f"tool.{tool.id}"] == ((tool.key,) if tool.key else ())


def test_conventions_of_the_field_are_the_default_keys() -> None:
    keys = {action.id: action.keys for action in ACTIONS}
    assert keys["mask.undo"] == ("Ctrl+Z",)
    assert keys["mask.redo"] == ("Ctrl+Shift+Z", "Ctrl+Y")
    assert (keys["queue.next"], keys["queue.previous"]) == (("D",), ("A",))
    assert (keys["tool.smaller"], keys["tool.larger"]) == (("[",), ("]",))
    assert keys["class.swap"] == ("X",)
    assert (keys["view.hide_mask"], keys["tool.keep_mine"]) == (("S",), ("Shift+B",))
    assert (keys["view.fill_less"], keys["view.fill_more"]) == (("-",), ("=",))
    assert (keys["class.1"], keys["class.10"], keys["class.11"]) == (("1",), ("0",), ("Shift+1",))


def test_every_action_can_be_run_on_an_empty_window(
    make_window: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from app.dialogs import demo

    monkeypatch.setattr(demo, "open_demo", lambda host: None)
    window = make_window()
    for action in ACTIONS:
        if action.id == "app.quit":
            continue
        window.actions_set.run(action.id)
        # Beyond its condition, too: a key may arrive before the condition is asked again.
        if action.when.holds(window.workspace):
            action.run(window)


def test_undo_says_what_it_undoes(make_window: Callable[..., Any], project_path: Any) -> None:
    window = make_window(project_path)
    window.actions_set.refresh()
    assert window.actions_set.qt["mask.undo"].text().startswith("Undo ")
    assert len(window.actions_set.qt["mask.undo"].text()) > len("Undo ")
    # Who hears the window instead of seeing it is told the same.
    assert window.tool_bar.undo.accessibleName() == window.actions_set.qt["mask.undo"].text()
    assert window.tool_bar.redo.accessibleName() == "Redo"
    assert not window.actions_set.qt["mask.redo"].isEnabled()
    assert "Nothing to redo" in window.actions_set.qt["mask.redo"].toolTip()


def test_a_shortcut_that_was_changed_stays_changed(make_window: Callable[..., Any]) -> None:
    first = make_window()
    first.actions_set.set_keys("queue.next", ["F"])
    assert first.actions_set.owner_of("F") == "queue.next"
    second = make_window()
    assert second.actions_set.keys_text("queue.next") == "F"
    second.actions_set.set_keys("queue.next", ["D"])
    assert second.workspace.settings.get("memory.keys") == {}
