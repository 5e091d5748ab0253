"""Very dark pictures are brightened for the eye: it is said, and one click takes it back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.panels.window_level import WindowPanel
from segcore import images
from segcore.base import CLASS_PRESETS
from segcore.store import NewItem, Project

Make = Callable[..., Any]
LEFT = Qt.MouseButton.LeftButton
DARK = "nuclei/images/b6edad733399c83c.png"
BRIGHT = "odd/plain.png"


@pytest.fixture
def nuclei(shared_data: Path, tmp_path: Path) -> Path:
    """A project with a very dark picture and a bright one."""
    with Project.create(tmp_path / "cells.maskwright", CLASS_PRESETS["binary"]) as project:
        for name in (DARK, BRIGHT):
            file = tmp_path / Path(name).name
            shutil.copyfile(shared_data / name, file)
            with images.open(file) as source:
                project.add_items([NewItem(file.stem, [file], source.shape)])
    return tmp_path / "cells.maskwright"


def opened(make_window: Make, path: Path, qtbot: Any) -> tuple[Any, WindowPanel]:
    window = make_window()
    window.workspace.open_project(path)
    qtbot.waitUntil(lambda: window.workspace.image is not None, timeout=20_000)
    return window, window.findChild(WindowPanel)


def test_a_dark_picture_opens_bright_and_is_as_stored_after_one_click(
    make_window: Make, nuclei: Path, qtbot: Any
) -> None:
    window, panel = opened(make_window, nuclei, qtbot)
    workspace = window.workspace
    low, high = workspace.window
    assert high < 64
    assert workspace.contrast_is_automatic
    assert panel.isVisible()
    assert (panel.mark.text(), panel.switch.text()) == ("Automatic contrast", "Show as stored")
    stored = workspace.image.read().max()
    QTest.mouseClick(panel.switch, LEFT)
    assert workspace.window == (0, 255)
    assert (panel.mark.text(), panel.switch.text()) == ("Shown as stored", "Automatic")
    QTest.mouseClick(panel.switch, LEFT)
    qtbot.waitUntil(lambda: workspace.window == (low, high), timeout=20_000)
    assert panel.mark.text() == "Automatic contrast"
    workspace.set_window(0, 100)
    assert panel.mark.text() == "Own contrast"
    assert workspace.image.read().max() == stored


def test_a_picture_that_is_bright_enough_has_no_window_panel(
    make_window: Make, nuclei: Path, qtbot: Any
) -> None:
    window, panel = opened(make_window, nuclei, qtbot)
    workspace = window.workspace
    workspace.open_item(workspace.queue.order[1])
    qtbot.waitUntil(lambda: workspace.item.name == "plain", timeout=20_000)
    assert workspace.window == (0, 255)
    assert not workspace.contrast_is_automatic
    assert not panel.isVisible()


def test_it_can_be_switched_off_for_good(
    make_window: Make, nuclei: Path, qtbot: Any, settings: Any
) -> None:
    settings.set("look.automatic_contrast", False)
    window, panel = opened(make_window, nuclei, qtbot)
    assert window.workspace.window == (0, 255)
    assert not panel.isVisible()
