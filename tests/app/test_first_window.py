"""The window is there before its parts, and its parts before the project."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QTimer

from app.window import start
from app.window.main_window import MainWindow


@pytest.fixture
def shown(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[MainWindow]]:
    """Windows that a test shows are closed; none starts a core."""
    monkeypatch.setenv("MASKWRIGHT_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(MainWindow, "_first_picture", lambda self: None)
    made: list[MainWindow] = []
    yield made
    for window in made:
        window.close()
        window.deleteLater()
    gc.unfreeze()


def test_an_empty_frame_comes_first_then_the_parts_then_the_picture(
    shown: list[MainWindow], project_path: Path, qtbot: Any
) -> None:
    window = start.show_window(project_path)
    shown.append(window)
    assert window.isVisible()
    assert window.centralWidget() is None
    with qtbot.waitSignal(window.furnished, timeout=20_000):
        pass
    qtbot.waitUntil(
        lambda: window.workspace.labels is not None and window.canvas.is_settled, timeout=20_000
    )
    assert window.updatesEnabled()
    assert window.canvas.isVisible()
    assert window.canvas.picture is not None


class Painted(QObject):
    """Notes which parts of a window are painted, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[QObject] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.parts.append(watched)
        return False


def test_the_picture_is_painted_as_soon_as_it_is_ready_and_the_parts_after_it(
    shown: list[MainWindow], project_path: Path, qtbot: Any
) -> None:
    window = start.show_window(project_path)
    shown.append(window)
    painted = Painted()
    when_ready: list[list[QObject]] = []

    def furnished() -> None:
        for part in (window.canvas, window.status):
            part.installEventFilter(painted)
        window.update()  # one that waits while the parts are held must not swallow the next
        window.canvas.settled.connect(ready)

    def ready() -> None:
        if window.canvas.picture is not None and not when_ready:
            QTimer.singleShot(0, lambda: when_ready.append(list(painted.parts)))

    window.furnished.connect(furnished)
    qtbot.waitUntil(lambda: bool(when_ready), timeout=20_000)
    assert when_ready[0] == [window.canvas]
    qtbot.waitUntil(lambda: window.status in painted.parts, timeout=2_000)


def test_a_first_window_is_no_larger_than_its_screen(
    shown: list[MainWindow], project_path: Path, qtbot: Any
) -> None:
    window = start.show_window(project_path)
    shown.append(window)
    with qtbot.waitSignal(window.furnished, timeout=20_000):
        pass
    room = window.screen().availableGeometry()
    assert room.width() < 1680, "the screen of these tests is smaller than a usual window"
    assert window.width() <= room.width()
    assert window.height() <= room.height()
    assert window.isMaximized()


def test_a_window_without_a_project_shows_the_welcome_page(
    shown: list[MainWindow], qtbot: Any
) -> None:
    window = start.show_window()
    shown.append(window)
    with qtbot.waitSignal(window.furnished, timeout=20_000):
        pass
    assert window.pages.currentWidget() is window._welcome
    assert window.updatesEnabled()


def test_a_project_that_does_not_open_leaves_a_window_that_says_so(
    shown: list[MainWindow], tmp_path: Path, qtbot: Any
) -> None:
    broken = tmp_path / "broken.maskwright"
    broken.mkdir()
    window = start.show_window(broken)
    shown.append(window)
    qtbot.waitUntil(lambda: window._is_furnished and window.updatesEnabled(), timeout=20_000)
    assert window.pages.currentWidget() is window._welcome


def test_a_window_that_is_closed_before_its_parts_come_stays_closed(
    shown: list[MainWindow], project_path: Path, qtbot: Any
) -> None:
    window = start.show_window(project_path)
    window.close()
    qtbot.wait(400)  # longer than the parts wait for a first frame
    assert not window._is_furnished
    window.deleteLater()
