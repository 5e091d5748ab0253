"""One action: everything that menus, shortcuts, tooltips, palette and keys page show of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field

from app.actions.conditions import ALWAYS, Condition
from app.actions.host import Host
from app.workspace import Workspace
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Action:
    """One row of the table.

    Parameters
    ----------
    id : ``area.verb``.
    title : sentence case; ``{undo}`` and ``{redo}`` stand for the name of the item's step,
        ``{class_undo}`` and ``{class_redo}`` for that of the change of classes; an ellipsis if
        more input follows.
    icon : name of a drawing in resources/icons.
    tip : one sentence.
    run : what it does.
    keys : shortcuts, the shown one first.
    menu : ``menu/group``; groups are divided by a line; "" is in no menu (but in the palette).
    when : the condition, with its reason.
    checked : for one that is on or off: whether it is on.
    """

    id: str
    title: str
    icon: str
    tip: str
    run: Callable[[Host], object] = field(compare=False)
    keys: tuple[str, ...] = ()
    menu: str = ""
    when: Condition = field(default=ALWAYS, compare=False)
    checked: Callable[[Workspace], bool] | None = field(default=None, compare=False)

    @property
    def plain_title(self) -> str:
        """The title without names of steps, for lists of what there is."""
        return re.sub(r":? *{\w+}", "", self.title)

    def title_for(self, workspace: Workspace) -> str:
        """The title with the names of the steps that undo and redo would act on."""
        title = self.title
        if "{" in title:
            steps = workspace.project_steps
            title = title.format(
                undo=workspace.undo_name,
                redo=workspace.redo_name,
                class_undo=steps.undoable.name if steps.undoable is not None else "",
                class_redo=steps.redoable.name if steps.redoable is not None else "",
            )
        return title.strip().removesuffix(":")
