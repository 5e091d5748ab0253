"""What an action may ask of the window that it runs in."""

from __future__ import annotations

from typing import Any, Protocol

from PySide6.QtWidgets import QWidget

from app.workspace import Workspace


class Host(Protocol):
    """The window, as far as actions know it."""

    @property
    def workspace(self) -> Workspace: ...

    @property
    def canvas(self) -> Any: ...

    @property
    def widget(self) -> QWidget: ...

    def show_dialog(self, name: str) -> None:
        """Open a dialog of the table of dialogs."""

    def show_training(self, shown: bool | None = None) -> None:
        """Show or hide the fine-tuning sheet; None turns it over."""

    def show_project_history(self) -> None:
        """Show the steps of the project itself."""

    def toggle_sides(self) -> None:
        """Hide both sides, or bring them back."""

    def toggle_canvas_only(self) -> None:
        """Hide all but canvas and status bar, full screen, or bring it back."""

    def set_theme(self, name: str) -> None: ...

    def close_window(self) -> None: ...
