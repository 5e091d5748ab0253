"""What may float over the canvas: a banner (it stays true), a toast (it happened), and the bar of
a proposal that waits for an answer."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.actions.action_set import ActionSet
from app.canvas.viewed import ViewedWidget
from app.theme.controls import button, icon_button, label
from app.theme.icons import pixmap
from app.window.floating import Floating
from app.window.proposal_bar import ProposalBar
from app.workspace import Message, Workspace

TOAST_MS = 6000
# From the lower edge to the bar, and from the bar to a fitted picture.
_FOOT, _CLEAR = 12, 8
_MARKS = {
    "plain": ("circle-check", "success"),
    "success": ("circle-check", "success"),
    "warning": ("triangle-alert", "warning"),
    "danger": ("triangle-alert", "danger"),
}


class Overlays(QObject):
    """Keeps the floating parts in their places over the canvas.

    Parameters
    ----------
    ground : the widget they float over; it leaves room for the bar, which stays for long.
    """

    def __init__(self, workspace: Workspace, actions: ActionSet, ground: ViewedWidget) -> None:
        super().__init__(ground)
        self._ground = ground
        self.banner = Banner(ground)
        self.toast = Toast(ground)
        self.bar = ProposalBar(workspace, actions, ground)
        ground.installEventFilter(self)
        for part in (self.banner, self.toast, self.bar):
            part.placed = self.place
        workspace.message_posted.connect(self._hear)

    def _hear(self, message: Message) -> None:
        if message.kind == "banner":
            self.banner.take(message)
        else:
            self.toast.take(message)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.place()
        return False

    def place(self) -> None:
        """Banner along the top, bar and toast at the bottom centre, the toast above the bar."""
        width, height = self._ground.width(), self._ground.height()
        self.banner.setGeometry(0, 0, width, self.banner.sizeHint().height())
        bottom = height - _FOOT
        for part in (self.bar, self.toast):
            if part.isHidden():
                continue
            part.fit(width - 24)
            size = part.sizeHint()
            w = min(size.width(), width - 24)
            part.setGeometry((width - w) // 2, bottom - size.height(), w, size.height())
            bottom -= size.height() + 8
            part.raise_()
        self.banner.raise_()
        bar = self.bar
        self._ground.leave_room(0 if bar.isHidden() else height - bar.y() + _CLEAR)


class Toast(Floating):
    """One at a time, 6 s, with a button where something can be done."""

    def __init__(self, ground: QWidget) -> None:
        super().__init__(ground)
        self._message: Message | None = None
        self._mark, self.text = QLabel(), label()
        self._hint = label(kind="small", tone="muted")
        self.action = button("", tone="link", run=self._act)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.text)
        words.addWidget(self._hint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(12)
        layout.addWidget(self._mark)
        layout.addLayout(words)
        layout.addWidget(self.action)
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.timeout.connect(self.hide)

    def take(self, message: Message) -> None:
        """Show a message in place of the one before, or take it away where it holds no more."""
        if message.withdrawn:
            if self._message is not None and self._message.key == message.key:
                self.hide()
            return
        self._message = message
        mark, role = _MARKS[message.tone]
        self._mark.setPixmap(pixmap(mark, role, 16, self.devicePixelRatioF()))
        self.text.setText(message.text)
        self._hint.setText(message.hint)
        self._hint.setVisible(bool(message.hint))
        self.action.setVisible(message.remedy is not None)
        self.action.setText(message.remedy.title if message.remedy is not None else "")
        self.adjustSize()
        self.show()
        self.placed()
        self._clock.start(TOAST_MS)

    def _act(self) -> None:
        message = self._message
        self.hide()
        if message is not None and message.remedy is not None:
            message.remedy.run()


class Banner(QWidget):
    """Conditions that stay true, the newest one shown, 36 px high; the picture stays put."""

    def __init__(self, ground: QWidget) -> None:
        super().__init__(ground)
        self.placed: Callable[[], None] = lambda: None
        self.setProperty("ground", "raised")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._messages: dict[str, Message] = {}
        self._mark, self.text = QLabel(), label(kind="group")
        self._hint = label(tone="muted")
        self.action = button("", run=self._act)
        self._close = icon_button("x", "Hide this", role="muted", run=self._dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 8, 4)
        layout.setSpacing(8)
        layout.addWidget(self._mark)
        layout.addWidget(self.text)
        layout.addWidget(self._hint)
        layout.addStretch(1)
        layout.addWidget(self.action)
        layout.addWidget(self._close)
        self.setMinimumHeight(36)
        self.hide()

    def take(self, message: Message) -> None:
        """A condition holds, or is over."""
        self._messages.pop(message.key, None)
        if not message.withdrawn:
            self._messages[message.key] = message
        self._show()

    def _show(self) -> None:
        if not self._messages:
            self.hide()
            return
        message = list(self._messages.values())[-1]
        mark, role = _MARKS[message.tone]
        self._mark.setPixmap(pixmap(mark, role, 16, self.devicePixelRatioF()))
        self.text.setText(message.text)
        self._hint.setText(message.hint)
        self.action.setVisible(message.remedy is not None)
        if message.remedy is not None:
            self.action.setText(message.remedy.title)
        self.show()
        self.placed()

    def _act(self) -> None:
        if self._messages:
            message = list(self._messages.values())[-1]
            if message.remedy is not None:
                message.remedy.run()

    def _dismiss(self) -> None:
        if self._messages:
            self._messages.popitem()
        self._show()
