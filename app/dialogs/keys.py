"""Keys: every action with its shortcut, to be read and changed; a conflict is named, not made."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QKeySequenceEdit,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.host import DialogHost
from app.dialogs.sheet import Sheet
from app.theme.controls import button, label
from app.theme.icons import icon

_AREAS = {
    "tool": "Tools",
    "class": "Classes",
    "mask": "Mask",
    "queue": "Queue",
    "view": "View",
    "pending": "Preview",
    "proposal": "Proposal",
    "model": "Model",
    "window": "Window",
    "project": "Project",
    "app": "Maskwright",
    "help": "Help",
}


class KeysDialog(Sheet):
    """The table of actions by area."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__(host, "Keys")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find an action")
        self.search.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._filter)
        self.editors: dict[str, QKeySequenceEdit] = {}
        self._rows: dict[str, tuple[QWidget, ...]] = {}
        self._headings: dict[str, QWidget] = {}
        page = QWidget()
        page.setProperty("ground", "panel")
        self._grid = QGridLayout(page)
        self._grid.setContentsMargins(0, 0, 16, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setColumnStretch(0, 1)
        self._fill()
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        body = QVBoxLayout()
        body.addWidget(self.search)
        body.addWidget(scroll, 1)
        self.body.addLayout(body)
        self.foot.insertWidget(0, button("Restore all", "rotate-ccw", run=self._restore))
        self.resize(560, 680)

    def _fill(self) -> None:
        actions = self.host.actions_set
        at = 0
        for area, title in _AREAS.items():
            rows = [row for i, row in actions.rows.items() if i.split(".")[0] == area]
            if not rows:
                continue
            heading = label(title, kind="group")
            heading.setContentsMargins(0, 12, 0, 4)
            self._headings[area] = heading
            self._grid.addWidget(heading, at, 0, 1, 2)
            at += 1
            for row in rows:
                name = label(row.plain_title.rstrip("…"))
                name.setToolTip(row.tip)
                edit = QKeySequenceEdit(actions.qt[row.id].shortcut())
                edit.setMaximumSequenceLength(1)
                edit.setClearButtonEnabled(False)
                edit.setFixedWidth(160)
                edit.setAccessibleName(name.text())
                edit.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                edit.editingFinished.connect(lambda row_id=row.id: self._changed(row_id))
                self.editors[row.id] = edit
                self._rows[row.id] = (name, edit)
                self._grid.addWidget(name, at, 0)
                self._grid.addWidget(edit, at, 1)
                at += 1
        self._grid.setRowStretch(at, 1)

    def _filter(self, text: str) -> None:
        wanted = text.casefold()
        seen = set()
        for action_id, widgets in self._rows.items():
            row = self.host.actions_set.rows[action_id]
            keys = self.host.actions_set.keys_text(action_id)
            fits = wanted in f"{row.title} {row.tip} {keys}".casefold()
            for widget in widgets:
                widget.setVisible(fits)
            if fits:
                seen.add(action_id.split(".")[0])
        for area, heading in self._headings.items():
            heading.setVisible(area in seen)

    def _changed(self, action_id: str) -> None:
        actions, edit = self.host.actions_set, self.editors[action_id]
        text = edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        owner = actions.owner_of(text) if text else None
        if owner is not None and owner != action_id:
            title = actions.rows[owner].plain_title
            self.say(f"{edit.keySequence().toString()} is the key of {title}.")
            edit.setKeySequence(actions.qt[action_id].shortcut())
            return
        self.say("")
        actions.set_keys(action_id, [text] if text else [])

    def _restore(self) -> None:
        actions = self.host.actions_set
        for action_id, row in actions.rows.items():
            actions.set_keys(action_id, list(row.keys))
            if action_id in self.editors:
                self.editors[action_id].setKeySequence(actions.qt[action_id].shortcut())
        self.say("")
