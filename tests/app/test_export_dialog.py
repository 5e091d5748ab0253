"""Where the export dialog begins, and what it says of an export that it would replace."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.dialogs.export import ExportDialog
from segcore.edits import SetState

Make = Callable[..., Any]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(make_window: Make, project_path: Path) -> Any:
    """With one item that can be exported."""
    made = make_window(project_path)
    project = made.workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    return made


def choose(dialog: ExportDialog, key: str) -> None:
    dialog.format.setCurrentIndex(dialog.format.findData(key))


def export(dialog: ExportDialog, qtbot: Any) -> Path:
    folder = dialog.folder.path
    assert folder is not None
    with qtbot.waitSignal(dialog.accepted, timeout=60_000):
        QTest.mouseClick(dialog.main_button, LEFT)
    return folder


def test_each_format_has_a_folder_of_its_own(window: Any, project_path: Path, qtbot: Any) -> None:
    folders = []
    for key in ("png", "coco", "coco_panoptic"):
        dialog = ExportDialog(window)
        dialog.open()
        choose(dialog, key)
        folders.append(export(dialog, qtbot))
    assert folders == [
        project_path.parent / f"streets-export-{ending}"
        for ending in ("png", "coco", "coco-panoptic")
    ]
    assert all((folder / "manifest.json").is_file() for folder in folders)


def test_a_folder_that_was_typed_is_kept(window: Any) -> None:
    dialog = ExportDialog(window)
    dialog.open()
    dialog.folder.edit.selectAll()
    QTest.keyClicks(dialog.folder.edit, "/mine")
    choose(dialog, "coco")
    assert dialog.folder.path == Path("/mine")
    dialog.close()


def test_an_export_that_would_be_replaced_is_named_by_its_day(
    window: Any, tmp_path: Path, qtbot: Any
) -> None:
    dialog = ExportDialog(window)
    dialog.open()
    folder = export(dialog, qtbot)
    made = time.mktime((2020, 11, 29, 7, 45, 0, 0, 0, -1))
    os.utime(folder / "manifest.json", (made, made))

    dialog = ExportDialog(window)
    dialog.open()
    said = "Replaces the export of 29 Nov 2020, 07:45."
    qtbot.waitUntil(lambda: dialog.replaces.text() == said, timeout=20_000)
    assert dialog.replaces.property("tone") == "muted"
    dialog.folder.set_path(tmp_path / "new")
    qtbot.waitUntil(dialog.replaces.isHidden, timeout=20_000)
    dialog.folder.set_path(folder)
    qtbot.waitUntil(lambda: dialog.replaces.text() == said, timeout=20_000)
    # What is not replaced because of a letter in it is not said to be.
    shutil.copytree(folder, tmp_path / "full")
    (tmp_path / "full" / "letter.txt").write_text("mine", encoding="utf-8")
    dialog.folder.set_path(tmp_path / "full")
    qtbot.waitUntil(dialog.replaces.isHidden, timeout=20_000)
    dialog.close()


def test_the_format_chosen_last_is_remembered(window: Any, qtbot: Any) -> None:
    dialog = ExportDialog(window)
    assert dialog.format.currentData() == "png"
    choose(dialog, "coco")
    dialog.open()
    export(dialog, qtbot)
    assert ExportDialog(window).format.currentData() == "coco"
    window.workspace.settings.set("memory.export_formats", {"": "nifti", "/other": "nifti"})
    assert ExportDialog(window).format.currentData() == "nifti"


def test_volumes_begin_with_nifti_until_something_else_was_chosen_for_them(
    make_window: Make, tmp_path: Path, shared_data: Path
) -> None:
    from segcore.projects.new import NewProject, create_project
    from segcore.projects.splits import HoldOut

    (tmp_path / "images").mkdir()
    shutil.copy(next((shared_data / "hippocampus").rglob("*.nii.gz")), tmp_path / "images")
    path = tmp_path / "v.maskwright"
    create_project(NewProject(path=path, images=tmp_path / "images", hold_out=HoldOut(0.0)))
    window = make_window()
    window.workspace.open_project(path)
    settings = window.workspace.settings
    settings.set("memory.export_formats", {"": "coco"})
    dialog = ExportDialog(window)
    assert dialog.format.currentData() == "nifti"
    dialog._keep_format("nifti")
    assert settings.get("memory.export_formats") == {"": "coco"}
    dialog._keep_format("png")
    assert ExportDialog(window).format.currentData() == "png"
