"""Jobs at the foot of the panel: what runs, how far it is, and how to stop it."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from app.theme.controls import ElidedLabel, icon_button
from app.theme.section import Section
from app.workspace import Workspace
from app.workspace.job import JobRow

_SHOWN = 6


class JobsPanel(Section):
    """One line when folded; each job with Cancel when open."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("jobs", "Jobs")
        self._workspace = workspace
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(2)
        outer = self.layout()
        if outer is not None:
            outer.addWidget(self._bar)
        self._rows: list[_JobLine] = []
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self.refresh)
        self.set_folded(True)
        workspace.jobs_changed.connect(self.refresh)
        workspace.run_changed.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show what is running now."""
        jobs, run = self._workspace.jobs, self._workspace.runs.view
        done, total, left = jobs.progress()
        if total:
            note = f"Predicting {min(done + 1, total)} of {total}"
            if left is not None:
                note += f", {seconds(left)} left"
            share = done / total
        elif self._workspace.runs.starting:
            note, share = "Preparing a fine-tuning", 0.0
        elif run is not None and run.state == "cancelling":
            note, share = f"Cancelling {run.name}…", run.share
        elif run is not None and run.is_running:
            note = f"Fine-tuning {run.name}"
            if run.seconds_left is not None:
                note += f", {seconds(run.seconds_left)} left"
            share = run.share
        elif (overview := self._workspace.overviews.row) is not None:
            note, share = overview.title, overview.progress
        else:
            note, share = "None running", -1.0
        self.set_note(note)
        self._bar.setVisible(share >= 0)
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(share * 1000))
        if total and not self._clock.isActive():
            self._clock.start()
        elif not total:
            self._clock.stop()
        self._list(jobs.rows[:_SHOWN])

    def _list(self, rows: list[JobRow]) -> None:
        while len(self._rows) < len(rows):
            made = _JobLine(self._workspace)
            self._rows.append(made)
            self.body_layout.addWidget(made)
        for i, widget in enumerate(self._rows):
            widget.setVisible(i < len(rows))
            if i < len(rows):
                widget.show_row(rows[i])


class _JobLine(QWidget):
    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._number = 0
        self._title = ElidedLabel()
        self._state = ElidedLabel(kind="small")
        self._state.setProperty("tone", "muted")
        self._cancel = icon_button(
            "x", "Cancel", role="muted", run=lambda: workspace.jobs.cancel(self._number)
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._title, 2)
        layout.addWidget(self._state, 1)
        layout.addWidget(self._cancel)

    def show_row(self, row: JobRow) -> None:
        self._number = row.number
        self._title.setText(row.title)
        running = row.state == "running" and row.progress > 0
        self._state.setText(f"{row.progress:.0%}" if running else (row.reason or row.state))
        self._cancel.setVisible(row.is_running)


def seconds(left: float) -> str:
    """A time left as a person says it: seconds, minutes, hours."""
    if left < 90:
        return f"{max(1, round(left))} s"
    if left < 5400:
        return f"{round(left / 60)} min"
    return f"{left / 3600:.1f} h"
