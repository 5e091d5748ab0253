"""Export: a format of the table, which states, where to; written beside the window."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QWidget
from shiboken6 import isValid

from app.dialogs.host import DialogHost
from app.dialogs.sheet import FolderField, Form, Sheet
from app.theme.controls import ComboBox, label
from app.workspace.queue import STATES
from segcore.base import MaskwrightError

_CHOSEN = ("corrected", "accepted")


class ExportDialog(Sheet):
    """Format, states, folder; says what is left out before it writes."""

    advanced = Signal(int, int)

    def __init__(self, host: DialogHost) -> None:
        from segcore.formats import formats

        super().__init__(host, "Export", "Export", "file-output", scrolls=True)
        project = host.workspace.project
        self.format = ComboBox()
        for row in formats():
            if row.writes is not None:
                self.format.addItem(row.title, row.key)
        self._begun_with = self._format_to_begin_with(project)
        self.format.setCurrentIndex(max(0, self.format.findData(self._begun_with)))
        counts = Counter(item.state for item in project.items)
        self.states: dict[str, QCheckBox] = {}
        states = QWidget()
        boxes = QHBoxLayout(states)
        boxes.setContentsMargins(0, 0, 0, 0)
        boxes.setSpacing(16)
        for state, word in STATES.items():
            if state == "rejected":
                continue
            box = QCheckBox(f"{word} ({counts[state]:,})")
            box.setChecked(state in _CHOSEN)
            box.setEnabled(counts[state] > 0)
            box.toggled.connect(lambda _: self._count())
            self.states[state] = box
            boxes.addWidget(box)
        boxes.addStretch(1)
        self.folder = FolderField("Export folder", lambda: Path(project.path).parent)
        self.copy = QCheckBox("Put copies of the images beside the masks")
        self.note = label(kind="small", tone="muted")
        self.note.setWordWrap(True)
        self.lost = label(kind="small")
        self.lost.setWordWrap(True)
        self.lost.hide()
        self.lost.setAccessibleName("What the format cannot hold")
        form = Form()
        form.add("Format", self.format)
        form.add("Items", states)
        self.replaces = form.add("Folder", self.folder)
        form.add("Images", self.copy)
        self.body.addWidget(form)
        self.body.addWidget(self.note)
        self.body.addWidget(self.lost)
        self.body.addStretch(1)
        said = "A manifest with digests is written beside the masks. "
        notice = label(f"{said}For research use, not a medical device.", kind="small", tone="muted")
        notice.setWordWrap(True)
        self.body.addWidget(notice)
        self.advanced.connect(self.show_progress)
        self._project, self._counts = project, counts
        self._preset = ""
        self.folder.edit.textChanged.connect(lambda _: self._look_at_folder())
        self.format.currentIndexChanged.connect(lambda _: self._take_format())
        self.copy.toggled.connect(lambda _: self._say_what_is_lost())
        self._preset_folder()
        self._count()
        self.setMinimumWidth(560)

    def _format_to_begin_with(self, project: Any) -> str:
        """The last one of this project, or else of this person; NIfTI for volumes."""
        kept = self.host.workspace.settings.get("memory.export_formats")
        path = str(project.path)
        if path in kept:
            return str(kept[path])
        if len(project.items) and all(item.shape.is_volume for item in project.items):
            return "nifti"
        return str(kept.get("", "png"))

    def _keep_format(self, key: str) -> None:
        settings, path = self.host.workspace.settings, str(self._project.path)
        kept = settings.get("memory.export_formats")
        if key == self._begun_with and path not in kept:
            return  # nobody chose it; what volumes begin with is not for pictures
        settings.set("memory.export_formats", kept | {"": key, path: key})

    def _take_format(self) -> None:
        self._preset_folder()
        self._say_what_is_lost()

    def _preset_folder(self) -> None:
        """A folder for each format, unless a person named one."""
        if self.folder.edit.text() != self._preset:
            return
        project, key = self._project, str(self.format.currentData())
        name = f"{project.name}-export-{key.replace('_', '-')}"
        self._preset = str(Path(project.path).parent / name)
        self.folder.edit.setText(self._preset)

    def _look_at_folder(self) -> None:
        """Say beside the GUI thread what would be replaced: the disk may be slow."""
        self.drop_error()
        out = self.folder.path

        def work() -> float | None:
            from segcore.formats.target import replaced

            return None if out is None else replaced(out)

        def show(made: float | None) -> None:
            if isValid(self):
                self.replaces.tell("" if made is None else f"Replaces the export of {_day(made)}.")

        self.host.workspace.background.run_latest("export replaces", work, show)

    @property
    def chosen_states(self) -> list[str]:
        return [state for state, box in self.states.items() if box.isChecked()]

    def _count(self) -> None:
        chosen = sum(self._counts[s] for s in self.chosen_states)
        left = len(self._project.items) - chosen
        noun = "item is" if chosen == 1 else "items are"
        self.note.setText(f"{chosen:,} {noun} written, {left:,} left out.")
        self._say_what_is_lost()
        self.main_button.setEnabled(chosen > 0)
        self.main_button.setToolTip("" if chosen else "No item is in a state that is chosen.")

    def _say_what_is_lost(self) -> None:
        """Ask beside the GUI thread: labels of every chosen item are looked at."""
        project, key, states = self._project, self.format.currentData(), self.chosen_states
        copy = self.copy.isChecked()

        def work() -> list[str]:
            from segcore.projects.exporting import say_before

            if not any(self._counts[state] for state in states):
                return []
            return say_before(project, key, states, copy_images=copy)

        def show(sentences: list[str]) -> None:
            if isValid(self):
                # How many are left out stands above, at once.
                said = [s for s in sentences if not s.endswith("will be left out.")]
                self.lost.setText("\n".join(said))
                self.lost.setVisible(bool(said))

        self.host.workspace.background.run_latest("export loses", work, show)

    def run(self) -> None:
        """Write beside the GUI thread; the dialog closes when it is done."""
        out = self.folder.path
        if out is None:
            self.say("Choose a folder.")
            return
        self.say("")
        self.main_button.setEnabled(False)
        key, states, copy = self.format.currentData(), self.chosen_states, self.copy.isChecked()
        project, told = self._project, self.advanced

        def work() -> Any:
            from segcore.projects.exporting import export_project

            project.scribe.flush()
            return export_project(
                project,
                out,
                key,
                states,
                copy_images=copy,
                stage=lambda _title, done, total: told.emit(done, total),
            )

        def done(report: Any) -> None:
            self._keep_format(key)
            self._done(report)

        self.host.workspace.background.run(work, done, self._failed)

    def _done(self, report: Any) -> None:
        from app.workspace import Message, Remedy

        noun = "item" if report.items == 1 else "items"
        self.host.workspace.post(
            Message(
                f"Exported {report.items:,} {noun} to {report.folder.name}",
                hint=report.notes[0] if report.notes else "",
                remedy=Remedy("Open folder", lambda: _open_folder(report.folder)),
            )
        )
        self.accept()

    def _failed(self, error: Exception) -> None:
        self.show_progress(0, 0)
        self.main_button.setEnabled(True)
        known = isinstance(error, MaskwrightError)
        self.say(str(error) if known else "The export failed. Details are in the log.")


def _day(seconds: float) -> str:
    """``29 Nov, 07:45``; with its year where that is another one."""
    then = time.localtime(seconds)
    year = "" if then.tm_year == time.localtime().tm_year else time.strftime(" %Y", then)
    return f"{then.tm_mday} {time.strftime('%b', then)}{year}, {time.strftime('%H:%M', then)}"


def _open_folder(folder: Path) -> None:
    from PySide6.QtCore import QUrl
    from PySide6.QtGui import QDesktopServices

    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
