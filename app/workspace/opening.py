"""Opening: which item and which slice are on screen, what lies over its picture, and what is read
ahead of the person.

The item before stays whole on screen until the next one is read: no stroke can land between two.
"""

from __future__ import annotations

import logging
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.settings import Settings
from app.workspace.background import Background
from app.workspace.opened import OpenedItem, Shelf, make_resident, open_bundle
from app.workspace.overviews import Overviews
from app.workspace.queue import Queue
from app.workspace.scores import Scorekeeper, Scores
from app.workspace.steps import Steps
from app.workspace.windowing import is_windowed
from segcore.base import ClassSet, Rect
from segcore.images import ImageSource, default_window, full_window
from segcore.labels import Labels

log = logging.getLogger(__name__)

# A picture that is not on screen by then is a slow one; its scores need not wait for it.
_PICTURE_MS = 150
# From the last tile of a picture until it is painted.
_PAINT_MS = 20


class Opening(Steps):
    """The part of the workspace that shows items of the project, one at a time."""

    image_refined = Signal(object)
    """The picture on screen can be read better or faster than before: show it anew."""
    image_grew = Signal(object)
    """One more piece of a picture that is being decoded can be shown."""

    def __init__(self, settings: Settings | None = None, parent: QObject | None = None) -> None:
        super().__init__(settings, parent)
        self.background = Background(2, self)
        # What can wait (scores of the queue, the next item) must not stand before what cannot.
        self.idle = Background(1, self)
        self.requested: str | None = None
        self.z = 0
        self.truth: Labels | None = None
        self.model: Any = None
        self.proposal: Any = None
        self.dropped: Any = None
        """The prediction that would be the proposal, had the person not said no to it."""
        self.image: ImageSource | None = None
        self.windowed = False
        """The open picture is looked at through a window that people change; see `is_windowed`."""
        self._windows: dict[str, tuple[float, float]] = {}
        self._slices: dict[str, int] = {}
        self._shelf = Shelf(self._open_bundle)
        self.queue = Queue(self.idle, self)
        self.queue.sort = self.settings.get("correct.sort")
        self.scorekeeper = Scorekeeper(self.background, self)
        self.overviews = Overviews(self)
        self._behind = QTimer(self)
        self._behind.setSingleShot(True)
        self._behind.timeout.connect(self._go_on)
        self.step_turned.connect(self._show_slice_of)
        self.queue.changed.connect(self.queue_changed)
        self.scorekeeper.changed.connect(self._show_scores)
        self.classes_changed.connect(lambda _: self.scorekeeper.follow(None))
        self.background.failed.connect(self.report)
        self.idle.failed.connect(self.report)

    @property
    def classes(self) -> ClassSet | None:
        return None if self.project is None else self.project.classes

    def _forget_items(self) -> None:
        """The project is closed: nothing is on screen, nothing is kept for later."""
        self._behind.stop()
        self.item = self.labels = self.truth = self.image = None
        self.model = self.proposal = self.dropped = self.pending = self.requested = None
        self.overviews.follow(None, "", "", 0)
        self._shelf.clear()
        self._windows.clear()
        self._slices.clear()
        self.queue.load(None)
        self.scorekeeper.open(None, None, None)

    # -- item and slice -----------------------------------------------------------------------

    def open_item(self, item_id: str) -> None:
        """Ask for an item: it is on screen at once if it was prepared, else when it is read.

        Until then the item before stays whole on screen, so that no stroke can land between two.
        """
        if self.project is None or item_id == self.requested:
            return
        self.requested = item_id
        item = self.project.items.by_id(item_id)
        self.item_requested.emit(item)
        ready = self._shelf.take(item_id)
        if ready is not None:
            self._show(ready)
            return
        self.background.run(
            lambda: self._shelf.prepare(item),
            self._show,
            lambda error: self._cannot_open(item_id, error),
        )

    def reload_item(self) -> None:
        """Read the open item again (its file was found, a prediction was stored)."""
        if self.item is not None:
            self._shelf.spoil(self.item.id)
            self.requested = None
            self.open_item(self.item.id)

    def step(self, step: int) -> None:
        """Go `step` rows on in the queue."""
        if self.requested is None:
            return
        neighbour = self.queue.neighbour(self.requested, step)
        if neighbour is not None:
            self.open_item(neighbour)

    def set_slice(self, z: int) -> None:
        """Show another slice of a volume."""
        if self.labels is None:
            return
        z = min(max(z, 0), self.labels.shape.z - 1)
        if z != self.z:
            self.z = z
            self._slices[self.item.id] = z
            self.slice_changed.emit(z)
            self._warm_slices(z)
            self.overviews.follow(self.image, self.item.name, self.item.id, z)

    def _show_slice_of(self, bounds: tuple[int, int, Rect]) -> None:
        """Go to the nearest slice that undo or redo has changed."""
        first, last, _ = bounds
        self.set_slice(min(max(self.z, first), last))

    def _warm_slices(self, z: int) -> None:
        labels, image = self.labels, self.image

        def warm() -> None:
            for near in (z, z + 1, z - 1):
                if labels is not None and 0 <= near < labels.shape.z:
                    make_resident(labels, near)
                    if image is not None and image.shape.y * image.shape.x <= 1 << 24:
                        image.read(near)

        self.background.run_latest("slices", warm, lambda _: None, lambda _: None)

    def _open_bundle(self, item: Any) -> OpenedItem:
        return open_bundle(
            item,
            self._slices.get(item.id),
            automatic_contrast=self.settings.get("look.automatic_contrast"),
        )

    def _cannot_open(self, item_id: str, error: Exception) -> None:
        if item_id == self.requested:
            self.requested = None if self.item is None else self.item.id
            self.report(error)

    def _show(self, opened: OpenedItem) -> None:
        if self.project is None or opened.item.id != self.requested:
            return
        if opened.stale:  # its labels have changed between the thread that read them and here
            self.requested = None
            self.open_item(opened.item.id)
            return
        self.drop_pending()
        if self.item is not None:
            # Its last strokes may not have been scored yet, and nobody waits for that any more.
            self.queue.label_changed(self.item.id)
        self.item, self.image = opened.item, opened.image
        self.labels, self.truth = opened.labels, opened.truth
        self.model, self.proposal, self.z = opened.model, opened.proposal, opened.z
        self.dropped = None
        if self.proposal is not None and self.proposal.id in self.settings.get("memory.dropped"):
            self.dropped, self.proposal = self.proposal, None
        self.window = self._windows.get(opened.item.id, opened.window)
        self.windowed = opened.image is not None and is_windowed(opened.image, opened.window)
        self._may_undo = self._may_redo = False
        self.overviews.follow(opened.image, opened.item.name, opened.item.id, opened.z)
        self._behind.start(_PICTURE_MS)
        self.item_opened.emit(opened.item)
        self.window_changed.emit(*self.window)
        if opened.error is not None:
            self.image_failed.emit(opened.error)
        else:
            self.image_loaded.emit(opened.image)
        self.labels_changed.emit(opened.labels, None)
        self.proposal_changed.emit(self.proposal)
        self.scorekeeper.open(opened.item, self.project, opened.labels)
        self._refresh_history()

    def picture_shown(self) -> None:
        """All of the open picture is ready to be painted: what can wait may begin after that."""
        if self._behind.isActive():
            self._behind.start(_PAINT_MS)

    def _go_on(self) -> None:
        """Read what comes next; before the picture it would only delay what is shown now."""
        self.scorekeeper.count()
        self._prefetch()

    def refine(self, image: ImageSource, window: tuple[float, float] | None = None) -> None:
        """More of the picture on screen can be read now.

        Parameters
        ----------
        window : that fits it, if it was not known before; a person's own stays.
        """
        if image is not self.image or self.item is None:
            return
        if window is not None:
            self.windowed = is_windowed(image, window)
        if window is not None and self.item.id not in self._windows:
            super().set_window(*window)
        self.image_refined.emit(image)

    def _prefetch(self) -> None:
        if self.item is None or not self.settings.get("model.prefetch"):
            return
        for step in (1, -1):
            near = self.queue.neighbour(self.item.id, step)
            if near is not None and self._shelf.take(near) is None:
                self._prepare(self.project.items.by_id(near))

    def _prepare(self, item: Any) -> None:
        self.idle.run_latest(
            ("prefetch", item.id),
            lambda: self._shelf.prepare(item),
            lambda _: None,
            lambda error: log.info("an item could not be prepared: %s", type(error).__name__),
        )

    def set_window(self, low: float, high: float) -> None:
        """Values shown black and white; remembered for this item."""
        if self.item is not None:
            self._windows[self.item.id] = (low, high)
        super().set_window(low, high)

    def fit_window(self) -> None:
        """Show the slice through a window that is fitted to its values; nobody's own choice."""
        image, item, z = self.image, self.item, self.z
        if image is None or item is None:
            return

        def fitted(window: tuple[float, float]) -> None:
            if self.item is item:
                self._windows.pop(item.id, None)
                super(Opening, self).set_window(*window)

        self.background.run(lambda: default_window(image, z, automatic_contrast=True), fitted)

    @property
    def contrast_is_automatic(self) -> bool:
        """Whether the window was fitted to the values, and neither by the file nor by a person."""
        image, item = self.image, self.item
        if image is None or item is None or item.id in self._windows or image.presets:
            return False
        return self.window != full_window(image)

    # -- what is shown of it ------------------------------------------------------------------

    def _show_scores(self, scores: Scores) -> None:
        if self.item is not None and scores.has_truth:
            self.queue.score_changed(self.item.id, scores.mean_iou)
        self.scores_changed.emit(scores)

    @property
    def awaits_answer(self) -> bool:
        """Something over the picture waits to be taken or dropped."""
        return self.pending is not None or self.proposal is not None

    @property
    def scores(self) -> Scores:
        return self.scorekeeper.scores

    def show_prediction(self, layer: Any, *, proposal: bool) -> None:
        """A prediction of the open item was stored; it waits as a proposal or was adopted."""
        self.model = layer
        self.proposal, self.dropped = (layer if proposal else None), None
        self.proposal_changed.emit(self.proposal)
        self.look_changed.emit()

    @property
    def shown_labels(self) -> Labels | None:
        """The layer that the view shows: label, the model's (a proposal first), or truth."""
        if self.view_mode == "truth":
            return self.truth
        if self.view_mode == "model":
            layer = self.proposal or self.model
            return None if layer is None else layer.labels
        return self.labels

    @property
    def further_labels(self) -> tuple[Labels, ...]:
        """Further layers of what is shown, with the objects that overlap others."""
        if self.item is None or self.view_mode == "model":
            return ()
        truth = self.view_mode == "truth"
        found: tuple[Labels, ...] = self.item.further_truth if truth else self.item.further_labels
        return found

    @property
    def near(self) -> tuple[int, float, float]:
        """The place that the person looks at: (z, y, x)."""
        if self.cursor is not None:
            return self.cursor.z, float(self.cursor.y), float(self.cursor.x)
        if self.labels is None:
            return 0, 0.0, 0.0
        return self.z, self.labels.shape.y / 2, self.labels.shape.x / 2
