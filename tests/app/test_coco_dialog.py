"""A COCO file in the new-project dialog, by keys and mouse."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.dialogs.new_project import NewProjectDialog

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def coco(shared_data: Path) -> Path:
    return shared_data / "coco_panoptic"


def fill(dialog: NewProjectDialog, tmp_path: Path, file: Path) -> None:
    dialog.open()
    for field, text in (
        (dialog.name, "persons"),
        (dialog.place.edit, str(tmp_path)),
        (dialog.coco.edit, str(file)),
    ):
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)


def test_a_coco_file_becomes_the_labels_of_a_new_project(
    make_window: Callable[..., Any], coco: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window()
    images = tmp_path / "images"
    shutil.copytree(coco / "instances/images", images)
    shutil.copy(coco / "input_images/000000142238.jpg", images / "zebra.jpg")
    dialog = NewProjectDialog(window, images=images)
    assert not dialog.coco_as.isEnabled()
    assert dialog.coco_as.toolTip() == "Choose a COCO file first."
    fill(dialog, tmp_path, coco / "instances/instances_4img.json")
    assert dialog.coco_as.isEnabled()
    assert not dialog.classes.isEnabled()
    assert "categories" in dialog.classes.toolTip()
    QTest.mouseClick(dialog.main_button, LEFT)
    space = window.workspace
    qtbot.waitUntil(lambda: space.item is not None, timeout=30_000)
    assert [c.name for c in space.classes] == ["background", "person"]
    labelled = [item for item in space.project.items if item.labels.has_plane("instance")]
    assert len(labelled) == 4
    assert sum(len(item.instances) for item in labelled) == 14
    assert not any(item.truth for item in space.project.items)


def test_it_can_become_the_truth_by_the_arrow_key(
    make_window: Callable[..., Any], coco: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window()
    dialog = NewProjectDialog(window, images=coco / "input_images")
    fill(dialog, tmp_path, coco / "panoptic_examples.json")
    dialog.coco_as.setFocus()
    QTest.keyClick(dialog.coco_as, Qt.Key.Key_Down)
    QTest.mouseClick(dialog.main_button, LEFT)
    space = window.workspace
    qtbot.waitUntil(lambda: space.item is not None, timeout=30_000)
    assert all(item.truth is not None for item in space.project.items)
    assert not space.project.items[0].labels.has_plane("instance")


def test_a_file_that_is_wrong_is_said_in_the_dialog(
    make_window: Callable[..., Any], coco: Path, tmp_path: Path, qtbot: Any
) -> None:
    dialog = NewProjectDialog(make_window(), images=coco / "input_images")
    fill(dialog, tmp_path, coco / "instances/instances_4img.json")
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: "names no image of" in dialog.error.text(), timeout=30_000)
    assert dialog.main_button.isEnabled()
    assert not (tmp_path / "persons.maskwright").exists()


def test_the_form_fits_a_screen_of_1366_by_768(make_window: Callable[..., Any]) -> None:
    dialog = NewProjectDialog(make_window())
    assert dialog.sizeHint().height() <= 768 - 32 - 40  # a title bar and a taskbar
