"""Looks: keeps the look of one canvas in step with what is chosen in the workspace."""

from __future__ import annotations

from app.canvas.look import Look, make_look
from app.workspace import Workspace


class Looks:
    """The newest look; `current` is None until something is open."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._made = 0
        self.current: Look | None = None

    def renew(self) -> None:
        """Colours, opacities, visible classes or known sources are others now."""
        workspace = self._workspace
        project = workspace.project
        self._made += 1
        self.current = make_look(
            self._made,
            workspace.classes,
            active=workspace.active_class,
            hidden=workspace.hidden_classes,
            hovered=workspace.hovered_class,
            corrected=frozenset() if project is None else project.person_origins(),
            fill=workspace.fill_opacity,
            outline=workspace.outline_opacity,
            mask_hidden=workspace.mask_hidden,
            solid=workspace.view_mode == "truth",
        )

    @property
    def knows_sources(self) -> bool:
        """False if a person who painted for the first time has a new row of `source`."""
        project, look = self._workspace.project, self.current
        if project is None or look is None:
            return True
        return all(look.corrected[row] for row in project.person_origins())
