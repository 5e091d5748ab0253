"""What a dialog may ask of the window that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from PySide6.QtWidgets import QWidget

from app.workspace import Workspace


class DialogHost(Protocol):
    """The window, as far as dialogs know it."""

    @property
    def workspace(self) -> Workspace: ...

    @property
    def widget(self) -> QWidget: ...

    @property
    def actions_set(self) -> Any: ...

    def show_dialog(self, name: str) -> None: ...

    def show_training(self, shown: bool | None = None) -> None: ...

    def open_path(self, path: Path) -> None: ...
