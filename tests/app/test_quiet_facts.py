"""What the window says without being asked: oddities of a file, and why an action cannot run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.dialogs.welcome import Recent, kind_text, read_recent
from segcore.base import CLASS_PRESETS, ClassSet
from segcore.projects.modelling import BUILT_IN
from segcore.projects.new import NewProject, create_project
from segcore.projects.splits import HoldOut

Make = Callable[..., Any]


def made(folder: Path, classes: ClassSet | None = None) -> Path:
    """A project of what lies in folder/images."""
    plan = NewProject(
        path=folder / "odd.maskwright",
        images=folder / "images",
        classes=classes,
        hold_out=HoldOut(0.0),
    )
    return create_project(plan).path


def test_the_status_bar_says_what_was_left_out_of_a_file(
    make_window: Make, tmp_path: Path, qtbot: Any
) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGBA", (40, 30), (200, 10, 10, 128)).save(tmp_path / "images" / "a.png")
    Image.new("RGB", (40, 30), (10, 10, 200)).save(tmp_path / "images" / "b.png")
    window = make_window()
    window.workspace.open_project(made(tmp_path))
    odd = window.status.odd
    qtbot.waitUntil(lambda: "alpha channel" in odd.text(), timeout=20_000)
    assert odd.isVisible()
    QTest.keyClick(window.canvas, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: odd.text() == "", timeout=20_000)


def test_predict_says_that_no_model_knows_the_classes(
    make_window: Make, tmp_path: Path, qtbot: Any
) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 30), (10, 10, 200)).save(tmp_path / "images" / "b.png")
    window = make_window()
    predict = window.actions_set.qt["model.predict"]
    assert "Open an item" in predict.toolTip()
    path = made(tmp_path, CLASS_PRESETS["camvid"])
    window.workspace.open_project(path)
    qtbot.waitUntil(lambda: "No model knows a class" in predict.toolTip(), timeout=20_000)
    assert not predict.isEnabled()
    assert not window.tool_bar.predict.isEnabled()
    assert not window.right.view.predict.isEnabled()
    shutil.copytree(BUILT_IN / "nuclei", path / "models" / "mine")
    window.workspace.models_changed.emit()
    qtbot.waitUntil(predict.isEnabled, timeout=20_000)


def test_going_back_needs_a_model_before(
    make_window: Make, project_path: Path, qtbot: Any, copy_model: Callable[[Path, str], Path]
) -> None:
    for name in ("one", "two"):
        copy_model(project_path / "models" / name, "Road")
        os.utime(project_path / "models" / name / "model.safetensors", ns=(len(name), 1))
    window = make_window(project_path)
    back, runs = window.actions_set.qt["model.go_back"], window.workspace.runs
    qtbot.waitUntil(lambda: "No other model predicted" in back.toolTip(), timeout=20_000)
    assert not back.isEnabled()
    first = window.workspace.models_changed
    with qtbot.waitSignal(first, timeout=20_000):
        runs.prefer("two")
    with qtbot.waitSignal(first, timeout=20_000):
        runs.prefer("one")
    qtbot.waitUntil(back.isEnabled, timeout=20_000)


def test_show_all_classes_needs_a_hidden_one(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path)
    shown = window.actions_set.qt["class.show_all"]
    qtbot.waitUntil(lambda: "No class is hidden" in shown.toolTip())
    assert not shown.isEnabled()
    window.workspace.set_class_visible(4, False)
    qtbot.waitUntil(shown.isEnabled)
    window.actions_set.run("class.show_all")
    qtbot.waitUntil(lambda: not shown.isEnabled())


def test_open_recent_lists_the_projects_and_opens_one(
    make_window: Make, project_path: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window()
    menu = window.top.recent
    file = menu.menuAction()
    menu._follow()
    assert not file.isEnabled()
    assert file.toolTip() == "No project was opened yet."
    window.workspace.settings.set("memory.recent", [str(tmp_path / "gone"), str(project_path)])
    menu._follow()
    assert file.isEnabled()
    menu.popup(window.pos())
    rows = menu.actions()
    assert [row.toolTip() for row in rows] == [str(project_path)]
    QTest.keyClick(menu, Qt.Key.Key_1)
    qtbot.waitUntil(lambda: window.workspace.project is not None, timeout=20_000)
    assert window.workspace.project.path == project_path


def test_a_folder_with_one_volume_among_pictures_is_none(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    frames = [Image.new("L", (20, 20), n * 20) for n in range(4)]
    frames[0].save(tmp_path / "images" / "pages.tif", save_all=True, append_images=frames[1:])
    for name in ("a", "b"):
        frames[1].save(tmp_path / "images" / f"{name}.png")
    recent = read_recent(made(tmp_path, CLASS_PRESETS["binary"]))
    assert recent.total == 3
    assert kind_text(recent).startswith("Semantic")


def test_recent_cards_are_dated_by_the_opening_that_sorts_them(
    make_window: Make, project_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window(project_path)
    opened = window.workspace.settings.get("memory.opened")[str(project_path)]
    window.workspace.close_project()
    os.utime(project_path / "project.db", (1_000_000_000, 1_000_000_000))
    window._welcome.refresh()
    cards: list[Recent] = []
    qtbot.waitUntil(lambda: bool(window._welcome._recents[0].total), timeout=20_000)
    cards = window._welcome._recents
    assert cards[0].when == opened
