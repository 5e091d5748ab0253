"""New project: a folder of images, folders of masks if there are any, classes, what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QWidget
from shiboken6 import isValid

from app.dialogs.host import DialogHost
from app.dialogs.sheet import FieldNote, FileField, FolderField, Form, Sheet
from app.theme.controls import ComboBox
from segcore.base import CLASS_PRESETS, MaskwrightError

_REMEDY = 'Tick "Open them slice by slice" to open it without distances.'
_OBJECTS = 'name their class in the field "Objects of class".'
_PAUSE = 250  # ms without a key, after which what was typed is looked at
_PRESET_TITLES = {"camvid": "CamVid, 11 classes and void", "binary": "Background and foreground"}


class NewProjectDialog(Sheet):
    """What `maskwright new` asks, as a form.

    Parameters
    ----------
    images : folder of images to begin with.
    masks : begin at the masks (Import images and masks).
    """

    advanced = Signal(str, int, int)

    def __init__(
        self, host: DialogHost, images: Path | None = None, *, masks: bool = False
    ) -> None:
        title = "Import images and masks" if masks else "New project"
        super().__init__(host, title, "Create project", "folder-plus", scrolls=True)
        self.images = FolderField("Images")
        self.name = QLineEdit()
        self.place = FolderField("Where the project is kept")
        self.place.set_path(Path.home())
        self.truth = FolderField("Truth", self._images_folder)
        self.predictions = FolderField("Predictions", self._images_folder)
        self.labels = FolderField("Labels", self._images_folder)
        self.coco = FileField("COCO annotations", "COCO annotations (*.json)", self._images_folder)
        self.coco_as = ComboBox()
        self.coco_as.addItem("As labels", "labels")
        self.coco_as.addItem("As truth", "truth")
        self.coco_as.setAccessibleName("What the COCO annotations become")
        self.classes = ComboBox()
        self.classes.addItem("As found in the masks", "")
        for key in CLASS_PRESETS:
            self.classes.addItem(_PRESET_TITLES.get(key, key), key)
        self.instances = QLineEdit()
        self.instances.setPlaceholderText("Such as nucleus; else empty")
        self.group_by = QLineEdit()
        self.group_by.setToolTip(
            "A regular expression: the part of the name that items of one patient or sequence "
            "have in common. Groups are held out whole."
        )
        self.group_by.setPlaceholderText("What names share, such as ^[^_]+; else each item alone")
        self.hold_out = QLineEdit("0.15")
        self.as_stack = QCheckBox("Open them slice by slice, without distances")
        self.as_stack.setToolTip("For series that are tilted or lack slices.")
        form = Form()
        self._images_note = form.add(
            "Images", self.images, "Pictures, NIfTI volumes or DICOM series."
        )
        form.add("Uneven DICOM", self.as_stack)
        self._name_note = form.add("Name", self.name)
        form.add("Kept in", self.place)
        form.add_heading("Masks")
        # Said inside the fields: with lines of their own the form is too high for a small screen.
        for title, field, what in (
            ("Truth", self.truth, "What scores are measured against"),
            ("Predictions", self.predictions, "Of another model; to be corrected"),
            ("Labels", self.labels, "Drawn by a person"),
        ):
            field.edit.setPlaceholderText(what)
            form.add(title, field)
        self.coco.edit.setPlaceholderText("Instances or panoptic, with its classes")
        form.add("COCO file", self._coco_row())
        form.add_heading("Classes and training")
        form.add("Classes", self.classes)
        form.add(
            "Objects of class",
            self.instances,
            "Where each number in the masks is one object, not a class.",
        )
        self._group_note = form.add(
            "Groups",
            self.group_by,
        )
        self._held_note = form.add(
            "Held out",
            self.hold_out,
            "Never trained on, by whole groups: a share, a pattern of names, or none.",
        )
        self.body.addWidget(form)
        self.body.addStretch(1)
        self.images.edit.textChanged.connect(self._suggest)
        for edit, note in (
            (self.images.edit, self._images_note),
            (self.name, self._name_note),
            (self.group_by, self._group_note),
            (self.hold_out, self._held_note),
        ):
            edit.textChanged.connect(lambda _, note=note: note.complain(""))
        self._names: tuple[Path | None, tuple[str, ...]] = (None, ())
        self._typing = QTimer(self, singleShot=True, interval=_PAUSE)
        self._typing.timeout.connect(self._say_what_is_held_out)
        for edit in (self.images.edit, self.group_by, self.hold_out):
            edit.textChanged.connect(lambda _: self._typing.start())
        for edit in form.findChildren(QLineEdit):
            edit.textChanged.connect(lambda _: self.drop_error())
        for box in (self.coco_as, self.classes):
            box.currentIndexChanged.connect(lambda _: self.drop_error())
        self.as_stack.toggled.connect(lambda _: self.drop_error())
        self.coco.edit.textChanged.connect(self._take_coco)
        self._take_coco("")
        self.advanced.connect(self._advance)
        if images is not None:
            self.images.set_path(images)
        self.setMinimumWidth(600)
        (self.truth if masks and images else self.images).setFocus()

    def _coco_row(self) -> QWidget:
        row = QWidget()
        side_by_side = QHBoxLayout(row)
        side_by_side.setContentsMargins(0, 0, 0, 0)
        side_by_side.setSpacing(8)
        side_by_side.addWidget(self.coco, 1)
        side_by_side.addWidget(self.coco_as)
        row.setFocusProxy(self.coco)
        return row

    def _take_coco(self, text: str) -> None:
        """A COCO file names its classes itself; without one there is nothing to read it as."""
        given = bool(text.strip())
        self.coco_as.setEnabled(given)
        self.coco_as.setToolTip("" if given else "Choose a COCO file first.")
        self.classes.setEnabled(not given)
        self.classes.setToolTip("The categories of the COCO file are the classes." if given else "")

    def _images_folder(self) -> Path:
        path = self.images.path
        return path.parent if path is not None else Path.home()

    def _suggest(self, text: str) -> None:
        path = Path(text)
        if text and not self.name.isModified():
            generic = path.name.casefold() in ("images", "imgs", "pictures", "data")
            self.name.setText(path.parent.name if generic else path.name)
        if text and path.parent.is_dir() and path.is_absolute():
            self.place.set_path(path.parent)

    def _say_what_is_held_out(self) -> None:
        """Under the field, where it is too little for a score; of the names only, so at once."""
        folder, known = self.images.path, self._names
        group_by, hold_out = self.group_by.text().strip(), self.hold_out.text().strip()

        def work() -> tuple[Path | None, tuple[str, ...], str]:
            from segcore.projects.matching import images_in

            try:
                names = known[1] if folder == known[0] else tuple(images_in(folder or Path()))
            except (MaskwrightError, OSError):
                return None, (), ""  # said when the project is made
            return folder, names, _few_held_out(names, group_by, hold_out)

        def show(found: tuple[Path | None, tuple[str, ...], str]) -> None:
            if isValid(self):
                self._names = found[:2]
                self._held_note.tell(found[2], "warning")

        if folder is None:
            self._held_note.tell("")
        else:
            self.host.workspace.background.run_latest("held out", work, show)

    def plan(self) -> Any:
        """What was filled in, as `NewProject`.

        Raises
        ------
        MaskwrightError : a field is missing or makes no sense.
        """
        from segcore.base import ClassSet
        from segcore.projects.new import NewProject
        from segcore.projects.splits import HoldOut

        if self.images.path is None:
            raise MaskwrightError("Choose a folder of images.")
        name = self.name.text().strip().removesuffix(".maskwright")
        if not name:
            raise MaskwrightError("Give the project a name.")
        coco = self.coco.path
        chosen = self.classes.currentData() if coco is None else ""
        return NewProject(
            path=(self.place.path or Path.home()) / f"{name}.maskwright",
            images=self.images.path,
            truth=self.truth.path,
            predictions=self.predictions.path,
            labels=self.labels.path,
            classes=ClassSet.load(chosen) if chosen else None,
            instances=self.instances.text().strip() or None,
            group_by=self.group_by.text().strip() or None,
            hold_out=HoldOut.parse(self.hold_out.text().strip() or "none"),
            as_stack=self.as_stack.isChecked(),
            coco=coco,
            coco_as=self.coco_as.currentData(),
        )

    def run(self) -> None:
        """Make the project beside the GUI thread, then open it."""
        if self._complains():
            return
        try:
            plan = self.plan()
        except MaskwrightError as error:
            self.say(str(error))
            return
        self.say("")
        self.main_button.setEnabled(False)
        told = self.advanced

        def work() -> Any:
            from segcore.projects.new import create_project

            return create_project(plan, told.emit)

        self.host.workspace.background.run(work, self._done, self._failed)

    def _complains(self) -> bool:
        """Say under its field what is missing or cannot be read; the first one gets the focus."""
        from segcore.projects.splits import BadSplit, HoldOut, groups_of

        wrong: list[QWidget] = []

        def complain(field: QWidget, note: FieldNote, text: str) -> None:
            note.complain(text)
            wrong.append(field)

        if self.images.path is None:
            complain(self.images, self._images_note, "Choose a folder of images.")
        if not self.name.text().strip():
            complain(self.name, self._name_note, "Give the project a name.")
        for field, note, check in (
            (self.group_by, self._group_note, lambda text: groups_of([], text or None)),
            (self.hold_out, self._held_note, lambda text: HoldOut.parse(text or "none")),
        ):
            try:
                check(field.text().strip())
            except BadSplit as error:
                complain(field, note, str(error))
        if wrong:
            self.look_at(wrong[0])
        return bool(wrong)

    def _advance(self, title: str, done: int, total: int) -> None:
        self.show_progress(done, total)
        self.say(f"{title}, {done:,} of {total:,}", "muted")

    def _done(self, made: Any) -> None:
        self.accept()
        self.host.open_path(made.path)
        hints = list(made.hints)
        annotated = made.matched.get("annotations")
        if annotated is not None and annotated.without_file:
            count = len(annotated.without_file)
            one = "1 image has no annotations."
            hints.insert(0, one if count == 1 else f"{count:,} images have no annotations.")
        if made.refused:
            hints.insert(0, _left_out(made.refused))
        if made.perhaps_objects:
            found = f"{len(made.classes):,} classes were found in the masks."
            hints.insert(0, f"{found} If their numbers are single objects, {_OBJECTS}")
        from app.workspace import Message

        self.host.workspace.post(
            Message(f"Made {made.path.name} with {made.items:,} items", hint=" ".join(hints[:2]))
        )

    def _failed(self, error: Exception) -> None:
        self.show_progress(0, 0)
        self.main_button.setEnabled(True)
        if not isinstance(error, MaskwrightError):
            self.say("The project could not be made. Details are in the log.")
            return
        from segcore.projects.new import are_objects, is_uneven
        from segcore.projects.splits import BadSplit

        if isinstance(error, BadSplit):
            groups = error.of == "group_by"
            (self._group_note if groups else self._held_note).complain(str(error))
            self.say("")
            self.look_at(self.group_by if groups else self.hold_out)
        elif is_uneven(error):
            self.say(f"{error.message} {_REMEDY}")
            self.look_at(self.as_stack)
        elif are_objects(error):
            self.say(f"{error.message} If the numbers are objects, {_OBJECTS}")
            self.look_at(self.instances)
        else:
            self.say(str(error))


def _few_held_out(names: Sequence[str], group_by: str, hold_out: str) -> str:
    """A sentence where fewer of these images are held out than a score needs, else ""."""
    from segcore.projects.splits import BadSplit, HoldOut, groups_of, held_out
    from segcore.train.preflight import MEASURED_FROM

    try:
        rule = HoldOut.parse(hold_out or "none")
        count = len(held_out(groups_of(names, group_by or None), rule))
    except BadSplit:
        return ""  # said when the project is made
    if rule == HoldOut(0.0) or count >= MEASURED_FROM:
        return ""
    verb = "is" if count == 1 else "are"
    images = "1 image" if len(names) == 1 else f"{len(names):,} images"
    return f"{count} of {images} {verb} held out; new models are scored from {MEASURED_FROM} on."


def _left_out(refused: Any) -> str:
    """What could not be opened, in a sentence or two."""
    from segcore.projects.new import is_uneven

    count = len(refused)
    text = (
        "1 image could not be opened and is left out."
        if count == 1
        else f"{count} images could not be opened and are left out."
    )
    uneven = [error for _, error in refused if is_uneven(error)]
    return f"{text} {uneven[0].message} {_REMEDY}" if uneven else text
