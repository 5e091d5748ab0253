"""What is known of a run before it starts: what it learns from, its settings, what it takes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from app.panels.beginning import BeginningFields
from app.panels.crops import CropsPart
from app.panels.recipe_table import RecipeTable
from app.theme.controls import NumberField, button, label, line
from app.theme.icons import icon, pixmap
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.models import Beginning
from app.workspace.preflight import Preflight, look
from app.workspace.run_view import RunView
from app.workspace.runs import built_by, new_run, settings_of
from segcore.train.preflight import MEASURED_FROM, gigabytes, roughly
from segcore.train.recipe import Recipe

Row = tuple[str, str, str, str]
"""Icon, text, value, tone."""


class PreflightPart(QWidget):
    """The part of the sheet that is looked at before Start.

    Attributes
    ----------
    crops : the preview, which the sheet keeps on screen while the settings are scrolled.
    """

    looked = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.found: Preflight | None = None
        self._looking: Any = None  # the project that is counted now
        self._run: RunView | None = None
        self._counted = ("", "")  # the model and the targets that were counted for
        self.beginning = BeginningFields()
        self.recipe = RecipeFields(workspace)
        self.more = RecipeTable()
        self.more.hide()
        self.more_button = button("More settings", "chevron-right", tone="flat")
        self.more_button.setCheckable(True)
        self.more_button.toggled.connect(self._show_more)
        self.learns = Lines("Learns from", "frozen at the start")
        self.takes = Lines("Takes", "three steps are measured")
        self.crops = CropsPart(workspace)
        self._settings = QWidget()
        settings = QVBoxLayout(self._settings)
        settings.setContentsMargins(0, 0, 0, 0)
        settings.setSpacing(8)
        settings.addWidget(self.beginning)
        settings.addWidget(self.recipe)
        settings.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        for part in (self.more, line(), self.takes):
            settings.addWidget(part)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(8)
        outer.addWidget(self.learns)
        outer.addWidget(self._settings)
        self.recipe.changed.connect(self._settings_changed)
        self.beginning.changed.connect(self._settings_changed)
        self.more.changed.connect(self._settings_changed)
        self.crops.folded.connect(lambda *_: self._show_crops())
        workspace.runs.beginning_chosen.connect(self.begin_with)
        workspace.runs.measuring.changed.connect(self._show_cost)
        theme().changed.connect(self._show_found)
        theme().changed.connect(self._show_cost)

    def look(self) -> None:
        """Count again what a run would learn from."""
        project = self._workspace.project
        if project is None or self._run is not None:
            return
        start, targets = self._counted = self._asked
        self._looking = project

        def take(found: Preflight) -> None:
            self._looking = None
            if project is self._workspace.project:
                self._take(found)

        def failed(error: Exception) -> None:
            self._looking = None
            if project is self._workspace.project:
                self._workspace.report(error)

        self._workspace.background.run_latest(
            "preflight", lambda: look(project, start, targets), take, failed
        )

    def look_once(self) -> None:
        """Count, unless that was done since the project was opened."""
        if self.found is None and self._looking is not self._workspace.project:
            self.look()

    def forget(self) -> None:
        """Another project is opened: nothing of this one's is told of it."""
        self.found = self._run = None
        self.beginning.forget()
        self._show_found()

    @property
    def _asked(self) -> tuple[str, str]:
        targets = self.more.values().get("targets", Recipe().targets)
        return self.beginning.value().model, str(targets)

    def settings(self) -> dict[str, Any]:
        """All settings of the recipe that are not left to it."""
        return self.more.values() | self.recipe.values()

    @property
    def why_not(self) -> str:
        """Why it cannot start, or ""."""
        wrong = self.beginning.why_not or self.more.why_not
        if wrong:
            return wrong
        if self.found is None:
            return "Counting what there is to learn from."
        return self.found.why_not

    def begin_with(self, beginning: Beginning) -> None:
        """Take over what was chosen on a card."""
        self.beginning.choose(beginning)

    def _show_more(self, shown: bool) -> None:
        self.more.setVisible(shown)
        self.more_button.setIcon(icon("chevron-down" if shown else "chevron-right"))

    def show_settings(self, shown: bool) -> None:
        """Show what can still be chosen, and what it costs; not while a run is on screen."""
        self._settings.setVisible(shown)
        self.crops.setVisible(shown)
        if shown:
            self._measure()
            self._show_crops()
        else:
            self._workspace.runs.measuring.stop()
            self._workspace.runs.crops.stop()

    def show_run(self, view: RunView | None) -> None:
        """Show what a run was frozen with; None: what a new one would learn from."""
        self._run = view
        self._show_found()

    def _take(self, found: Preflight) -> None:
        if self._run is not None:  # what was counted too late is not what the run learns from
            return
        self.found = found
        self.beginning.show_base(found.base)
        self._show_found()
        self._measure()
        self._show_crops()
        self.looked.emit()

    def _settings_changed(self) -> None:
        if self._asked != self._counted:
            self.look()
        self._show_found()
        self._show_cost()
        self._measure()
        self._show_crops()
        self.looked.emit()

    # -- learns from --------------------------------------------------------------------------

    def _show_found(self) -> None:
        found = self.found
        if self._run is not None and (self._run.learned is not None or found is None):
            self.learns.show_rows(_frozen_rows(self._run))
        if self._run is not None:
            return
        if found is None:
            self.learns.show_rows([("loader-circle", "Not counted yet", "", "muted")])
            return
        held = f"Held out, {', '.join(found.held_groups)}" if found.held_groups else "Held out"
        share = self.recipe.replay.value()
        further = not self.beginning.value().is_new
        why = found.nothing_earlier if further else "a new model has learned nothing before"
        self.recipe.replay.setEnabled(not why)
        self.recipe.replay.setToolTip(f"Nothing is mixed in: {why}." if why else "")
        told = [f"{found.accepted:,} accepted, {found.corrected:,} corrected"]
        if found.targets != "reviewed":
            told = [f"{found.truth:,} with truth", *(told if found.targets == "all" else [])]
        rows: list[Row] = [
            ("copy", ", ".join(told), items_text(found.learned), ""),
            ("lock", f"{held}, never trained on", items_text(found.held_out), ""),
        ]  # fmt: skip
        if further and why:
            rows.insert(1, ("history", f"Earlier training items mixed in: none, {why}", "", ""))
        elif further:
            rows.insert(1, ("history", "Earlier training items mixed in", f"{share} %", ""))
        if found.held_out < MEASURED_FROM:
            few = (
                "Fewer than five items are held out; the new model is not measured. "
                "A new project can hold out more."
            )
            rows.append(("triangle-alert", few, "", "warning"))
        for scarce in found.scarce[:3]:
            where = items_text(scarce.items)
            text = f"{scarce.name}: {scarce.pixels:,} px in {where}. Its score may not move."
            rows.append(("triangle-alert", text, "", "warning"))
        if len(found.scarce) > 3:
            more = f"{len(found.scarce) - 3} more classes have few pixels."
            rows.append(("triangle-alert", more, "", "warning"))
        self.learns.show_rows(rows)

    # -- what the network sees ----------------------------------------------------------------

    def _show_crops(self) -> None:
        """Ask for crops with the settings as they stand, while somebody looks."""
        runs, project, found = self._workspace.runs, self._workspace.project, self.found
        if project is None or found is None or not self._settings.isVisible() or runs.is_running:
            return
        if self.crops.is_folded or found.why_not:
            runs.crops.stop()
            return
        if self.why_not:
            return  # a field says what is wrong; the crops of what was right stay
        # The length changes no crop; what is learned from, and which model, is another sample.
        beginning, more = self.beginning.value(), self.more.values()
        mixed = not beginning.is_new and self.recipe.replay.value() > 0
        key = (str(project.path), found.base, beginning, mixed, found.learned, more.get("targets"))
        settings = settings_of(self._workspace, self.settings())
        shown = {k: v for k, v in settings.items() if k not in ("steps", "score_every")}
        runs.crops.ask(
            project, lambda: new_run(project, settings, beginning), key, shown | built_by(beginning)
        )

    # -- takes --------------------------------------------------------------------------------

    def _measure(self) -> None:
        """Ask what it costs, while somebody looks and there is something to learn."""
        runs, project, found = self._workspace.runs, self._workspace.project, self.found
        if project is None or found is None or not self._settings.isVisible() or runs.is_running:
            return
        if self.why_not:
            runs.measuring.stop()
            self._show_cost()
            return
        # The length and the seed change no step. More items do, by what is kept of them in
        # memory: they are asked about again when there are twice as many.
        beginning, more = self.beginning.value(), self.more.values()
        mixed = 0 if beginning.is_new else self.recipe.replay.value()
        amount = found.learned.bit_length()
        key = (str(project.path), found.base, beginning, mixed, amount, tuple(more.items()))
        settings = settings_of(self._workspace, self.settings())
        runs.measuring.ask(project, lambda: new_run(project, settings, beginning), key)
        self._show_cost()

    def _show_cost(self) -> None:
        measuring = self._workspace.runs.measuring
        rows: list[Row] = []
        if measuring.cost is not None:
            cost = measuring.cost
            steps = settings_of(self._workspace, self.settings())
            minutes = cost.minutes_of(steps["steps"], steps["score_every"])
            free = f"{gigabytes(cost.memory)} ({gigabytes(cost.free)} free)"
            rows = [
                ("gauge", f"On {cost.place}", roughly(minutes), ""),
                ("cpu", "Memory", free, ""),
            ]
            if cost.warning:
                rows.append(("triangle-alert", cost.warning, "", "warning"))
        elif measuring.error is not None:
            said = f"Not measured. {measuring.error.message} {measuring.error.hint}".rstrip()
            rows = [("triangle-alert", said, "", "warning")]
        elif measuring.is_running:
            rows = [("loader-circle", "Measuring three steps; Start need not wait", "", "muted")]
        else:
            rows = [("gauge", "Known when there is something to learn from", "", "muted")]
        self.takes.show_rows(rows)


class Lines(QWidget):
    """A titled list of icon, text, value."""

    def __init__(self, title: str, note: str) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._grid.addWidget(label(title, kind="group"), 0, 0, 1, 2)
        self._grid.addWidget(
            label(note, kind="small", tone="muted"), 0, 2, Qt.AlignmentFlag.AlignRight
        )
        self._made: list[QWidget] = []

    def show_rows(self, rows: list[tuple[str, str, str, str]]) -> None:
        for widget in self._made:
            self._grid.removeWidget(widget)
            widget.hide()  # it goes a moment later
            widget.deleteLater()
        self._made.clear()
        for number, (mark, text, value, tone) in enumerate(rows, 1):
            drawing = QLabel()
            drawing.setPixmap(pixmap(mark, tone or "muted", 16, self.devicePixelRatioF()))
            said = label(text, tone=tone)
            said.setWordWrap(True)
            drawing.setFixedHeight(said.fontMetrics().height())  # stands on the first line
            self._grid.addWidget(drawing, number, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(said, number, 1, 1, 1 if value else 2)
            self._made += [drawing, said]
            if value:
                amount = label(value)
                place = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
                self._grid.addWidget(amount, number, 2, place)
                self._made.append(amount)


class RecipeFields(QWidget):
    """The few settings that are worth a look before the start."""

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.steps = NumberField(1, 100_000, "steps")
        self.steps.setValue(int(workspace.settings.get("model.steps")))
        self.replay = NumberField(0, 90, "%")
        self.replay.setValue(50)
        self.seed = NumberField(0, 1_000_000)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 8, 0, 0)
        grid.setColumnStretch(0, 1)
        rows = (
            ("Length", self.steps),
            ("Earlier training items mixed in", self.replay),
            ("Seed", self.seed),
        )
        for number, (name, field) in enumerate(rows):
            field.setAccessibleName(name)
            field.setFixedWidth(112)
            field.valueChanged.connect(self.changed)
            said = label(name)
            said.setWordWrap(True)
            grid.addWidget(said, number, 0)
            grid.addWidget(field, number, 1)

    def values(self) -> dict[str, Any]:
        """Settings of the recipe by name; what is typed and not yet confirmed counts."""
        for field in (self.steps, self.replay, self.seed):
            field.interpretText()  # a button takes no focus, so nothing else would confirm it
        return {
            "steps": self.steps.value(),
            "replay": self.replay.value() / 100,
            "seed": self.seed.value(),
        }


def _frozen_rows(view: RunView) -> list[Row]:
    """What a run learns from, as it was frozen."""
    if view.learned is None:
        return [("loader-circle", "Counted when the trainer has started", "", "muted")]
    mixed = f"{view.mixed:,}" if view.mixed else "none"
    return [
        ("copy", "Pictures with corrections", f"{view.learned:,}", ""),
        ("history", "Earlier training pictures mixed in", mixed, ""),
        ("lock", "Held out, never trained on", f"{view.held_out or 0:,}", ""),
    ]


def items_text(count: int) -> str:
    """``1 item``, ``2 items``."""
    return f"{count:,} item" if count == 1 else f"{count:,} items"
