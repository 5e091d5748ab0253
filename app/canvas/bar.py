"""The bar of what waits for an answer: Take or Drop. It gives way to the mouse."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from app.theme import theme
from app.theme.buttons import KeyButton
from app.theme.controls import label
from app.theme.icons import pixmap
from app.workspace import Pending, Workspace

HEIGHT = 44
_EDGE = 12


class PendingBar(QFrame):
    """44 px at the canvas's lower edge, or the upper one while the mouse is under it."""

    def __init__(self, workspace: Workspace, parent: QWidget) -> None:
        super().__init__(parent)
        self._at_top = False
        self._workspace = workspace
        self.setObjectName("pendingBar")
        self.setFixedHeight(HEIGHT)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setProperty("floating", True)
        self._icon = QLabel()
        self.title = label(kind="group")
        self.detail = label()
        self.hint = label(tone="muted")
        self.drop = KeyButton("Drop", "x", "Esc", tone="flat")
        self.drop.setToolTip("Drop (Esc)\nForget the previewed region.")
        self.take = KeyButton("Take", "check", "Enter", tone="primary")
        self.take.setToolTip("Take (Enter)\nPut the previewed region into the mask.")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        for widget in (self._icon, self.title, self.detail, self.hint):
            row.addWidget(widget)
        row.addSpacing(16)
        row.addWidget(self.drop)
        row.addWidget(self.take)
        # The canvas keeps the keys: Enter and Esc answer whatever was clicked last.
        for button in (self.drop, self.take):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.take.clicked.connect(workspace.take_pending)
        self.drop.clicked.connect(workspace.drop_pending)
        workspace.preview_changed.connect(self.show_pending)
        theme().changed.connect(self._renew)
        self.hide()

    def _renew(self) -> None:
        """The icon is drawn again in another theme."""
        self.show_pending(self._workspace.pending)

    def show_pending(self, pending: Pending | None) -> None:
        """Show what waits, or nothing."""
        if pending is None:
            self.hide()
            return
        self._icon.setPixmap(pixmap(pending.icon, "text", 20, self.devicePixelRatioF()))
        self.title.setText(pending.title)
        self.detail.setText(pending.detail)
        self.hint.setText(pending.hint)
        self.hint.setVisible(bool(pending.hint))
        if self.isHidden():
            self._at_top = False
            self.show()
            canvas = self.parentWidget()
            if canvas is not None and canvas.underMouse():
                self.place()
                self._at_top = self._near().contains(canvas.mapFromGlobal(QCursor.pos()))
        self.place()
        self.raise_()

    def place(self) -> None:
        """Where it belongs on a canvas of this size."""
        canvas = self.parentWidget()
        if canvas is None:
            return
        room = canvas.width() - 2 * _EDGE
        self.hint.setVisible(bool(self.hint.text()))
        if self.sizeHint().width() > room:
            self.hint.hide()
        self.resize(min(self.sizeHint().width(), room), HEIGHT)
        top = _EDGE if self._at_top else canvas.height() - HEIGHT - _EDGE
        self.move((canvas.width() - self.width()) // 2, top)

    def avoid(self, at: QPoint) -> None:
        """The mouse comes near while it draws: go to the other edge.

        Without a button held it comes to click.
        """
        if self.isVisible() and self._near().contains(at):
            self._at_top = not self._at_top
            self.place()

    def _near(self) -> QRect:
        return self.geometry().adjusted(-_EDGE, -_EDGE, _EDGE, _EDGE)
