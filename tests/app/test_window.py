"""The window as a whole: room for the picture, tabs, text that fits, themes, banners."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_dialogs import choose
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from app.dialogs.welcome import Mark
from app.theme.buttons import KeyButton
from app.theme.controls import ElidedLabel
from app.theme.roles import ROLES
from app.window.main_window import apply_theme
from app.workspace import Message, Pending, Remedy

Make = Callable[..., Any]
# A screen of 1366 x 768 less a title of 32 and a task bar of 40.
SMALL = (1366, 696)


def test_the_canvas_holds_three_fifths_of_a_small_screen(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path, SMALL)
    canvas = window.canvas.size()
    assert canvas.width() * canvas.height() >= 0.6 * 1366 * 768
    assert canvas.width() >= 1040


def test_the_queue_is_a_tab_below_1600_and_a_column_above(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path, SMALL)
    tabs = window.right._tabs
    assert [tabs.tabText(i) for i in range(tabs.count())] == ["Correct", "Queue", "History"]
    window.right.choose_tab("Queue")
    assert window.queue.isVisible()
    window.resize(1600, 900)
    assert not tabs.isVisible()
    assert window.queue.isVisible()
    assert window.queue.width() == 200
    assert window.right.history.isVisible()
    window.resize(*SMALL)
    assert tabs.isVisible()


def test_accept_fine_tune_and_the_class_are_there_at_every_width(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path)
    bar = window.tool_bar
    for width in (1920, 1366, 1100):
        window.resize(width, 800)
        for control in (bar.accept, bar.fine_tune, bar.class_box):
            assert control.isVisible()
            assert bar.rect().contains(control.geometry()), f"cut at {width}"


def test_f9_hides_both_sides_and_f11_all_but_canvas_and_status(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path)
    window.toggle_sides()
    assert not window.right.isVisible()
    assert not window.queue.isVisible()
    window.toggle_sides()
    assert window.right.isVisible()
    assert window.queue.isVisible()
    window.toggle_canvas_only()
    assert not window.tool_bar.isVisible()
    assert not window.top.isVisible()
    assert window.status.isVisible()
    assert window.canvas.isVisible()
    window.toggle_canvas_only()
    assert window.tool_bar.isVisible()


def clipped(root: QWidget) -> list[str]:
    """Visible labels and buttons that are narrower or lower than their text."""
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget, ElidedLabel):
            continue
        text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
        if not text or "<" in text or (isinstance(widget, QLabel) and widget.wordWrap()):
            continue
        if isinstance(widget, QAbstractButton) and getattr(widget, "_compact", False):
            continue
        need = widget.fontMetrics().boundingRect(text)
        if widget.width() + 1 < need.width() or widget.height() + 1 < need.height():
            found.append(f"{type(widget).__name__} {text!r}: {widget.size()} for {need.size()}")
    return found


@pytest.mark.parametrize("size", [(1920, 1080), SMALL], ids=["large", "small"])
def test_no_label_is_clipped_with_text_a_third_larger(
    make_window: Make, project_path: Path, size: tuple[int, int], qtbot: Any
) -> None:
    window = make_window(project_path, size)
    window.workspace.settings.set("look.text_size", 1.3)
    window.show_training(True)
    window.right.choose_tab("Correct")
    for _ in range(3):  # a change of font lays out in several rounds
        QApplication.processEvents()
    assert clipped(window) == []
    if size != SMALL:  # rows of the queue are painted, so no label of theirs can be asked
        assert window.queue.width() == 260
    window.workspace.settings.set("look.text_size", 1.0)
    assert clipped(window) == []


def test_the_training_tab_comes_to_the_front_before_it_goes(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path, SMALL)
    window.actions_set.run("model.training")
    assert window.right.front == "Training"
    window.right.choose_tab("Correct")
    window.actions_set.run("model.training")
    assert window.right.front == "Training"
    window.actions_set.run("model.training")
    assert window.right.front == "Correct"
    assert not window._sheet_shown


def test_the_theme_changes_at_once(make_window: Make, project_path: Path) -> None:
    window = make_window(project_path)
    for name in ("light", "dark"):
        window.set_theme(name)
        shown = window.tool_bar.grab().toImage().pixelColor(2, 2).name().upper()
        assert shown == ROLES["window"].value(name)


def test_a_banner_stays_until_its_condition_is_over(make_window: Make, qtbot: Any) -> None:
    window = make_window()
    workspace, banner = window.workspace, window.overlays.banner
    pressed: list[bool] = []
    remedy = Remedy("Save elsewhere", lambda: pressed.append(True))
    workspace.post(Message("Disk full.", kind="banner", key="store", tone="danger", remedy=remedy))
    assert not banner.isHidden()
    assert banner.text.text() == "Disk full."
    QTest.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    assert pressed == [True]
    workspace.withdraw("store")
    assert banner.isHidden()


def test_a_toast_gives_way_to_the_next_and_its_button_acts_once(make_window: Make) -> None:
    window = make_window()
    toast = window.overlays.toast
    done: list[str] = []
    window.workspace.tell("Accepted one", ("Undo", lambda: done.append("one")))
    window.workspace.tell("Accepted two", ("Undo", lambda: done.append("two")))
    assert toast.text.text() == "Accepted two"
    QTest.mouseClick(toast.action, Qt.MouseButton.LeftButton)
    assert done == ["two"]
    assert toast.isHidden()


def test_only_one_button_of_the_window_is_primary(make_window: Make, project_path: Path) -> None:
    window = make_window(project_path)
    workspace = window.workspace
    assert window.tool_bar.fine_tune.main.property("tone") == "primary"
    workspace.set_pending(Pending("GrabCut", "sprout", "9 px", "", lambda: None, lambda: None))
    assert window.tool_bar.fine_tune.main.property("tone") == ""
    workspace.take_pending()
    assert window.tool_bar.fine_tune.main.property("tone") == "primary"


def test_a_project_that_is_open_for_reading_has_no_primary_button(
    make_window: Make, project_path: Path
) -> None:
    writing = make_window(project_path)
    assert not writing.workspace.read_only
    reading = make_window(project_path)
    assert reading.workspace.read_only
    fine_tune = reading.tool_bar.fine_tune
    assert not fine_tune.main.isEnabled()
    assert fine_tune.main.property("tone") == ""
    assert fine_tune.arrow.property("tone") == ""


def test_the_status_bar_says_what_is_under_the_cursor_and_who_set_it(
    make_window: Make, project_path: Path
) -> None:
    from app.workspace import Cursor

    window = make_window(project_path)
    workspace, status = window.workspace, window.status
    mine = workspace.person_origin()
    workspace.report_cursor(Cursor(0, 281, 112, (48.0, 46.0, 51.0), 11, mine))
    assert status.place.text() == "x 112  y 281"
    assert status.value.text() == "48  46  51"
    assert status.named.text() == "Bicyclist"
    assert status.origin.text() == "Painted by you"
    workspace.report_cursor(Cursor(0, 0, 0, None, 0))
    assert status.named.text() == "Not in a class"
    workspace.report_cursor(None)
    assert status.hint.text() == workspace.item.name


def test_keys_of_the_window_do_not_fire_while_a_name_is_typed(
    make_window: Make, project_path: Path
) -> None:
    window = make_window(project_path)
    workspace = window.workspace
    before = workspace.requested
    window.right.classes.rows.rename(9)
    editor = window.right.classes.rows._editor
    editor.selectAll()
    QTest.keyClicks(editor, "Daddy 1")
    assert workspace.requested == before
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert workspace.project.classes[9].name == "Daddy 1"


def test_letters_and_digits_choose_tools_and_classes(make_window: Make, project_path: Path) -> None:
    window = make_window(project_path)
    window.activateWindow()
    canvas, workspace = window.canvas, window.workspace
    QTest.keyClick(canvas, Qt.Key.Key_E)
    assert workspace.tool_id == "eraser"
    QTest.keyClick(canvas, Qt.Key.Key_B)
    assert workspace.tool_id == "brush"
    QTest.keyClick(canvas, Qt.Key.Key_4)
    assert workspace.active_class == 4
    QTest.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.ShiftModifier)
    assert workspace.active_class == 11


def test_closing_the_project_shows_the_welcome_page_with_it_as_recent(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path)
    window.workspace.close_project()
    page = window.pages.currentWidget()
    assert page is window._welcome
    qtbot.waitUntil(lambda: page._cards and page._cards[0].recent.total == 3, timeout=20_000)
    assert page._cards[0].recent.classes == 11
    QTest.mouseClick(page._cards[0], Qt.MouseButton.LeftButton)
    assert window.workspace.project is not None


def test_the_welcome_page_follows_the_theme_and_the_size_of_text(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path, SMALL)
    window.workspace.close_project()
    page = window._welcome

    def starts() -> list[KeyButton]:
        for _ in range(3):
            QApplication.processEvents()
        return [b for b in page.findChildren(KeyButton) if b.isVisible()]

    before = {b.text(): b.width() for b in starts()}
    height = page._cards[0].height()
    mark = page.findChild(Mark).pixmap().toImage()
    window.workspace.settings.set("look.text_size", 1.3)
    assert [b.text() for b in starts() if b.width() < b.sizeHint().width()] == []
    assert clipped(window) == []
    assert page._cards[0].height() > height
    window.workspace.settings.set("look.text_size", 1.0)
    assert {b.text(): b.width() for b in starts()} == before
    assert before["Import images and masks"] == 256
    window.set_theme("light")
    assert page.findChild(Mark).pixmap().toImage() != mark


def test_closing_the_window_turns_to_no_welcome_page(make_window: Make, project_path: Path) -> None:
    window = make_window(project_path)
    page = window.pages.currentWidget()
    assert window.close()
    assert window.workspace.project is None
    assert window.pages.currentWidget() is page


def test_a_font_that_is_not_installed_does_no_harm(make_window: Make) -> None:
    window = make_window()
    window.workspace.settings.set("look.font", "No such font")
    apply_theme(window.workspace.settings)
    assert window.isVisible()


def test_a_missing_picture_is_found_again_by_its_content(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    from app.workspace import Workspace
    from segcore.store import Project

    with Project.open(project_path) as project:
        names = [Path(s.path).name for item in project.items for s in item.sources]
    moved = project_path.parent / "moved"
    (project_path.parent / "images").rename(moved)
    window = make_window()
    workspace: Workspace = window.workspace
    with qtbot.waitSignal(workspace.image_failed, timeout=20_000):
        workspace.open_project(project_path)
    banner = window.overlays.banner
    assert names[0] in banner.text.text()
    QTest.mouseClick(banner.action, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(workspace.image_loaded, timeout=20_000):
        choose(window, moved)
    assert banner.isHidden()


def test_save_elsewhere_copies_the_project(
    make_window: Make,
    project_path: Path,
    tmp_path: Path,
    qtbot: Any,
) -> None:
    from segcore.store import Project

    window = make_window(project_path)
    (tmp_path / "other disk").mkdir()
    window.workspace.save_asked.emit()
    choose(window, tmp_path / "other disk")
    toast = window.overlays.toast
    qtbot.waitUntil(lambda: toast.text.text().startswith("Saved in"), timeout=20_000)
    with Project.open(tmp_path / "other disk" / project_path.name, write=False) as copy:
        assert len(copy.items) == 3


def test_the_more_button_says_what_is_on_behind_it(
    make_window: Make, project_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path, (1100, 696))
    more, workspace = window.tool_bar.more, window.workspace
    workspace.set_tool("brush")
    assert more.isVisible()
    assert more.on == ()
    before = more.grab().toImage()
    QTest.keyClick(window.canvas, Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: more.on == ("Keep mine",))
    assert "Keep mine" in more.toolTip()
    assert more.grab().toImage() != before
    workspace.set_tool_option("only_over", 4)
    qtbot.waitUntil(lambda: more.on == ("Only over Road", "Keep mine"))
    workspace.set_tool_option("only_over", "any")
    workspace.set_tool_option("keep_mine", False)
    qtbot.waitUntil(lambda: more.on == ())
    workspace.set_tool_option("keep_mine", True)
    window.resize(1900, 900)
    assert more.on == ()  # its own button shows it
