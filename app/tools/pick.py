"""Pick: the class under the mouse becomes the active one."""

from __future__ import annotations

from app.tools.tool import Tool
from app.workspace.gesture import Context, Gesture, Mark, Pointer
from segcore.base import Rect


class Pick(Tool):
    """Choose a class by pointing at it."""

    id = "pick"
    name = "Pick class"
    icon = "pipette"
    key = "L"
    help = "Click on a region to paint its class. Alt+click does it with the brush."
    group = "pick"
    cursor = Mark.PICK

    def gesture(self, context: Context) -> Gesture:
        event = yield None
        while not (isinstance(event, Pointer) and event.kind == "release"):
            event = yield None
        y, x = event.pixel
        labels = context.labels
        if labels.extent.contains(y, x):
            index = next(labels.tiles_in(Rect(y, x, 1, 1), context.z))
            tile = labels.tile_resident("class", index)
            if tile is not None:
                z0, rect = labels.tile_rect(index)
                class_id = int(tile[context.z - z0, y - rect.y, x - rect.x])
                if class_id:
                    context.choose_class(class_id)
        return None
