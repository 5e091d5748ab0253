"""Pan: dragging moves the picture. With every other tool Space or the middle button does it."""

from __future__ import annotations

from app.tools.tool import Tool
from app.workspace.gesture import Mark


class Pan(Tool):
    """Move the picture."""

    id = "pan"
    name = "Pan"
    icon = "hand"
    key = "H"
    help = "Drag the picture. Space or the middle button does it with any tool."
    group = "move"
    cursor = Mark.HAND
    moves_view = True
