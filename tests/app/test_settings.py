"""The table of settings, walked, and the file that keeps what was chosen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.settings import BY_KEY, SETTINGS, Settings
from app.settings.kinds import Choice, Flag, Range
from app.settings.table import GROUPS


@pytest.mark.parametrize("setting", SETTINGS, ids=[s.key for s in SETTINGS])
def test_every_setting_accepts_its_default_and_says_what_it_is(setting: Any) -> None:
    assert setting.kind.accepts(setting.default)
    assert setting.group in GROUPS
    assert setting.title
    assert setting.description.endswith(".")


def test_keys_are_used_once() -> None:
    assert [k for k, n in Counter(s.key for s in SETTINGS).items() if n > 1] == []


def test_kinds_refuse_what_does_not_fit() -> None:
    assert not Range(0, 1).accepts(1.5)
    assert not Range(0, 1).accepts(True)
    assert not Flag().accepts(1)
    assert not Choice({"a": "A"}).accepts("b")


def test_a_chosen_value_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    Settings(file).set("overlay.fill", 0.5)
    assert Settings(file).get("overlay.fill") == 0.5


def test_a_damaged_file_gives_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{ this is no JSON", encoding="utf-8")
    assert Settings(file).get("look.theme") == BY_KEY["look.theme"].default


def test_a_value_out_of_range_in_the_file_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"overlay.fill": 7}), encoding="utf-8")
    assert Settings(file).get("overlay.fill") == BY_KEY["overlay.fill"].default


def test_a_wrong_value_is_refused_and_nothing_is_told(qtbot: Any) -> None:
    settings = Settings(None)
    with qtbot.assertNotEmitted(settings.changed), pytest.raises(ValueError, match="theme"):
        settings.set("look.theme", "pink")


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    settings = Settings(blocked / "settings.json")
    settings.set("overlay.fill", 0.5)
    assert settings.get("overlay.fill") == 0.5
