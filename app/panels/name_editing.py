"""Writing the names of classes in their rows, and of one that is added."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from app.panels.name_field import NameField
from app.workspace import Workspace


class NameEditing(QWidget):
    """The part of the rows that lets a name be written; it draws nothing."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._editor: NameField | None = None
        self._adding = False

    def row_rect(self, class_id: int) -> QRect:
        """Where the row of a class is; 0 is the one below the last."""
        raise NotImplementedError

    @property
    def name_width(self) -> int:
        """Room for a name that is written."""
        raise NotImplementedError

    def _resize(self) -> None:
        raise NotImplementedError

    def rename(self, class_id: int) -> None:
        """Edit the name in its row."""
        classes = self._workspace.classes
        if classes is None or self._workspace.read_only or classes.get(class_id) is None:
            return
        area = self.row_rect(class_id)
        self._edit(classes[class_id].name, area, lambda name: self._renamed(class_id, name))

    def add(self) -> None:
        """Write the name of one more class in a row below; it is added when its name is taken."""
        classes = self._workspace.classes
        if classes is None or self._workspace.read_only:
            return
        self.finish_editing()
        self._adding = True
        self._resize()
        self._edit(classes.free_name(), self.row_rect(0), self._added)
        if self._editor is not None:
            self._editor.destroyed.connect(self._end_adding)

    def _edit(self, name: str, area: QRect, taken: Callable[[str], None]) -> None:
        self.finish_editing()
        area.setLeft(48)
        area.setWidth(self.name_width)
        self._editor = NameField(name, area, self)
        self._editor.taken.connect(taken)

    def finish_editing(self, *, take: bool = True) -> None:
        """Take the name that is being written, or drop it."""
        editor, self._editor = self._editor, None
        if editor is not None and isValid(editor):
            (editor.take if take else editor.drop)()

    def _end_adding(self) -> None:
        if isValid(self):
            self._adding = False
            self._resize()

    def _is_free(self, name: str, class_id: int = 0) -> bool:
        classes = self._workspace.classes
        other = None if classes is None else classes.by_name(name)
        if other is None or int(other.id) == class_id:
            return True
        self._workspace.tell(f'There is a class "{name}" already')
        return False

    def _renamed(self, class_id: int, name: str) -> None:
        classes = self._workspace.classes
        if classes is None or not name or name == classes[class_id].name:
            return
        if self._is_free(name, class_id):
            self._workspace.set_classes(classes.changed(class_id, name=name))

    def _added(self, name: str) -> None:
        classes = self._workspace.classes
        if classes is None or not name or not self._is_free(name):
            return
        self._workspace.set_classes(classes.added(name))
        fresh = self._workspace.classes
        if fresh is not None:
            self._workspace.set_active_class(int(fresh.classes[-1].id))
