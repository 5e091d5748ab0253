"""What the new-project dialog says of objects, of held-out items, and of errors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit

from app.dialogs.new_project import NewProjectDialog

Make = Callable[..., Any]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def nuclei(shared_data: Path, tmp_path: Path) -> Path:
    """Seven pictures and masks that number the nuclei in them."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
        for file in sorted((shared_data / "nuclei" / part).iterdir())[:7]:
            shutil.copy(file, tmp_path / part)
    return tmp_path


@pytest.fixture
def dialog(make_window: Make, nuclei: Path) -> NewProjectDialog:
    made = NewProjectDialog(make_window(), images=nuclei / "images")
    made.open()
    made.name.setText("cells")
    made.place.set_path(nuclei)
    return made


def test_an_error_goes_with_any_change(dialog: NewProjectDialog) -> None:
    changes: list[Callable[[], object]] = [
        *(lambda edit=edit: edit.insert("x") for edit in dialog.findChildren(QLineEdit)),
        *(lambda box=box: box.toggle() for box in dialog.findChildren(QCheckBox)),
    ]
    for box in dialog.findChildren(QComboBox):
        changes.append(lambda box=box: box.setCurrentIndex(1))
    assert len(changes) == 13
    for change in changes:
        dialog.say("The folder is empty.")
        change()
        assert dialog.error.isHidden()
    dialog.say("Looking at images, 3 of 7", "muted")
    dialog.name.setText("other")
    assert not dialog.error.isHidden()
    dialog.close()


def test_too_few_held_out_items_are_said_under_the_field(
    dialog: NewProjectDialog, qtbot: Any
) -> None:
    note = dialog._held_note
    said = "1 of 7 images is held out; new models are scored from 5 on."
    qtbot.waitUntil(lambda: note.text() == said, timeout=20_000)
    assert note.property("tone") == "warning"
    for enough in ("0.8", "none"):
        dialog.hold_out.setText(enough)
        qtbot.waitUntil(lambda: note.text().startswith("Never trained on"), timeout=20_000)
        assert note.property("tone") == "muted"
        dialog.hold_out.setText("0.3")
        qtbot.waitUntil(lambda: note.text().startswith("2 of 7 images are"), timeout=20_000)
    dialog.group_by.setText("^0")  # one group, and too short to hold out its end
    qtbot.waitUntil(lambda: note.text().startswith("0 of 7"), timeout=20_000)
    dialog.close()


def test_a_rule_that_fits_no_name_is_said_under_its_field(
    dialog: NewProjectDialog, qtbot: Any
) -> None:
    for field, note, text, said in (
        (dialog.hold_out, dialog._held_note, "zebra*", 'No item is named like "zebra*".'),
        (dialog.group_by, dialog._group_note, "zebra", '"zebra" does not match 7 of 7 names'),
    ):
        before = field.text()
        field.setText(text)
        QTest.mouseClick(dialog.main_button, LEFT)
        qtbot.waitUntil(lambda note=note, said=said: said in note.text(), timeout=30_000)
        assert "--" not in note.text()
        assert note.property("tone") == "danger"
        assert dialog.error.isHidden()
        assert dialog.focusWidget() is field
        assert dialog.main_button.isEnabled()
        field.setText(before)
        assert said not in note.text()
    dialog.close()


def test_numbers_of_objects_that_became_classes_are_said_with_the_field(
    make_window: Make, dialog: NewProjectDialog, nuclei: Path, qtbot: Any
) -> None:
    dialog.truth.set_path(nuclei / "labels")
    posted: list[Any] = []
    dialog.host.workspace.message_posted.connect(posted.append)
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: any("Made cells" in m.text for m in posted), timeout=60_000)
    hint = next(m.hint for m in posted if "Made cells" in m.text)
    assert "classes were found in the masks" in hint
    assert 'name their class in the field "Objects of class".' in hint


def test_more_numbers_than_classes_can_be_lead_to_the_field(
    dialog: NewProjectDialog, nuclei: Path, qtbot: Any
) -> None:
    file = next((nuclei / "labels").iterdir())
    many = np.arange(2000, dtype=np.uint16).reshape(40, 50)
    cv2.imwrite(str(file), many)
    dialog.truth.set_path(nuclei / "labels")
    QTest.mouseClick(dialog.main_button, LEFT)
    qtbot.waitUntil(lambda: "over 1,000" in dialog.error.text(), timeout=30_000)
    assert 'in the field "Objects of class".' in dialog.error.text()
    assert "--" not in dialog.error.text()
    assert dialog.focusWidget() is dialog.instances
    dialog.close()
