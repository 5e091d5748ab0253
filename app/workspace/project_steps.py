"""Steps of the project itself: changes of its classes, and what was done to many items at once.

They stand in a history of their own, because undo of an item must never rename a class or empty
other items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace


# The toast about a change of the classes that was undone or done again.
_TOLD = "classes"


class ProjectSteps(QObject):
    """The project's history as last read, and its undo and redo."""

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.rows: list[Any] = []
        """Oldest first; a row with a `group` was done to many items."""
        self._class_rows: list[Any] = []
        workspace.project_opened.connect(lambda _: self.refresh())
        workspace.project_closed.connect(self._forget)
        workspace.classes_changed.connect(self._follow_classes)

    # -- reading ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the history again, beside the GUI thread."""
        project = self._workspace.project
        if project is None:
            return

        def show(rows: list[Any]) -> None:
            if project is self._workspace.project:
                self.rows = rows
                self._class_rows = [row for row in rows if row.group is None]
                self.changed.emit()

        self._workspace.background.run_latest("project history", project.history, show)

    def _forget(self) -> None:
        self.rows, self._class_rows = [], []
        self.changed.emit()

    def _follow_classes(self, classes: Any) -> None:
        """The class that tools paint may have gone with an undo."""
        workspace = self._workspace
        workspace.take_back(_TOLD)  # its word would turn another change now
        here = [int(c.id) for c in classes.active]
        if workspace.active_class not in here and here:
            workspace.set_active_class(here[0])
        if workspace.background_class not in (0, *here):
            workspace.set_background_class(0)
        if self._class_rows and workspace.project is not None:
            # In memory since it was read first: undo may be asked for at once.
            self._class_rows = workspace.project.scribe.history(None)
        self.refresh()

    @property
    def undoable(self) -> Any:
        """The change of classes that undo takes back, or None; the first one of all stays."""
        done = [row for row in self._class_rows if row.state == "done"]
        return done[-1] if len(done) > 1 else None

    @property
    def redoable(self) -> Any:
        """The change of classes that redo brings back, or None."""
        return next((row for row in self._class_rows if row.state == "undone"), None)

    def verb(self, row: Any) -> str:
        """What can be done with a row now: "Undo", "Redo" or ""."""
        if self._workspace.read_only:
            return ""
        if row.group is not None:
            return "Undo" if row.state == "done" else "Redo"
        undoable, redoable = self.undoable, self.redoable
        if undoable is not None and row.event_id == undoable.event_id:
            return "Undo"
        return "Redo" if redoable is not None and row.event_id == redoable.event_id else ""

    # -- undo and redo ------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last change of the classes."""
        row = self.undoable
        if row is not None:
            self._turn_classes("undo", row.name)

    def redo(self) -> None:
        """Bring back the last change of the classes that was undone."""
        row = self.redoable
        if row is not None:
            self._turn_classes("redo", row.name)

    def turn(self, row: Any) -> None:
        """Undo or redo a row, whichever its verb says."""
        verb = self.verb(row)
        if row.group is not None and verb:
            self._turn_group(verb, row)
        elif verb == "Undo":
            self.undo()
        elif verb == "Redo":
            self.redo()

    def _turn_classes(self, kind: str, name: str) -> None:
        workspace, project = self._workspace, self._workspace.project
        if project is None or workspace.read_only:
            return

        def done(applied: Any) -> None:
            if applied is None or project is not workspace.project:
                return
            workspace.classes_changed.emit(project.classes)
            workspace.look_changed.emit()
            if kind == "undo":
                workspace.tell(f"Undone: {name}", ("Redo", self.redo), key=_TOLD)
            else:
                workspace.tell(f"Done again: {name}", ("Undo", self.undo), key=_TOLD)

        workspace.background.run(project.undo if kind == "undo" else project.redo, done)

    def _turn_group(self, verb: str, row: Any) -> None:
        workspace, project = self._workspace, self._workspace.project
        if project is None:
            return
        turn = project.undo_group if verb == "Undo" else project.redo_group

        def done(applied: list[Any]) -> None:
            if project is not workspace.project:
                return
            touched = {event.item_id for event in applied}
            for item_id in touched:
                workspace.queue.state_changed(item_id, project.items.by_id(item_id).state)
            if workspace.item is not None and workspace.item.id in touched:
                workspace.reload_item()
            word = "Undone" if verb == "Undo" else "Done again"
            items = "1 item" if len(touched) == 1 else f"{len(touched):,} items"
            if touched:
                workspace.tell(f"{word} in {items}: {row.name}")
            else:
                workspace.tell(f"Nothing changed: later steps were built on {row.name}")
            self.refresh()

        workspace.background.run(lambda: turn(row.group), done)
