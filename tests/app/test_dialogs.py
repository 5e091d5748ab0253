"""Dialogs: what is filled in is what is done, and what is wrong stands under the fields."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from app.dialogs.about import AboutDialog
from app.dialogs.accept_fill import AcceptFillDialog
from app.dialogs.classes import ClassesDialog
from app.dialogs.export import ExportDialog
from app.dialogs.keys import KeysDialog
from app.dialogs.new_project import NewProjectDialog
from app.dialogs.palette import Palette
from app.dialogs.preferences import PreferencesDialog
from app.dialogs.table import DIALOGS
from app.settings import SETTINGS
from segcore.base import MaskwrightError
from segcore.edits import SetState

Make = Callable[..., Any]
LEFT = Qt.MouseButton.LeftButton


def test_preferences_have_a_row_for_every_setting_and_count_at_once(make_window: Make) -> None:
    window = make_window()
    dialog = PreferencesDialog(window)
    assert set(dialog.editors) == {s.key for s in SETTINGS if not s.is_memory}
    box: Any = dialog.editors["look.theme"]
    box.setCurrentIndex(box.findData("light"))
    box.activated.emit(box.currentIndex())
    assert window.workspace.settings.get("look.theme") == "light"
    field: Any = dialog.editors["overlay.fill"]
    field.setValue(50)
    assert window.workspace.settings.get("overlay.fill") == 0.5


def test_the_palette_finds_by_words_and_enter_runs(make_window: Make, project_path: Path) -> None:
    window = make_window(project_path)
    palette = Palette(window)
    QTest.keyClicks(palette.field, "show truth")
    assert palette.model.ids[0] == "view.truth"
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert window.workspace.view_mode == "truth"


def test_the_palette_does_not_run_what_cannot_run(make_window: Make) -> None:
    window = make_window()
    palette = Palette(window)
    palette.open()
    QTest.keyClicks(palette.field, "show truth")
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert window.workspace.view_mode == "label"
    assert palette.isVisible()
    palette.close()


def test_a_key_of_another_action_is_named_and_not_taken(make_window: Make) -> None:
    window = make_window()
    dialog = KeysDialog(window)
    edit = dialog.editors["queue.next"]
    edit.setKeySequence(QKeySequence("A"))
    edit.editingFinished.emit()
    assert "Previous item" in dialog.error.text()
    assert window.actions_set.keys_text("queue.next") == "D"
    edit.setKeySequence(QKeySequence("F"))
    edit.editingFinished.emit()
    assert window.actions_set.keys_text("queue.next") == "F"
    dialog._restore()
    assert window.actions_set.keys_text("queue.next") == "D"


def test_about_says_what_it_is_not(make_window: Make) -> None:
    dialog = AboutDialog(make_window())
    from PySide6.QtWidgets import QLabel

    said = " ".join(found.text() for found in dialog.findChildren(QLabel))
    assert "For research use, not a medical device." in said
    assert "Lucide" in dialog.licences.toPlainText()


def test_export_offers_the_formats_that_are_written(make_window: Make, project_path: Path) -> None:
    from segcore.formats import formats

    dialog = ExportDialog(make_window(project_path))
    shown = [dialog.format.itemData(i) for i in range(dialog.format.count())]
    assert shown == [f.key for f in formats() if f.writes is not None]
    assert not dialog.main_button.isEnabled()  # nothing is corrected or accepted yet
    assert dialog.main_button.toolTip()


def test_export_says_what_the_format_cannot_hold_before_it_is_written(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    from segcore.projects.exporting import say_before

    window = make_window(project_path)
    project = window.workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    dialog = ExportDialog(window)
    dialog.open()
    for key in ("png", "coco"):
        dialog.format.setCurrentIndex(dialog.format.findData(key))
        told = [s for s in say_before(project, key) if "left out" not in s]
        qtbot.waitUntil(lambda told=told: dialog.lost.text().splitlines() == told)
        assert any("not copied" in sentence for sentence in told)
    assert dialog.note.text() == "1 item is written, 2 left out."
    QTest.mouseClick(dialog.copy, LEFT, pos=QPoint(8, dialog.copy.height() // 2))
    assert dialog.copy.isChecked()
    qtbot.waitUntil(lambda: "not copied" not in dialog.lost.text())
    dialog.close()


def test_volumes_are_exported_as_nifti_unless_told(
    make_window: Make, tmp_path: Path, shared_data: Path
) -> None:
    from segcore.projects.new import NewProject, create_project
    from segcore.projects.splits import HoldOut

    volume = next((shared_data / "hippocampus").rglob("*.nii.gz"))
    (tmp_path / "images").mkdir()
    shutil.copy(volume, tmp_path / "images")
    plan = NewProject(
        path=tmp_path / "v.maskwright", images=tmp_path / "images", hold_out=HoldOut(0.0)
    )
    window = make_window()
    window.workspace.open_project(create_project(plan).path)
    assert ExportDialog(window).format.currentData() == "nifti"


def test_export_writes_the_chosen_states(
    make_window: Make, project_path: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path)
    project = window.workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    dialog = ExportDialog(window)
    dialog.open()
    dialog.folder.set_path(tmp_path / "out")
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil((tmp_path / "out" / "manifest.json").is_file, timeout=30_000)
    qtbot.waitUntil(lambda: "Exported 1 item" in window.overlays.toast.text.text())
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["items"]) == 1


def test_export_into_a_folder_with_other_things_says_so_under_the_fields(
    make_window: Make, project_path: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path)
    project = window.workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine", encoding="utf-8")
    dialog = ExportDialog(window)
    dialog.open()
    dialog.folder.set_path(tmp_path / "full")
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: not dialog.error.isHidden(), timeout=30_000)
    assert "full" in dialog.error.text()
    assert (tmp_path / "full" / "letter.txt").read_text(encoding="utf-8") == "mine"
    dialog.close()


def test_a_project_is_made_from_a_folder_and_opened(
    make_window: Make, camvid_project: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window()
    dialog = NewProjectDialog(window, images=camvid_project.parent / "images")
    dialog.open()
    assert dialog.name.text() == camvid_project.parent.name
    dialog.name.setText("made here")
    dialog.place.set_path(tmp_path)
    dialog.truth.set_path(camvid_project.parent / "truth")
    dialog.classes.setCurrentIndex(dialog.classes.findData("camvid"))
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: window.workspace.item is not None, timeout=30_000)
    assert window.workspace.project.name == "made here"
    assert len(window.workspace.project.items) == 3


def test_a_tilted_series_is_refused_with_its_remedy_and_opened_as_a_stack(
    make_window: Make, shared_data: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window()
    dialog = NewProjectDialog(window, images=shared_data / "ct_dicom_odd" / "series_gap_tilt")
    dialog.open()
    dialog.name.setText("head")
    dialog.place.set_path(tmp_path)
    dialog.hold_out.setText("none")
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: "no even volume" in dialog.error.text(), timeout=30_000)
    assert 'Tick "Open them slice by slice"' in dialog.error.text()
    QTest.keyClick(dialog.as_stack, Qt.Key.Key_Space)
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: window.workspace.image is not None, timeout=30_000)
    assert window.workspace.item.as_stack
    assert window.workspace.image.shape.z == 5
    assert window.workspace.image.spacing is None


def test_a_form_that_is_not_filled_says_what_is_missing(make_window: Make) -> None:
    dialog = NewProjectDialog(make_window())
    with pytest.raises(MaskwrightError, match="folder of images"):
        dialog.plan()
    dialog.open()
    QTest.mouseClick(dialog.main_button, LEFT)
    notes = (dialog._images_note, dialog._name_note)
    assert [note.text() for note in notes] == [
        "Choose a folder of images.",
        "Give the project a name.",
    ]
    assert all(note.property("tone") == "danger" for note in notes)
    below = dialog.images.mapTo(dialog, QPoint()).y() + dialog.images.height()
    assert 0 <= notes[0].mapTo(dialog, QPoint()).y() - below <= 12
    QTest.keyClicks(dialog.images.edit, "/pictures/of cats")
    assert [note.property("tone") for note in notes] == ["muted", "muted"]
    assert notes[0].text().startswith("Pictures")
    dialog.close()


def test_groups_are_asked_for_and_held_out_whole(
    make_window: Make, camvid_project: Path, tmp_path: Path, qtbot: Any
) -> None:
    window = make_window()
    dialog = NewProjectDialog(window, images=camvid_project.parent / "images")
    dialog.open()
    dialog.name.setText("grouped")
    dialog.place.set_path(tmp_path)
    QTest.keyClicks(dialog.group_by, "(")
    QTest.mouseClick(dialog.main_button, LEFT)
    assert "not a regular expression" in dialog._group_note.text()
    dialog.group_by.clear()
    QTest.keyClicks(dialog.group_by, "^[^_]+")
    assert dialog._group_note.property("tone") == "muted"
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: window.workspace.item is not None, timeout=30_000)
    assert {item.group for item in window.workspace.project.items} == {"0016E5"}


def test_classes_are_changed_together_or_not_at_all(make_window: Make, project_path: Path) -> None:
    window = make_window(project_path)
    dialog = ClassesDialog(window)
    dialog.open()
    dialog.names[1].setText("Heaven")
    dialog.names[2].setText("road")  # as class 4 is named already
    dialog.run()
    assert not dialog.error.isHidden()
    assert window.workspace.classes[1].name == "Sky"
    dialog.names[2].setText("House")
    dialog.run()
    assert [window.workspace.classes[i].name for i in (1, 2)] == ["Heaven", "House"]


def test_what_fills_unlabelled_pixels_is_remembered_for_the_project(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path)
    dialog = AcceptFillDialog(window)
    dialog.choice.setCurrentIndex(dialog.choice.findData(4))
    dialog.run()
    kept = window.workspace.settings.get("memory.accept_fill")
    assert kept == {str(project_path): 4}


def test_every_dialog_that_an_action_names_is_in_the_table() -> None:
    import re

    table = Path(__file__).resolve().parents[2] / "app" / "actions" / "table.py"
    named = set(re.findall(r'show_dialog\("(\w+)"\)', table.read_text(encoding="utf-8")))
    assert named <= set(DIALOGS)


def test_the_demo_that_is_there_is_opened(
    make_window: Make, project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.dialogs.demo import open_demo
    from segcore.projects import places as places_module

    demo = project_path.with_name("demo.maskwright")
    project_path.rename(demo)
    window = make_window()

    class Here:
        demo = project_path.parent

    monkeypatch.setattr(places_module, "places", Here)
    open_demo(window)
    assert window.workspace.project.path == demo
