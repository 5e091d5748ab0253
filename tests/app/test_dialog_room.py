"""Dialogs have room for what is said in them: they grow, and scroll where the screen ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from app.dialogs.accept_fill import AcceptFillDialog
from app.dialogs.export import ExportDialog
from app.dialogs.new_project import NewProjectDialog
from app.dialogs.sheet import Sheet

Make = Callable[..., Any]
ROOM = 768 - 32 - 40  # of a screen of 1366 x 768, without a title bar and a taskbar
LONG = "No file in /data/masks has the name of an image in /data/images. " * 3


@pytest.fixture(autouse=True)
def small_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sheet, "room", lambda self: ROOM)


def squeezed(dialog: Sheet) -> list[str]:
    """The controls and sentences that are lower or narrower than what they hold."""
    found = []
    for kind in (QLineEdit, QComboBox, QCheckBox, QPushButton, QLabel):
        for widget in dialog.findChildren(kind):
            if not widget.isVisible():
                continue
            needed = widget.sizeHint().height()
            if isinstance(widget, QLabel) and widget.wordWrap():
                needed = widget.heightForWidth(widget.width())
            elif widget.width() < widget.minimumSizeHint().width():
                found.append(f"{widget!r}: {widget.width()} wide")
            if widget.height() < needed:
                found.append(f"{widget!r}: {widget.height()} of {needed}")
    return found


@pytest.mark.parametrize("text_size", [1.0, 1.3, 1.6])
@pytest.mark.parametrize("kind", [ExportDialog, NewProjectDialog, AcceptFillDialog])
def test_an_error_squeezes_no_field(
    make_window: Make, project_path: Path, qtbot: Any, settings: Any, text_size: float, kind: Any
) -> None:
    settings.set("look.text_size", text_size)
    dialog = kind(make_window(project_path))
    dialog.open()
    qtbot.waitUntil(lambda: not squeezed(dialog))
    before = dialog.height()
    dialog.say(LONG)
    QApplication.processEvents()
    assert squeezed(dialog) == []
    assert before <= dialog.height() <= ROOM
    assert dialog.error.height() >= dialog.error.heightForWidth(dialog.error.width())
    inside = dialog.rect()
    for widget in (dialog.error, dialog.main_button):
        assert inside.contains(widget.mapTo(dialog, QPoint()))
        assert inside.contains(widget.mapTo(dialog, widget.rect().bottomRight()))
    dialog.close()


def in_sight(dialog: Sheet, widget: QWidget) -> bool:
    return widget.visibleRegion().boundingRect() == widget.rect()


def test_what_has_no_room_is_scrolled_to_and_the_wheel_chooses_nothing_on_the_way(
    make_window: Make, project_path: Path, settings: Any
) -> None:
    settings.set("look.text_size", 1.6)
    dialog = NewProjectDialog(make_window(project_path))
    dialog.open()
    dialog.images.set_path(Path("/streets"))
    dialog.hold_out.setText("2")
    QApplication.processEvents()
    assert not in_sight(dialog, dialog.hold_out)
    dialog.run()
    QApplication.processEvents()
    assert in_sight(dialog, dialog.hold_out)
    assert in_sight(dialog, dialog._held_note)
    assert "cannot be held out" in dialog._held_note.text()
    down = QWheelEvent(
        QPointF(9, 9), QPointF(9, 9), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(dialog.classes, down)
    assert dialog.classes.currentIndex() == 0
    dialog.close()
