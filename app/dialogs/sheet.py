"""The frame of every dialog: title, body, an error under it, buttons with verbs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.body_area import BodyArea
from app.dialogs.choosing import choose_file, choose_folder
from app.dialogs.host import DialogHost
from app.theme import theme
from app.theme.controls import ThemedLabel, button, icon_button, label, line, set_tone

_MARGIN = 16
_TITLE_BAR = 32  # logical pixels, until the system has drawn one


class Sheet(QDialog):
    """A dialog that does not stop the window behind it.

    It grows with what is said in it, as far as the screen has room.

    Parameters
    ----------
    title : of the page, sentence case.
    verb : on the main button; "" for a dialog that only shows.
    scrolls : the body scrolls where the screen has no room for all of it; not for a body that has
        a list of its own that scrolls.
    """

    def __init__(
        self,
        host: DialogHost,
        title: str,
        verb: str = "",
        icon: str = "",
        *,
        scrolls: bool = False,
    ) -> None:
        theme().finish()
        super().__init__(host.widget)
        self.host = host
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(False)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(8)
        self.error = label(tone="danger")
        self.error.setWordWrap(True)
        self.error.hide()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.hide()
        self.close_button = button("Cancel" if verb else "Close", run=self.reject)
        self.main_button = button(verb, icon, tone="primary", run=self.run)
        self.main_button.setVisible(bool(verb))
        self.main_button.setDefault(bool(verb))
        self.foot = QHBoxLayout()
        self.foot.setSpacing(8)
        self.foot.addStretch(1)
        self.foot.addWidget(self.close_button)
        self.foot.addWidget(self.main_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        outer.setSpacing(12)
        outer.addWidget(label(title, kind="page"))
        self._area = BodyArea(self.body) if scrolls else None
        if self._area is None:
            outer.addLayout(self.body, 1)
        else:
            outer.addWidget(self._area, 1)
        outer.addWidget(self.error)
        outer.addWidget(self.progress)
        outer.addWidget(line())
        outer.addLayout(self.foot)

    def showEvent(self, event: QShowEvent) -> None:
        self._grow()  # first: it is put into the middle of the window with the size it has
        super().showEvent(event)
        focused = self.focusWidget()
        if focused is None or isinstance(focused, QPushButton):
            # A ring belongs where somebody went by keyboard, not on a button at the start.
            self.setFocus(Qt.FocusReason.OtherFocusReason)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            self._grow()
        return done

    def room(self) -> int:
        """How high the dialog can be on this screen, in logical pixels."""
        frame = self.frameGeometry().height() - self.height()
        return self.screen().availableGeometry().height() - max(frame, _TITLE_BAR)

    def _grow(self) -> None:
        """High enough for all sentences: a dialog on screen does not follow wrapped text by
        itself, its fields are squeezed instead."""
        layout = self.layout()
        if layout is None:
            return
        # A least width that was set by hand stands, also where larger text needs more.
        width = max(self.width(), layout.totalMinimumSize().width())
        if self._area is not None:
            self._area.ask_for(width - 2 * _MARGIN)
        layout.activate()
        wraps = layout.hasHeightForWidth()
        if self._area is None:  # lists may have been made lower than they would like to be
            least = layout.totalMinimumSize().height()
            wanted = layout.totalMinimumHeightForWidth(width) if wraps else least
        else:
            wanted = layout.totalHeightForWidth(width) if wraps else layout.totalSizeHint().height()
        height = max(self.height(), min(wanted, self.room()))
        if (width, height) == (self.width(), self.height()):
            return
        self.resize(width, height)
        below = self.frameGeometry().bottom() - self.screen().availableGeometry().bottom()
        if self.isVisible() and below > 0:
            self.move(self.x(), max(self.screen().availableGeometry().top(), self.y() - below))

    def look_at(self, field: QWidget) -> None:
        """Put the focus into a field, and what stands under it into sight."""
        field.setFocus()
        if self._area is not None:
            # A sentence that came just now moves the fields when its layout is asked for.
            QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
            self._area.ensureWidgetVisible(field, 0, 3 * field.height())

    def run(self) -> None:
        """What the main button does."""
        self.accept()

    def say(self, text: str, tone: str = "danger") -> None:
        """A sentence under the fields; "" takes it away."""
        self.error.setText(text)
        set_tone(self.error, tone)
        self.error.setVisible(bool(text))

    def drop_error(self) -> None:
        """Take a red sentence away: something that it may have spoken of is another now."""
        if self.error.property("tone") == "danger":
            self.say("")

    def show_progress(self, done: int, total: int) -> None:
        """How far work is that was started here."""
        self.progress.setVisible(total > 0)
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(done)


class Form(QWidget):
    """Labels at the left, fields at the right, a muted sentence under a field."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)
        self._rows = 0

    def add(self, title: str, field: QWidget, help_text: str = "") -> FieldNote:
        """One row; gives the sentence under the field."""
        name = label(title)
        name.setBuddy(field)
        field.setAccessibleName(title)
        self._grid.addWidget(name, self._rows, 0, Qt.AlignmentFlag.AlignVCenter)
        self._grid.addWidget(field, self._rows, 1)
        said = FieldNote(help_text)
        self._grid.addWidget(said, self._rows + 1, 1)
        self._rows += 2
        return said

    def add_heading(self, title: str) -> None:
        made = label(title, kind="group")
        made.setContentsMargins(0, 8, 0, 0)
        self._grid.addWidget(made, self._rows, 0, 1, 2)
        self._rows += 1

    def add_wide(self, field: QWidget) -> None:
        self._grid.addWidget(field, self._rows, 0, 1, 2)
        self._rows += 1


class FieldNote(ThemedLabel):
    """The sentence under a field: what it is for, or what is wrong with what it holds.

    Parameters
    ----------
    help_text : what it is for; "" takes no room.
    """

    def __init__(self, help_text: str = "") -> None:
        super().__init__(help_text, "small")
        self._help = help_text
        self._told = ("", "muted")
        self.setWordWrap(True)
        self.complain("")

    def tell(self, text: str, tone: str = "muted") -> None:
        """Say what follows from what the field holds, instead of the help; "" has that again."""
        self._told = (text, tone)
        if self.property("tone") != "danger":
            self.complain("")

    def complain(self, text: str) -> None:
        """Say what is wrong; "" has what was told, or the help, stand there again."""
        told, tone = self._told
        self.setText(text or told or self._help)
        self.set_tone("danger" if text else tone if told else "muted")
        self.setVisible(bool(self.text()))


class FolderField(QWidget):
    """A path that can be typed or chosen."""

    def __init__(self, title: str, start: Callable[[], Path] = Path.home) -> None:
        super().__init__()
        self._title, self._start = title, start
        self.edit = QLineEdit()
        self.edit.setClearButtonEnabled(False)
        browse = icon_button("folder-open", f"Choose: {title}", run=self._browse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.edit, 1)
        row.addWidget(browse)
        self.setFocusProxy(self.edit)

    @property
    def path(self) -> Path | None:
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else None

    def set_path(self, path: Path) -> None:
        self.edit.setText(str(path))

    def _browse(self) -> None:
        self._ask(self.path or self._start())

    def _ask(self, start: Path) -> None:
        choose_folder(self, self._title, start, self.set_path)


class FileField(FolderField):
    """A file that can be typed or chosen.

    Parameters
    ----------
    kind : what the system's dialog shows, such as "COCO annotations (*.json)".
    """

    def __init__(self, title: str, kind: str, start: Callable[[], Path] = Path.home) -> None:
        super().__init__(title, start)
        self._kind = kind

    def _ask(self, start: Path) -> None:
        choose_file(self, self._title, start, self._kind, self.set_path)
