"""Classes: all their fields in one table; the panel has only the daily ones."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QFrame,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QWidget,
)

from app.dialogs.host import DialogHost
from app.dialogs.sheet import Sheet
from app.theme.controls import button, label, swatch_icon
from segcore.base import CLASS_PRESETS, ClassSet, MaskwrightError, SegClass


class ClassesDialog(Sheet):
    """Name, colour, value in files, object or void; taken together with one button."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__(host, "Classes", "Change classes", "check")
        classes = host.workspace.classes
        self._classes: ClassSet = classes if classes is not None else ClassSet(())
        self.names: dict[int, QLineEdit] = {}
        self._values: dict[int, QLineEdit] = {}
        self._things: dict[int, QCheckBox] = {}
        self._ignored: dict[int, QCheckBox] = {}
        self._swatches: dict[int, QPushButton] = {}
        self._page = QWidget()
        self._page.setProperty("ground", "panel")
        self._grid = QGridLayout(self._page)
        self._grid.setContentsMargins(0, 0, 16, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setColumnStretch(1, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._page)
        self.body.addWidget(scroll, 1)
        self.foot.insertWidget(0, button("Add class", "plus", run=self._add))
        self._fill()
        if not {c.colour for c in self._classes} - {c.colour for c in CLASS_PRESETS["camvid"]}:
            self.body.addWidget(
                label("Colours are told apart by people with any colour vision.",
                      kind="small", tone="muted")
            )  # fmt: skip
        self.resize(560, 520)

    def _fill(self) -> None:
        while (taken := self._grid.takeAt(0)) is not None:
            if taken.widget() is not None:
                taken.widget().deleteLater()  # type: ignore[union-attr]
        for column, title in enumerate(("", "Name", "Value", "Objects", "Void")):
            self._grid.addWidget(label(title, kind="small", tone="muted"), 0, column)
        for row, c in enumerate(self._classes.active, 1):
            self._add_row(row, c)
        self._grid.setRowStretch(len(self._classes.active) + 1, 1)

    def _add_row(self, row: int, c: SegClass) -> None:
        class_id = int(c.id)
        colour = button("", run=lambda: self._recolour(class_id))
        colour.setIcon(swatch_icon(c.colour))
        colour.setFixedWidth(36)
        colour.setToolTip(f"Colour of {c.name}")
        name = QLineEdit(c.name)
        value = QLineEdit("" if c.value is None else str(c.value))
        value.setFixedWidth(72)
        value.setAlignment(Qt.AlignmentFlag.AlignRight)
        thing, ignored = QCheckBox(), QCheckBox()
        thing.setChecked(c.thing)
        ignored.setChecked(c.ignore)
        thing.setToolTip("Single objects are counted")
        ignored.setToolTip("Exported, never trained on or scored")
        for column, widget in enumerate((colour, name, value, thing, ignored)):
            self._grid.addWidget(widget, row, column)
        self._swatches[class_id] = colour
        self.names[class_id], self._values[class_id] = name, value
        self._things[class_id], self._ignored[class_id] = thing, ignored

    def _take_fields(self) -> ClassSet:
        classes = self._classes
        for c in classes.active:
            class_id = int(c.id)
            text = self._values[class_id].text().strip()
            if text and not text.isdigit():
                raise MaskwrightError(f'The value of {c.name} is "{text}".', "Write a number.")
            classes = classes.changed(
                class_id,
                name=self.names[class_id].text().strip(),
                value=int(text) if text else None,
                thing=self._things[class_id].isChecked(),
                ignore=self._ignored[class_id].isChecked(),
            )
        return classes

    def _add(self) -> None:
        try:
            kept = self._take_fields()
            self._classes = kept.added(kept.free_name())
        except MaskwrightError as error:
            self.say(str(error))
            return
        self._fill()

    def _recolour(self, class_id: int) -> None:
        before = QColor(self._classes[class_id].colour or "white")
        chosen = QColorDialog.getColor(before, self, "Colour")
        if chosen.isValid():
            self._classes = self._classes.changed(class_id, colour=chosen.name().upper())
            self._swatches[class_id].setIcon(swatch_icon(self._classes[class_id].colour))

    def run(self) -> None:
        try:
            classes = self._take_fields()
        except MaskwrightError as error:
            self.say(str(error))
            return
        self.host.workspace.set_classes(classes)
        self.accept()
