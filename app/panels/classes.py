"""The classes: their rows, so that a stroke's effect is read where the class is, a switch of what
they say, and a button to add one."""

from __future__ import annotations

from app.panels.class_rows import ClassRows, short
from app.theme.controls import icon_button
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Workspace


class ClassesPanel(Section):
    """The list of classes with a switch between IoU and Dice and a button to add one."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("classes", "Classes")
        self._workspace = workspace
        self.rows = ClassRows(workspace)
        self.score = icon_button("", "Switch between IoU and Dice")
        self.score.clicked.connect(self._switch_score)
        self.add = icon_button("plus", "Add a class", role="muted", run=self.rows.add)
        self.add_corner(self.score)
        self.add_corner(self.add)
        self.body_layout.setContentsMargins(0, 0, 0, 4)
        self.body_layout.addWidget(self.rows)
        workspace.scores_changed.connect(lambda _: self._name_score())
        workspace.offer.changed.connect(self._show_offer)
        workspace.project_opened.connect(lambda _: self._show_offer())
        workspace.project_closed.connect(self._show_offer)
        theme().changed.connect(self._size_score)
        self._size_score()
        self._show_offer()

    def _size_score(self) -> None:
        self.score.setFont(theme().font("small"))
        width = self.score.fontMetrics().horizontalAdvance("Change")
        self.score.setFixedWidth(max(48, width + 12))

    def _show_offer(self) -> None:
        workspace = self._workspace
        writable = workspace.project is not None and not workspace.read_only
        self.add.setEnabled(writable)
        self.add.setToolTip("Add a class" if writable else "Open a project that you can write to.")
        self._name_score()

    def _switch_score(self) -> None:
        settings = self._workspace.settings
        settings.set("correct.score", "dice" if settings.get("correct.score") == "iou" else "iou")
        self._name_score()
        self.rows.update()

    def _name_score(self) -> None:
        words = {"iou": "IoU", "dice": "Dice"}
        measured = self._workspace.truth is not None or self._workspace.project is None
        self.score.setText(words[self._workspace.settings.get("correct.score")])
        if not measured:
            self.score.setText("Area")
        self.score.setEnabled(measured)
        if self.rows.offers:
            self.score.setText("Change")
            self.score.setEnabled(False)
            self.score.setToolTip("What the proposal would change into each class")
            return
        why = "Without truth there is nothing to score; the area is shown."
        self.score.setToolTip("Switch between IoU and Dice" if measured else why)


__all__ = ["ClassRows", "ClassesPanel", "short"]
