"""The manual in the program: F1 opens it, its links lead on, both themes read well."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest

from app.dialogs.manual import ManualDialog, anchor_of, manual_folder, pages

Make = Callable[..., Any]


def opened(window: Any) -> ManualDialog:
    QTest.keyClick(window, Qt.Key.Key_F1)
    (dialog,) = window.findChildren(ManualDialog)
    return dialog  # type: ignore[no-any-return]


def place_of(dialog: ManualDialog, target: str) -> QPoint:
    """Where a link stands on screen."""
    area = dialog.text.viewport()
    for y in range(0, area.height(), 4):
        for x in range(0, area.width(), 8):
            if dialog.text.anchorAt(QPoint(x, y)) == target:
                return QPoint(x, y)
    raise AssertionError(f"{target} is not on screen")


def test_f1_opens_the_first_page_of_the_manual(make_window: Make) -> None:
    dialog = opened(make_window())
    assert dialog.text.file == "README.md"
    assert "not a medical device" in dialog.text.toPlainText()


def test_a_click_on_a_link_opens_its_page_and_back_returns(make_window: Make) -> None:
    dialog = opened(make_window())
    assert not dialog.back.isEnabled()
    at = place_of(dialog, "export.md")
    QTest.mouseClick(dialog.text.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert dialog.text.toPlainText().startswith("Export\n")
    assert dialog.list.currentItem().text() == "Export"
    QTest.mouseClick(dialog.back, Qt.MouseButton.LeftButton)
    assert dialog.text.file == "README.md"


def test_every_page_is_listed_and_read_by_keys(make_window: Make) -> None:
    dialog = opened(make_window())
    files = {page.name for page in manual_folder().glob("*.md")}
    assert {file for file, _ in pages(manual_folder())} == files
    dialog.list.setFocus()
    seen = [dialog.text.file]
    for _ in range(dialog.list.count() - 1):
        QTest.keyClick(dialog.list, Qt.Key.Key_Down)
        seen.append(dialog.text.file)
        assert "<!--" not in dialog.text.toPlainText()
    assert set(seen) == files


def test_a_link_to_a_heading_scrolls_there(make_window: Make) -> None:
    dialog = opened(make_window())
    dialog.text.read("commands.md", "export")
    assert dialog.text.verticalScrollBar().value() > 0
    top = dialog.text.cursorForPosition(QPoint(8, 12)).block().text()
    assert top == "export"


def test_every_link_between_pages_leads_to_a_page_and_a_heading() -> None:
    folder = manual_folder()
    heads = {
        page.name: {anchor_of(h) for h in re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)}
        for page in folder.glob("*.md")
    }
    for name in heads:
        text = re.sub(r"```.*?```", "", (folder / name).read_text("utf-8"), flags=re.S)
        for target in re.findall(r"\]\((?!http)([^)\s]+)\)", text):
            file, _, anchor = target.partition("#")
            if file.endswith(".png"):
                assert (folder / file).is_file(), f"{name}: {file}"
                continue
            assert (file or name) in heads, f"{name}: {file}"
            assert not anchor or anchor in heads[file or name], f"{name}: #{anchor}"


def test_a_picture_of_a_page_is_shown_and_fits_it(make_window: Make) -> None:
    dialog = opened(make_window())
    dialog.text.read("fine-tuning.md")
    page = (manual_folder() / dialog.text.file).read_text("utf-8")
    (name,) = re.findall(r"!\[[^]]*\]\((\S+)\)", page)
    shown = dialog.text.loadResource(QTextDocument.ResourceType.ImageResource.value, QUrl(name))
    assert not shown.isNull()
    assert shown.deviceIndependentSize().width() <= dialog.text.viewport().width()
    assert dialog.text.horizontalScrollBar().maximum() == 0


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_manual_follows_the_theme_while_it_is_open(make_window: Make, name: str) -> None:
    from app.theme.theme import theme

    window = make_window()
    dialog = opened(window)
    window.workspace.settings.set("look.theme", "light" if name == "dark" else "dark")
    window.workspace.settings.set("look.theme", name)
    cursor = dialog.text.textCursor()
    cursor.setPosition(1)
    assert cursor.charFormat().foreground().color() == theme().colour("text")
    assert cursor.charFormat().font().pointSizeF() == theme().font("page").pointSizeF()
