"""The fine-tuning sheet: what is learned from, how it goes, old against new, and the decision.

It takes its place beside the canvas and covers nothing: painting goes on.
"""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.panels.curves import Curve
from app.theme.controls import (
    ElidedLabel,
    NumberField,
    ThemedLabel,
    button,
    icon_button,
    label,
    line,
    swatch_icon,
)
from app.theme.icons import pixmap
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.preflight import Preflight, look
from app.workspace.runs import RunView

# Differences below this are noise between two runs of the same recipe.
WORTH_COLOUR = 0.01


class TrainingPanel(QWidget):
    """Preflight and Start; then progress, two curves, a table, Cancel run and Promote."""

    close_asked = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._title = label("Fine-tune", kind="page")
        self._about = ElidedLabel("", "small")
        self._about.setProperty("tone", "muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._step, self._rate, self._left = label(kind="group"), label(tone="muted"), label()
        self._progress = QWidget()
        self._learns = _Lines("Learns from", "frozen at the start")
        self._recipe = _Recipe(workspace)
        self._loss = Curve("Loss", smooth=True, digits=1)
        self._loss_now = label(kind="group")
        self._score = Curve("Mean IoU, held out")
        self._score_now = label(kind="group")
        self._table = _Comparison()
        self._charts = QWidget()
        self._note_icon, self._note = QLabel(), label(kind="small", tone="muted")
        self._note.setWordWrap(True)
        self.start = button("Start", "play", tone="primary", run=self._start)
        self.cancel = button("Cancel run", "x", run=workspace.runs.cancel)
        self.resume = button("Resume", "play", run=workspace.runs.resume)
        self.promote = button("Promote", "arrow-up-to-line", run=workspace.runs.promote)
        self.back = button("Go back", "history", run=workspace.runs.go_back)
        self.again = button("New run", "rotate-ccw", run=self._new_run)
        self._preflight: Preflight | None = None
        self._fresh = False
        self._lay_out()
        workspace.run_changed.connect(self.refresh)
        workspace.item_state_changed.connect(lambda _: self._look_soon())
        workspace.project_closed.connect(self.refresh)
        self.refresh()

    # -- laying out ---------------------------------------------------------------------------

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(
            icon_button("panel-right-close", "Close the sheet", role="muted",
                        run=self.close_asked.emit)
        )  # fmt: skip
        steps = QHBoxLayout()
        for widget, stretch in ((self._step, 1), (self._rate, 1), (self._left, 1)):
            steps.addWidget(widget, stretch)
        self._rate.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._left.setAlignment(Qt.AlignmentFlag.AlignRight)
        progress = QVBoxLayout(self._progress)
        progress.setContentsMargins(0, 4, 0, 0)
        progress.setSpacing(8)
        progress.addWidget(self._bar)
        progress.addLayout(steps)
        charts = QVBoxLayout(self._charts)
        charts.setContentsMargins(0, 0, 0, 0)
        charts.setSpacing(8)
        for name, now, curve in (
            ("Loss", self._loss_now, self._loss),
            ("Mean IoU, held out", self._score_now, self._score),
        ):
            charts.addWidget(line())
            row = QHBoxLayout()
            row.addWidget(label(name, kind="group"))
            row.addStretch(1)
            row.addWidget(now)
            charts.addLayout(row)
            charts.addWidget(curve)
        body = QWidget()
        body.setProperty("ground", "panel")
        inner = QVBoxLayout(body)
        inner.setContentsMargins(16, 0, 16, 16)
        inner.setSpacing(8)
        for part in (self._progress, line(), self._learns, self._recipe, self._charts, self._table):
            inner.addWidget(part)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        top = QVBoxLayout()
        top.setContentsMargins(16, 12, 12, 0)
        top.setSpacing(4)
        top.addLayout(head)
        top.addWidget(self._about)
        note = QHBoxLayout()
        note.setSpacing(8)
        note.addWidget(self._note_icon, 0, Qt.AlignmentFlag.AlignTop)
        note.addWidget(self._note, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for quiet in (self.cancel, self.resume, self.again, self.back):
            buttons.addWidget(quiet)
        buttons.addStretch(1)
        buttons.addWidget(self.start)
        buttons.addWidget(self.promote)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 12, 16, 12)
        foot.setSpacing(12)
        foot.addLayout(note)
        foot.addLayout(buttons)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(8)
        outer.addLayout(top)
        outer.addWidget(scroll, 1)
        outer.addWidget(line())
        outer.addLayout(foot)

    # -- preflight ----------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        self._look()
        self.refresh()

    def _look_soon(self) -> None:
        if self.isVisible():
            self._look()

    def _look(self) -> None:
        project = self._workspace.project
        if project is not None:
            self._workspace.background.run_latest("preflight", lambda: look(project), self._looked)

    def _looked(self, preflight: Preflight) -> None:
        self._preflight = preflight
        self._show_preflight()
        self.refresh()

    def _show_preflight(self) -> None:
        found = self._preflight
        if found is None:
            return
        held = f"Held out, {', '.join(found.held_groups)}" if found.held_groups else "Held out"
        share = self._recipe.replay.value()
        rows = [
            ("copy", f"{found.accepted:,} accepted, {found.corrected:,} corrected",
             _items(found.learned), ""),
            ("sparkles", "Begins with", found.base or "a new model", ""),
            ("lock", f"{held}, never trained on", _items(found.held_out), ""),
        ]  # fmt: skip
        if found.base:
            rows.insert(2, ("history", "Earlier training items mixed in", f"{share} %", ""))
        if found.held_out < 5:
            few = "Fewer than five items are held out; the new model is not measured."
            rows.append(("triangle-alert", few, "", "warning"))
        for scarce in found.scarce[:3]:
            where = _items(scarce.items)
            text = f"{scarce.name}: {scarce.pixels:,} px in {where}. Its score may not move."
            rows.append(("triangle-alert", text, "", "warning"))
        if len(found.scarce) > 3:
            more = f"{len(found.scarce) - 3} more classes have few pixels."
            rows.append(("triangle-alert", more, "", "warning"))
        self._learns.show_rows(rows)

    def _start(self) -> None:
        self._fresh = False
        self._workspace.fine_tune(self._recipe.values())

    def _new_run(self) -> None:
        self._fresh = True
        self._look()
        self.refresh()

    # -- showing ------------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Show the run, or what a run would learn from."""
        runs = self._workspace.runs
        view = None if self._fresh else runs.view
        running = runs.starting or (view is not None and view.is_running)
        for widget in (self._progress, self._charts):
            widget.setVisible(view is not None)
        self._table.setVisible(view is not None and bool(view.new))
        self._recipe.setVisible(view is None and not runs.starting)
        self.start.setVisible(not running and view is None)
        self.cancel.setVisible(view is not None and running)
        useless = view is not None and view.state in ("lost", "failed")
        self.promote.setVisible(view is not None and not view.promoted and not useless)
        self.back.setVisible(view is not None and view.promoted)
        self.resume.setVisible(view is not None and view.state in ("lost", "failed"))
        self.again.setVisible(view is not None and not running)
        if view is None:
            self._title.setText("Fine-tune")
            self._about.setText("Teaches the model with your corrections; painting goes on.")
            why = self._preflight.why_not if self._preflight is not None else ""
            if runs.starting:
                why = "Freezing the items that are learned from."
            self.start.setEnabled(not why and self._workspace.project is not None)
            self._say(why or "Uses one processor core less while you paint.", "info")
            return
        self._show_run(view)

    def _show_run(self, view: RunView) -> None:
        self._title.setText(
            {
                "done": "Fine-tuned",
                "failed": "Fine-tuning failed",
                "cancelled": "Fine-tuning cancelled",
            }.get(view.state, "Fine-tune")
        )
        started = time.strftime("%H:%M", time.localtime(view.started)) if view.started else ""
        parent = f", from {view.parent}" if view.parent else ""
        self._about.setText(f"{view.name}{parent}. Started {started}")
        self._bar.setValue(round(view.share * 1000))
        self._step.setText(f"Step {view.step:,} of {view.steps:,}" if view.steps else "Preparing")
        self._rate.setText(f"{view.rate:.1f} steps/s" if view.rate and view.is_running else "")
        left = view.seconds_left
        self._left.setText("" if left is None else f"{_time_left(left)} left")
        self._loss.show_points(view.losses, view.steps)
        self._loss_now.setText(f"{view.losses[-1][1]:.3f}" if view.losses else "")
        points = list(view.scores)
        if points and view.old_mean is not None and points[0][0] > 0:
            points.insert(0, (0, view.old_mean))
        self._score.show_points(
            points, view.steps, view.old_mean, f"{view.parent}, in use" if view.parent else ""
        )
        self._score_now.setText(_number(view.new_mean))
        classes = self._workspace.classes
        colours = {} if classes is None else {c.name: c.colour for c in classes.active}
        self._table.show_scores(view, colours)
        self._decide(view)

    def _decide(self, view: RunView) -> None:
        ended = view.state in ("done", "cancelled")
        self.promote.setText(f"Promote {view.name}")
        self.promote.setEnabled(ended)
        wins = _wins(view)
        tone = "primary" if ended and wins else ""
        if self.promote.property("tone") != tone:
            self.promote.setProperty("tone", tone)
            self.promote.style().unpolish(self.promote)
            self.promote.style().polish(self.promote)
        if view.promoted:
            self._say(f"{view.name} predicts from now on.", "circle-check")
        elif view.state == "failed" or view.state == "lost":
            self._say(view.reason or "The run ended without a result.", "triangle-alert")
        elif not ended:
            when = f"step {view.steps:,}" if view.steps else "the end"
            self._say(f"Promote opens at {when}, when the held-out score is final.", "info")
        elif view.new_mean is None or view.old_mean is None:
            note = view.note or "not measured"
            self._say(f"{note[:1].upper()}{note[1:]}. No recommendation.", "info")
        elif wins:
            self._say(f"The new model is better on {view.items or 'the'} held-out items.", "info")
        else:
            self._say("The new model is not better on the held-out items.", "triangle-alert")

    def _say(self, text: str, mark: str) -> None:
        self._note.setText(text)
        role = "warning" if mark == "triangle-alert" else "muted"
        self._note_icon.setPixmap(pixmap(mark, role, 16, self.devicePixelRatioF()))


class _Lines(QWidget):
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
            widget.deleteLater()
        self._made.clear()
        for number, (mark, text, value, tone) in enumerate(rows, 1):
            drawing = QLabel()
            drawing.setPixmap(pixmap(mark, tone or "muted", 16, self.devicePixelRatioF()))
            said = label(text, tone=tone)
            said.setWordWrap(True)
            self._grid.addWidget(drawing, number, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(said, number, 1, 1, 1 if value else 2)
            self._made += [drawing, said]
            if value:
                amount = label(value)
                self._grid.addWidget(amount, number, 2, Qt.AlignmentFlag.AlignRight)
                self._made.append(amount)


class _Recipe(QWidget):
    """The few settings that are worth a look before the start."""

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
            grid.addWidget(label(name), number, 0)
            grid.addWidget(field, number, 1)

    def values(self) -> dict[str, Any]:
        """Settings of the recipe by name."""
        return {
            "steps": self.steps.value(),
            "replay": self.replay.value() / 100,
            "seed": self.seed.value(),
        }


class _Comparison(QWidget):
    """Old against new by class; a change is coloured only where it is worth it."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._head = label("Old against new", kind="group")
        self._at = label(kind="small", tone="muted")
        row = QHBoxLayout()
        row.addWidget(self._head)
        row.addStretch(1)
        row.addWidget(self._at)
        self._layout.addWidget(line())
        self._layout.addLayout(row)
        self._cells: dict[tuple[int, int], ThemedLabel] = {}
        self._swatches: dict[int, QLabel] = {}
        holder = QWidget()
        self._grid = QGridLayout(holder)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._layout.addWidget(holder)

    def show_scores(self, view: RunView, colours: dict[str, str | None]) -> None:
        self._at.setText(f"IoU at step {view.scored_step:,}" if view.new else "")
        self._row(0, None, ("Class", view.parent or "Old", view.name, "Change"), head=True)
        number = 0
        for number, (name, new) in enumerate(view.new.items(), 1):
            old = view.old.get(name)
            values = (name, _number(old), _number(new), _change(old, new))
            self._row(number, colours.get(name, ""), values, tone=_tone(old, new))
        if view.new:
            values = (
                f"Mean of {sum(v is not None for v in view.new.values())}",
                _number(view.old_mean),
                _number(view.new_mean),
                _change(view.old_mean, view.new_mean),
            )
            tone = _tone(view.old_mean, view.new_mean)
            self._row(number + 1, "", values, tone=tone, strong=True)

    def _row(
        self,
        row: int,
        colour: str | None,
        values: tuple[str, ...],
        *,
        tone: str = "",
        head: bool = False,
        strong: bool = False,
    ) -> None:
        if row not in self._swatches:
            self._swatches[row] = QLabel()
            self._grid.addWidget(self._swatches[row], row, 0)
        if colour:
            self._swatches[row].setPixmap(swatch_icon(colour).pixmap(16, 16))
        for column, text in enumerate(values):
            cell = self._cells.get((row, column))
            if cell is None:
                kind = "small" if head else "text"
                cell = label(kind=kind, tone="muted" if head else "")
                side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
                cell.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                self._cells[row, column] = cell
                self._grid.addWidget(cell, row, column + 1)
            cell.setText(text)
            if not head:
                cell.setFont(theme().font("group" if strong or column == 2 else "text"))
                cell.set_tone(tone if column == 3 else ("muted" if column == 1 else ""))


def _items(count: int) -> str:
    return f"{count:,} item" if count == 1 else f"{count:,} items"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _change(old: float | None, new: float | None) -> str:
    return "" if old is None or new is None else f"{new - old:+.3f}".replace("-", "−")


def _tone(old: float | None, new: float | None) -> str:
    if old is None or new is None or abs(new - old) < WORTH_COLOUR:
        return "muted"
    return "success" if new > old else "danger"


def _wins(view: RunView) -> bool:
    return view.new_mean is not None and view.old_mean is not None and view.new_mean > view.old_mean


def _time_left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
