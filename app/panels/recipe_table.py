"""Every further setting of a training, made from the recipe's own table."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QWidget

from app.theme.controls import ComboBox, ThemedLabel, label
from segcore.base import MaskwrightError
from segcore.train.recipe import Recipe, SettingRow, describe

# Chosen elsewhere in the sheet.
_ELSEWHERE = ("arch", "encoder", "options", "steps", "replay", "seed")
_TITLES = {
    "lr": "Learning rate",
    "encoder_lr": "Encoder's learning rate",
    "ema": "EMA",
    "rare": "Rare classes",
}
_MADE = {"int": int, "float": float, "str": str}


class RecipeTable(QWidget):
    """A field for each row; what is left empty or as it was is no setting.

    Attributes
    ----------
    why_not : the sentence of the first field that cannot be used, or "".
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.why_not = ""
        self.rows = [row for row in describe() if row.name not in _ELSEWHERE]
        self.fields: dict[str, QWidget] = {}
        self._values: dict[str, Any] = {}
        self._errors: dict[str, ThemedLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        for number, row in enumerate(self.rows):
            field = self.fields[row.name] = self._field(row)
            title = _TITLES.get(row.name, row.name.replace("_", " ").capitalize())
            name = label(title)
            name.setToolTip(f"{row.help}.")
            name.setWordWrap(True)
            name.setBuddy(field)
            field.setToolTip(f"{row.help}.")
            field.setAccessibleName(title)
            field.setAccessibleDescription(row.help)
            field.setFixedWidth(136)
            error = self._errors[row.name] = label(kind="small", tone="danger")
            error.setWordWrap(True)
            error.hide()
            grid.addWidget(name, 2 * number, 0)
            grid.addWidget(field, 2 * number, 1)
            grid.addWidget(error, 2 * number + 1, 0, 1, 2)

    def values(self) -> dict[str, Any]:
        """The settings that differ from the table's defaults."""
        return dict(self._values)

    def _field(self, row: SettingRow) -> QWidget:
        if row.choices:
            box = ComboBox()
            for choice in row.choices:
                box.addItem(choice, choice)
            box.setCurrentText(str(row.default))
            box.currentTextChanged.connect(lambda text: self._take(row, text))
            return box
        if row.type == "bool":
            tick = QCheckBox()
            tick.setChecked(bool(row.default))
            tick.toggled.connect(lambda on: self._take(row, on))
            return tick
        edit = QLineEdit()
        edit.setPlaceholderText("automatic" if row.default is None else f"{row.default}")
        edit.textChanged.connect(lambda text: self._take_text(row, text.strip()))
        return edit

    def _take_text(self, row: SettingRow, text: str) -> None:
        if not text:
            self._take(row, row.default)
            return
        if text.casefold() == "none" and row.optional:
            self._take(row, None)
            return
        try:
            value = _MADE[row.type](text)
        except ValueError:
            self._say(row, f"{text} is no number.")
            return
        self._take(row, value)

    def _take(self, row: SettingRow, value: Any) -> None:
        """Keep a value, if the recipe takes it beside the others."""
        others = {name: kept for name, kept in self._values.items() if name != row.name}
        wanted = others if value == row.default else others | {row.name: value}
        try:
            Recipe(**wanted)
        except MaskwrightError as error:
            self._say(row, f"{error.message} {error.hint}")
            return
        self._values = wanted
        self._say(row, "")

    def _say(self, row: SettingRow, sentence: str) -> None:
        self._errors[row.name].setText(sentence)
        self._errors[row.name].setVisible(bool(sentence))
        wrong = [e.text() for e in self._errors.values() if e.text()]
        self.why_not = wrong[0] if wrong else ""
        self.changed.emit()
