"""A part that floats over the canvas and asks for its place when it is shown."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QWidget


class Floating(QFrame):
    """Hidden at first; `placed` is called when it comes, goes or has changed its size."""

    def __init__(self, ground: QWidget) -> None:
        super().__init__(ground)
        self.setProperty("floating", True)
        self.placed: Callable[[], None] = lambda: None
        self.hide()

    def showEvent(self, event: object) -> None:
        self.placed()

    def hideEvent(self, event: object) -> None:
        self.placed()

    def fit(self, room: int) -> None:
        """There is so much room sideways; what can be shorter becomes shorter."""
