"""Preferences: the table of settings as a page; what is chosen counts at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QFrame, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from app.dialogs.host import DialogHost
from app.dialogs.sheet import Form, Sheet
from app.settings import SETTINGS, Setting, Settings
from app.settings.kinds import Choice, Flag, Range, Text
from app.settings.table import GROUPS
from app.theme.controls import ComboBox, NumberField


class PreferencesDialog(Sheet):
    """One row a setting, in groups."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__(host, "Preferences")
        self.editors: dict[str, QWidget] = {}
        form = Form()
        settings = host.workspace.settings
        group = ""
        for setting in SETTINGS:
            if setting.is_memory:
                continue
            if setting.group != group:
                group = setting.group
                form.add_heading(GROUPS[group])
            editor = make_editor(setting, settings)
            self.editors[setting.key] = editor
            form.add(setting.title, editor, setting.description)
        page = QWidget()
        page.setProperty("ground", "panel")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 16, 0)
        layout.addWidget(form)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        self.body.addWidget(scroll)
        self.resize(560, 640)


def make_editor(setting: Setting, settings: Settings) -> QWidget:
    """The control for a setting, by its kind."""
    kind, value = setting.kind, settings.get(setting.key)
    if isinstance(kind, Flag):
        return _flag(setting, settings, value)
    if isinstance(kind, Choice):
        return _choice(setting, settings, kind, value)
    if isinstance(kind, Range):
        return _range(setting, settings, kind, value)
    if isinstance(kind, Text):
        return _text(setting, settings, value)
    raise TypeError(f"{setting.key} has no editor")


def _flag(setting: Setting, settings: Settings, value: bool) -> QWidget:
    box = QCheckBox()
    box.setChecked(value)
    box.toggled.connect(lambda on: settings.set(setting.key, on))
    return box


def _choice(setting: Setting, settings: Settings, kind: Choice, value: str) -> QWidget:
    box = ComboBox()
    for key, word in kind.words.items():
        box.addItem(word, key)
    box.setCurrentIndex(box.findData(value))
    box.activated.connect(lambda _: settings.set(setting.key, box.currentData()))
    return box


def _range(setting: Setting, settings: Settings, kind: Range, value: float) -> QWidget:
    low, high = round(kind.low * kind.scale), round(kind.high * kind.scale)
    field = NumberField(low, high, kind.unit)
    field.setSingleStep(max(1, round(kind.step * kind.scale)))
    field.setValue(round(value * kind.scale))
    whole = isinstance(setting.default, int)

    def choose(shown: int) -> None:
        chosen: Any = shown if whole else shown / kind.scale
        settings.set(setting.key, chosen)

    field.valueChanged.connect(choose)
    return field


def _text(setting: Setting, settings: Settings, value: str) -> QWidget:
    edit = QLineEdit(value)
    edit.editingFinished.connect(lambda: settings.set(setting.key, edit.text().strip()))
    return edit
