"""Predictions as they come from the core: piece by piece on the screen, then whole in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.workspace import review
from app.workspace.job import JobRow
from app.workspace.messages import Message
from app.workspace.planes import IncomingPlanes
from app.workspace.state import PredictedTile
from segcore.base import Rect

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace


class Arrivals:
    """The answers to predictions that are under way, by the numbers of their jobs."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._planes: dict[int, IncomingPlanes] = {}

    def expect(self, number: int, item: Any) -> None:
        """A prediction of this item was handed in."""
        classes = self._workspace.project.classes
        things = [int(c.id) for c in classes.active if c.thing]
        self._planes[number] = IncomingPlanes(item.shape, things)

    def drop(self, number: int) -> None:
        """No more of it comes."""
        self._planes.pop(number, None)

    def clear(self) -> None:
        self._planes.clear()

    def take_tile(self, event: Any, row: JobRow) -> None:
        """A finished piece of a slice."""
        planes = self._planes.get(event.number)
        if planes is not None:
            planes.put(event)
            self._show(event, row)

    def take_objects(self, event: Any, row: JobRow) -> None:
        """The objects of a slice, and its classes with them."""
        planes = self._planes.get(event.number)
        if planes is not None:
            planes.put_objects(event)
            self._show(event, row)

    def _show(self, event: Any, row: JobRow) -> None:
        item = self._workspace.item
        if item is not None and row.item_id == item.id:
            tile = PredictedTile(event.z, Rect(*event.rect), event.classes)
            self._workspace.prediction_tile_arrived.emit(tile)

    def store(self, event: Any, row: JobRow) -> None:
        """All of it is there: keep it, and adopt it where nobody has worked."""
        planes = self._planes.pop(event.number, None)
        project = self._workspace.project
        if planes is None or project is None:
            return
        item = project.items.by_id(row.item_id)

        def store() -> Any:
            known = {layer.id for layer in item.predictions.values()}
            layer = project.store_prediction(
                item,
                event.model_name,
                event.model_digest,
                planes.classes,
                confidence=planes.confidence,
                margin=planes.margin,
                **planes.objects,
            )
            return layer, project.adopt(item, layer), layer.id in known

        self._workspace.background.run(store, lambda result: self._stored(row, item, *result))
        if event.unmapped and not row.ahead:
            names = ", ".join(event.unmapped)
            self._workspace.post(
                Message(
                    f"{event.model_name} also knows {names}; this project does not.",
                    hint="Those pixels stay unlabelled.",
                )
            )

    def _stored(self, row: JobRow, item: Any, layer: Any, adopted: Any, known: bool) -> None:
        workspace = self._workspace
        if workspace.project is None:
            return
        workspace.queue.state_changed(item.id, workspace.project.items.by_id(item.id).state)
        review.ask_again(workspace, layer)
        if workspace.item is not None and workspace.item.id == item.id:
            workspace.show_prediction(layer, proposal=adopted is None)
            if known and adopted is not None and not row.ahead:
                workspace.tell(f"{layer.model} predicted the same as before")
        workspace.jobs_changed.emit()
