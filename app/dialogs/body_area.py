"""The body of a sheet, scrolled where the screen has no room for all of it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QComboBox, QFrame, QScrollArea, QVBoxLayout, QWidget

_LOWEST_BODY = 96
_BESIDE_BAR = 8


class BodyArea(QScrollArea):
    """Asks for the height of all that is in it, but does not insist.

    With a height for its width it would: Qt's layouts take that for the least height, and squeeze
    the rest of the dialog.
    """

    def __init__(self, body: QVBoxLayout) -> None:
        super().__init__()
        self._page = QWidget()
        self._page.setProperty("ground", "panel")
        self._page.setLayout(body)
        self._wanted = 0
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(self._page)
        self.verticalScrollBar().rangeChanged.connect(
            lambda _, most: body.setContentsMargins(0, 0, _BESIDE_BAR if most > 0 else 0, 0)
        )

    def ask_for(self, width: int) -> None:
        """Want the height that the page has at this width."""
        wraps = self._page.hasHeightForWidth()
        hint = self._page.sizeHint().height()
        wanted = self._page.heightForWidth(width) if wraps else hint
        if wanted != self._wanted:
            self._wanted = wanted
            self.updateGeometry()
        for box in self._page.findChildren(QComboBox):
            box.installEventFilter(self)

    def sizeHint(self) -> QSize:
        hint = self._page.sizeHint()
        return QSize(hint.width(), self._wanted or hint.height())

    def minimumSizeHint(self) -> QSize:
        bar = self.verticalScrollBar().sizeHint().width() + _BESIDE_BAR
        return QSize(self._page.minimumSizeHint().width() + bar, _LOWEST_BODY)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()  # tells the dialog that a sentence came or went
        return done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        wheel = event.type() == QEvent.Type.Wheel
        if wheel and isinstance(watched, QComboBox) and not watched.hasFocus():
            event.ignore()  # who scrolls past a list does not choose from it
            return True
        return super().eventFilter(watched, event)
