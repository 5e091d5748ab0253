"""The fine-tuning sheet: what is learned from, how it goes, old against new, and the decision.

It takes its place beside the canvas and covers nothing: painting goes on.
"""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.panels.comparison import Comparison, number, wins
from app.panels.curves import Curve
from app.panels.preflight import PreflightPart
from app.theme.controls import button, icon_button, label, line, set_tone
from app.theme.icons import pixmap
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.run_view import RunView
from segcore.train.preflight import MEASURED_FROM

_TALL = 840  # logical pixels from which on the sheet has room for two rows of crops


class TrainingPanel(QWidget):
    """Preflight and Start; then progress, two curves, a table, Cancel run and Promote."""

    close_asked = Signal()
    shown = Signal(bool)
    """Whether it is on screen now."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._title = label("Fine-tune", kind="page")
        self._about = label(kind="small", tone="muted")
        self._about.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._step, self._rate, self._left = label(kind="group"), label(tone="muted"), label()
        self._progress = QWidget()
        self.before = PreflightPart(workspace)
        self._loss = Curve("Loss", smooth=True, digits=1)
        self._loss_now = label(kind="group")
        self._score = Curve("Mean IoU, held out")
        self._score_now = label(kind="group")
        self._table = Comparison()
        self._charts = QWidget()
        self._loss_part, self._score_part = QWidget(), QWidget()
        self._note_icon, self._note = QLabel(), label(kind="small", tone="muted")
        self._note.setWordWrap(True)
        self.start = button("Start", "play", tone="primary", run=self._start)
        self.cancel = button("Cancel run", "x", run=workspace.runs.cancel)
        self.resume = button("Resume", "play", run=workspace.runs.resume)
        self.promote = button("Promote", "arrow-up-to-line", run=workspace.runs.promote)
        self.back = button("Go back", "history", run=workspace.runs.go_back)
        self.again = button("New run", "rotate-ccw", run=self._new_run)
        self.other = button("", "circle-check", tone="link", run=self._show_other)
        self._fresh = False
        self._recommends = False
        self._lay_out()
        workspace.run_changed.connect(self.refresh)
        workspace.item_state_changed.connect(lambda _: self._look_soon())
        workspace.proposal_changed.connect(self._show_primary)
        workspace.preview_changed.connect(self._show_primary)
        workspace.project_closed.connect(self._forget)
        workspace.project_opened.connect(self._look_anew)
        self.before.looked.connect(self.refresh)
        workspace.runs.beginning_chosen.connect(self._begin_anew)
        theme().changed.connect(self.refresh)
        self.refresh()
        self._show_primary()

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
        for name, now, curve, part in (
            ("Loss", self._loss_now, self._loss, self._loss_part),
            ("Mean IoU, held out", self._score_now, self._score, self._score_part),
        ):
            column = QVBoxLayout(part)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(8)
            column.addWidget(line())
            row = QHBoxLayout()
            row.addWidget(label(name, kind="group"))
            row.addStretch(1)
            row.addWidget(now)
            column.addLayout(row)
            column.addWidget(curve)
            charts.addWidget(part)
        body = QWidget()
        body.setProperty("ground", "panel")
        inner = QVBoxLayout(body)
        inner.setContentsMargins(16, 0, 16, 16)
        inner.setSpacing(8)
        for part in (self._progress, line(), self.before, self._charts, self._table):
            inner.addWidget(part)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        self._scroll = scroll
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
        foot.addWidget(self.other, 0, Qt.AlignmentFlag.AlignLeft)
        foot.addLayout(buttons)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(8)
        outer.addLayout(top)
        outer.addWidget(scroll, 1)
        # Below the settings and not among them: they are scrolled, and what they do is looked at.
        crops = QHBoxLayout()
        crops.setContentsMargins(8, 0, 8, 0)  # a section has 8 of its own
        crops.addWidget(self.before.crops)
        outer.addWidget(line())
        outer.addLayout(crops)
        outer.addLayout(foot)

    # -- preflight ----------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        self.refresh()
        self._look_soon()
        self.shown.emit(True)

    def hideEvent(self, event: object) -> None:
        self._workspace.runs.measuring.stop()
        self._workspace.runs.crops.stop()
        self.shown.emit(False)

    def resizeEvent(self, event: object) -> None:
        self.before.crops.grid.set_lines(2 if self.height() >= _TALL else 1)
        if self._workspace.runs.view is not None:
            self._fit_promote(self._workspace.runs.view)

    def _look_soon(self) -> None:
        if self.isVisible() and not self._workspace.runs.starting:
            self.before.look()

    def _start(self) -> None:
        self._fresh = False
        self._workspace.fine_tune(self.before.settings(), self.before.beginning.value())

    def _new_run(self) -> None:
        self._fresh = True
        self.refresh()
        self.before.look()

    def _show_other(self) -> None:
        self._fresh = False
        self._workspace.runs.show_next()

    def _forget(self) -> None:
        self._fresh = False
        self.before.forget()
        self.refresh()

    def _look_anew(self, _: object) -> None:
        if self.isVisible():
            self.before.look_once()

    def _begin_anew(self, _: object) -> None:
        if not self._workspace.runs.is_running:
            self._scroll.verticalScrollBar().setValue(0)  # what was chosen stands at the top
            self._new_run()

    # -- showing ------------------------------------------------------------------------------

    def _show_primary(self, *_: object) -> None:
        """One button of the window is primary: what waits over the picture comes first."""
        waits = self._workspace.awaits_answer
        set_tone(self.start, "" if waits else "primary")
        set_tone(self.promote, "primary" if self._recommends and not waits else "")

    def refresh(self, *_: object) -> None:
        """Show the run, or what a run would learn from."""
        runs = self._workspace.runs
        view = None if self._fresh else runs.view
        running = runs.starting or (view is not None and view.is_running)
        for widget in (self._progress, self._charts):
            widget.setVisible(view is not None)
        self._table.setVisible(view is not None and bool(view.new))
        self.before.show_run(view)
        self.before.show_settings(view is None and not runs.starting)
        self.start.setVisible(not running and view is None)
        self.cancel.setVisible(view is not None and running)
        cancelling = view is not None and view.state == "cancelling"
        self.cancel.setEnabled(not cancelling)
        self.cancel.setText("Cancelling…" if cancelling else "Cancel run")
        useless = view is not None and view.state in ("lost", "failed")
        self.promote.setVisible(view is not None and not view.promoted and not useless)
        self.back.setVisible(view is not None and view.promoted)
        self.resume.setVisible(view is not None and view.state in ("lost", "failed"))
        self.again.setVisible(view is not None and not running)
        waiting = [] if running else runs.others
        self.other.setVisible(bool(waiting))
        if waiting:
            self.other.setText(f"Show {waiting[0].name}, which ended as well")
        if view is None:
            if not runs.starting and self.isVisible():
                self.before.look_once()
            self._title.setText("Fine-tune")
            self._about.setText("Teaches a model with your corrections; painting goes on.")
            why = self.before.why_not
            if runs.starting:
                why = "Freezing the items that are learned from."
            self.start.setEnabled(not why and self._workspace.project is not None)
            self.start.setToolTip(why)
            self._say(why or "Uses one processor core less while you paint.", "info")
            return
        self._show_run(view)
        if self.isVisible():
            runs.note_seen()

    def _show_run(self, view: RunView) -> None:
        self._title.setText(
            {
                "done": "Fine-tuned",
                "failed": "Fine-tuning failed",
                "lost": "Fine-tuning stopped",
                "cancelled": "Fine-tuning cancelled",
            }.get(view.state, "Fine-tune")
        )
        parent = f", from {view.parent}" if view.parent else ""
        self._about.setText(f"{view.name}{parent}. {_started(view.started)}".rstrip())
        self._bar.setValue(round(view.share * 1000))
        self._step.setText(_doing(view))
        self._rate.setText(_rate(view.rate) if view.rate and view.is_running else "")
        left = view.seconds_left if view.state == "running" else None
        self._left.setText("" if left is None else f"{_time_left(left)} left")
        self._loss.show_points(view.losses, view.steps)
        self._loss_now.setText(f"{view.losses[-1][1]:.3f}" if view.losses else "")
        points = list(view.scores)
        if points and view.old_mean is not None and points[0][0] > 0:
            points.insert(0, (0, view.old_mean))
        self._score.show_points(
            points, view.steps, view.old_mean, f"{view.parent}, in use" if view.parent else ""
        )
        self._score_now.setText(number(view.new_mean))
        self._score_part.setVisible(view.is_measured)
        classes = self._workspace.classes
        colours = {} if classes is None else {c.name: c.colour for c in classes.active}
        self._table.show_scores(view, colours)
        self._decide(view)

    def _decide(self, view: RunView) -> None:
        ended = view.state in ("done", "cancelled")
        self._fit_promote(view)
        read_only = self._workspace.read_only
        self.promote.setEnabled(ended and not read_only)
        self.promote.setToolTip("Open the project for writing first." if read_only else "")
        better = wins(view)
        self._recommends = ended and better
        self._show_primary()
        if view.promoted:
            self._say(f"{view.name} predicts from now on.", "circle-check")
        elif view.state == "failed" or view.state == "lost":
            self._say(view.reason or "The run ended without a result.", "triangle-alert")
        elif view.state == "cancelling":
            self._say("It stops after its step, and keeps what it has learned.", "info")
        elif not ended:
            when = f"step {view.steps:,}" if view.steps else "the end"
            self._say(f"Promote opens at {when}{_until(view)}.", "info")
        elif view.new_mean is None or view.old_mean is None:
            note = view.note or "not measured"
            self._say(f"{note[:1].upper()}{note[1:]}. No recommendation.", "info")
        elif better:
            self._say(f"The new model is better on {view.items or 'the'} held-out items.", "info")
        else:
            self._say("The new model is not better on the held-out items.", "triangle-alert")

    def _fit_promote(self, view: RunView) -> None:
        """The button names the model where there is room; the line under the title always does."""
        self.promote.setText(f"Promote {view.name}")
        row = (self.cancel, self.resume, self.again, self.back, self.start, self.promote)
        here = [part for part in row if not part.isHidden()]
        if sum(part.sizeHint().width() + 8 for part in here) > self.width() - 32:
            self.promote.setText("Promote")

    def _say(self, text: str, mark: str) -> None:
        self._note.setText(text)
        role = "warning" if mark == "triangle-alert" else "muted"
        self._note_icon.setPixmap(pixmap(mark, role, 16, self.devicePixelRatioF()))


def _started(moment: float) -> str:
    if not moment:
        return ""
    then, day = time.localtime(moment), "%Y-%m-%d"
    today = time.strftime(day, then) == time.strftime(day)
    return "Started " + time.strftime("%H:%M" if today else f"{day} %H:%M", then)


def _doing(view: RunView) -> str:
    if view.step == 0 and view.is_running:
        return "The trainer is starting" if view.learned is None else "The first step is under way"
    return f"Step {view.step:,} of {view.steps:,}" if view.steps else f"Step {view.step:,}"


def _rate(steps: float) -> str:
    """Steps a second, or seconds a step, whichever is the larger number."""
    return f"{steps:.1f} steps/s" if steps >= 1 else f"{1 / steps:.1f} s/step"


def _until(view: RunView) -> str:
    """What promoting waits for, beside the end."""
    if view.is_measured:
        return ", when the held-out score is final"
    if view.held_out is None:
        return ""
    return f". With {view.held_out} held out, of {MEASURED_FROM} needed, it is not measured"


def _time_left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
