"""Colours: the table of contrasts computed again, and no hex value anywhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from app.theme.icons import FOLDER, exists, pixmap
from app.theme.roles import ROLES, THEMES, contrast
from app.theme.theme import theme
from segcore.base import CLASS_PRESETS
from segcore.base.palette import CLASS_PALETTE

APP = Path(__file__).resolve().parents[2] / "app"
GROUNDS = ("window", "panel", "raised", "field")
TEXTS = ("text", "muted", "accent", "danger", "warning", "success")
RIMS = ("focus", "border")


def lowest(role: str, name: str, grounds: tuple[str, ...] = GROUNDS) -> float:
    return min(contrast(ROLES[role].value(name), ROLES[g].value(name)) for g in grounds)


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("role", TEXTS)
def test_text_is_readable_on_every_ground(role: str, name: str) -> None:
    assert lowest(role, name) >= 4.5


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("role", RIMS)
def test_rims_and_the_focus_ring_are_seen_on_every_ground(role: str, name: str) -> None:
    assert lowest(role, name) >= 3


@pytest.mark.parametrize("name", THEMES)
def test_text_is_readable_on_accent_selection_and_canvas(name: str) -> None:
    assert lowest("on_accent", name, ("accent",)) >= 4.5
    for role in ("text", "muted"):
        assert lowest(role, name, ("selection",)) >= 4.5
        assert lowest(role, name, ("canvas",)) >= 4.5


def test_contrast_agrees_with_known_pairs() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#FFFFFF", "#3CA4FF") == pytest.approx(2.64, abs=0.01)


def test_greys_are_neutral() -> None:
    for role in ("canvas", *GROUNDS, "text", "muted", "border", "separator"):
        for name in THEMES:
            value = ROLES[role].value(name)
            assert len({value[1:3], value[3:5], value[5:7]}) == 1, f"{role} is tinted"


def test_no_hex_colour_stands_outside_the_table_of_roles() -> None:
    found = []
    for file in APP.rglob("*.py"):
        if file.name == "roles.py":
            continue
        for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"#[0-9A-Fa-f]{6}\b|#[0-9A-Fa-f]{3}\b(?![0-9A-Za-z])|rgba?\(\s*\d", text):
                found.append(f"{file.relative_to(APP)}:{number}: {text.strip()}")
    assert found == []


def test_a_swatch_rim_is_seen_beside_every_class_colour_or_its_ground() -> None:
    # A white swatch on the light panel is told by its rim.
    for colour in (*CLASS_PALETTE, *(c.colour for c in CLASS_PRESETS["camvid"] if c.colour)):
        for name in THEMES:
            panel, rim = ROLES["panel"].value(name), ROLES["border"].value(name)
            assert max(contrast(colour, panel), contrast(rim, panel)) >= 3


def test_an_icon_has_the_colour_of_its_role_in_either_theme(qapp: Any) -> None:
    theme().apply("dark")
    try:
        for name in THEMES:
            theme().apply(name)
            image = pixmap("square", "accent", 32).toImage()
            wanted = QColor(ROLES["accent"].value(name))
            strongest = max(
                (image.pixelColor(x, y) for x in range(32) for y in range(32)),
                key=QColor.alpha,
            )
            assert strongest.alpha() > 200
            assert abs(strongest.red() - wanted.red()) <= 2
            assert abs(strongest.blue() - wanted.blue()) <= 2
    finally:
        theme().apply("dark")


def test_icons_that_the_code_names_are_there() -> None:
    named = set()
    for file in APP.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        named |= set(re.findall(r'(?:icon|pixmap|icon_button)\(\s*"([a-z0-9-]+)"', text))
        named |= set(re.findall(r'icon = "([a-z0-9-]+)"', text))
    assert len(named) > 20
    assert sorted(n for n in named if not exists(n)) == []


def test_the_licence_of_the_icons_comes_along() -> None:
    assert "ISC" in (FOLDER / "LICENSE").read_text(encoding="utf-8")


def test_no_drawing_is_carried_along_unused() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in APP.rglob("*.py"))
    named = set(re.findall(r'"([a-z0-9-]+)"', code))
    assert sorted(f.stem for f in FOLDER.glob("*.svg") if f.stem not in named) == []


def test_the_same_look_again_dresses_nothing_again(qtbot: Any) -> None:
    theme().apply("dark")
    seen: list[QEvent.Type] = []

    class Part(QWidget):
        def changeEvent(self, event: QEvent) -> None:
            seen.append(event.type())

    part = Part()
    qtbot.addWidget(part)
    with qtbot.waitExposed(part):
        part.show()
    seen.clear()
    theme().lay_sheet()
    assert QEvent.Type.StyleChange not in seen
    theme().apply("light")
    assert QEvent.Type.StyleChange in seen
    theme().apply("dark")
