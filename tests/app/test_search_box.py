"""The list that is searched by typing: in little room, and over many rows."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.theme import choices
from app.theme.choices import Index, Rows, SearchBox

LONG = "tu-tf_efficientnet_lite0.in1k"


def test_a_long_value_shows_both_its_ends_and_is_whole_while_one_types(qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    layout, box, other = QVBoxLayout(window), SearchBox(), QLineEdit()
    for part in (other, box):
        layout.addWidget(part)
    box.setMinimumWidth(0)
    box.set_rows([(LONG, ""), ("resnet18", "")], LONG)
    with qtbot.waitExposed(window):
        window.show()
    box.setFixedWidth(150)
    window.activateWindow()
    other.setFocus()
    qtbot.waitUntil(lambda: "…" in box.line.text())
    shown = box.line.text()
    assert shown.startswith("tu-") and shown.endswith("1k")  # noqa: PT018
    assert (box.value, box.toolTip()) == (LONG, LONG)
    QTest.mouseClick(box.line, Qt.MouseButton.LeftButton)
    box.setFocus()
    qtbot.waitUntil(lambda: box.line.text() == LONG)
    with qtbot.assertNotEmitted(box.chosen):
        other.setFocus()
    assert box.value == LONG
    assert "…" in box.line.text()


class _Counted(Rows):
    asked = 0

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        self.asked += 1
        return super().data(index, role)


def test_a_new_look_asks_no_long_list_row_by_row(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "Rows", _Counted)
    window = QWidget()
    qtbot.addWidget(window)
    layout, box = QVBoxLayout(window), SearchBox()
    layout.addWidget(box)
    box.set_rows([(f"encoder {number}", "") for number in range(1200)], "encoder 3")
    with qtbot.waitExposed(window):
        window.show()
    before = box.rows.asked
    window.setStyleSheet("QComboBox { padding: 0 4px; }")
    QTest.qWait(0)
    assert box.rows.asked - before < 100
