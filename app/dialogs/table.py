"""The table of dialogs: name -> what opens it. One dialog of a kind is open at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QDialog

from app.dialogs.choosing import choose_folder
from app.dialogs.host import DialogHost


def open_dialog(name: str, host: DialogHost) -> None:
    """Open the dialog with this name."""
    DIALOGS[name](host)


def open_new_project(host: DialogHost, images: Path) -> None:
    """Begin a project from a folder of images that was dropped on the window."""
    from app.dialogs.new_project import NewProjectDialog

    _show(NewProjectDialog(host, images=images))


def _new(host: DialogHost) -> None:
    from app.dialogs.new_project import NewProjectDialog

    _show(NewProjectDialog(host))


def _import(host: DialogHost) -> None:
    from app.dialogs.new_project import NewProjectDialog

    _show(NewProjectDialog(host, masks=True))


def _open(host: DialogHost) -> None:
    recent = host.workspace.settings.get("memory.recent")
    start = Path(recent[0]).parent if recent else Path.home()
    choose_folder(host.widget, "Open project", start, host.open_path, verb="Open")


def _demo(host: DialogHost) -> None:
    from app.dialogs.demo import open_demo

    open_demo(host)


def _export(host: DialogHost) -> None:
    from app.dialogs.export import ExportDialog

    _show(ExportDialog(host))


def _preferences(host: DialogHost) -> None:
    from app.dialogs.preferences import PreferencesDialog

    _show(PreferencesDialog(host))


def _keys(host: DialogHost) -> None:
    from app.dialogs.keys import KeysDialog

    _show(KeysDialog(host))


def _manual(host: DialogHost) -> None:
    from app.dialogs.manual import ManualDialog

    _show(ManualDialog(host))


def _about(host: DialogHost) -> None:
    from app.dialogs.about import AboutDialog

    _show(AboutDialog(host))


def _palette(host: DialogHost) -> None:
    from app.dialogs.palette import Palette

    _show(Palette(host))


def _classes(host: DialogHost) -> None:
    from app.dialogs.classes import ClassesDialog

    _show(ClassesDialog(host))


def _models(host: DialogHost) -> None:
    from app.dialogs.models import ModelsDialog

    _show(ModelsDialog(host))


def _accept_fill(host: DialogHost) -> None:
    from app.dialogs.accept_fill import AcceptFillDialog

    _show(AcceptFillDialog(host))


def _show(dialog: QDialog) -> None:
    # Never exec: painting and jobs go on beside an open dialog.
    dialog.open()


DIALOGS: dict[str, Callable[[DialogHost], None]] = {
    "new": _new,
    "import": _import,
    "open": _open,
    "demo": _demo,
    "export": _export,
    "preferences": _preferences,
    "keys": _keys,
    "manual": _manual,
    "about": _about,
    "palette": _palette,
    "classes": _classes,
    "models": _models,
    "accept_fill": _accept_fill,
}
