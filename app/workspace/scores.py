"""Scores of the open item against its truth, following each stroke; areas where there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.workspace.background import Background
from segcore import metrics
from segcore.labels import Labels, Patch


@dataclass(frozen=True)
class Scores:
    """What the panels show of one item.

    Parameters
    ----------
    iou, dice : class id -> score; NaN where the class is in neither.
    mean_iou, mean_dice, counted : means and how many classes they cover; NaN and 0 without truth.
    pixel_accuracy : share of scored pixels that are right.
    left_out : share of pixels that truth leaves out.
    areas : class id -> pixels of the label.
    since_opened : change of the mean IoU since the item was opened.
    trend : mean IoU after each step since then, the first one when it was opened.
    has_truth : False if there is nothing to compare with.
    """

    iou: dict[int, float] = field(default_factory=dict)
    dice: dict[int, float] = field(default_factory=dict)
    mean_iou: float = math.nan
    mean_dice: float = math.nan
    counted: int = 0
    pixel_accuracy: float = math.nan
    left_out: float = 0.0
    areas: dict[int, int] = field(default_factory=dict)
    since_opened: float = math.nan
    trend: tuple[float, ...] = ()
    has_truth: bool = False


EMPTY = Scores()


def scores_of(item: Any, classes: Any, trend: tuple[float, ...], areas: dict[int, int]) -> Scores:
    """Scores from the item's kept confusion matrix; may read the store."""
    matrix = item.confusion
    if matrix is None:
        return Scores(areas=areas)
    ids = [int(c.id) for c in classes.scored]
    iou, dice = metrics.iou(matrix), metrics.dice(matrix)
    mean_iou, counted = metrics.mean(iou)
    mean_dice, _ = metrics.mean(dice)
    pixels = item.shape.z * item.shape.y * item.shape.x
    steps = (*trend, float(mean_iou))
    return Scores(
        iou=dict(zip(ids, iou.tolist(), strict=False)),
        dice=dict(zip(ids, dice.tolist(), strict=False)),
        mean_iou=float(mean_iou),
        mean_dice=float(mean_dice),
        counted=int(counted),
        pixel_accuracy=float(metrics.pixel_accuracy(matrix)),
        left_out=1.0 - float(np.sum(matrix)) / max(1, pixels),
        areas=areas,
        since_opened=steps[-1] - steps[0],
        trend=steps,
        has_truth=True,
    )


class Scorekeeper(QObject):
    """Keeps the scores of the open item up to date, beside the GUI thread."""

    changed = Signal(object)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._item: Any = None
        self._classes: Any = None
        self._areas: dict[int, int] = {}
        self._trend: tuple[float, ...] = ()
        self.scores = EMPTY

    def open(self, item: Any, classes: Any, labels: Labels | None) -> None:
        """Begin with another item, or with none."""
        self._item, self._classes = item, classes
        self._trend, self._areas = (), {}
        self.scores = EMPTY
        if item is None or labels is None:
            self.changed.emit(EMPTY)
            return

        def counted(areas: dict[int, int]) -> None:
            if item is self._item:
                self._areas = areas
                self._refresh()

        self._background.run(labels.counts, counted)

    def follow(self, patch: Patch | None) -> None:
        """The labels have changed by `patch`."""
        if patch is not None:
            for class_id, (gained, lost) in patch.pixels.items():
                self._areas[class_id] = self._areas.get(class_id, 0) + gained - lost
        self._refresh()

    def _refresh(self) -> None:
        item, classes = self._item, self._classes
        trend, areas = self._trend, dict(self._areas)
        if item is None:
            return

        def show(scores: Scores) -> None:
            if item is not self._item:
                return
            self.scores = scores
            self._trend = scores.trend[-200:]
            self.changed.emit(scores)

        self._background.run_latest("scores", lambda: scores_of(item, classes, trend, areas), show)
