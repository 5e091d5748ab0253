"""Scores of the open item against its truth, following each stroke; areas where there is none."""

from __future__ import annotations

import itertools
import math
from dataclasses import field, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.workspace.background import Background
from segcore import metrics
from segcore.base.dataclass import dataclass
from segcore.labels import Labels, Patch

OBJECTS_UP_TO = 2_000_000
"""Pixels of an item up to which its objects are compared after each step: some tenths of a second
beside the GUI thread. `maskwright evaluate` has no such limit."""


@dataclass(frozen=True)
class ObjectScores:
    """Scores of the objects of one item.

    Parameters
    ----------
    pq : panoptic quality, the mean over the classes of things that occur (PQ over things,
        Kirillov et al. 2019): of what `found` counts, without the ground.
    ap50 : average precision at an IoU of 0.5, the mean over the classes with objects.
    found, objects : how many of the truth's objects are met with an IoU above 0.5.
    """

    pq: float = math.nan
    ap50: float = math.nan
    found: int = 0
    objects: int = 0


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
    trend : mean IoU of each state since then that led to the present one, what was undone left
        out. The first mask that a model made by itself is no change: the trend begins with it.
    has_mask : False while no pixel that is compared has a class.
    has_truth : False if there is nothing to compare with.
    objects : of an item whose truth has objects; None where it has none or is too large.
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
    has_mask: bool = False
    has_truth: bool = False
    objects: ObjectScores | None = None


EMPTY = Scores()


def scores_of(item: Any, classes: Any, trend: tuple[float, ...], areas: dict[int, int]) -> Scores:
    """Scores from the item's kept confusion matrix; may read the store.

    Parameters
    ----------
    trend : of the states before.
    """
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
        has_mask=bool(matrix[:, :-1].any()),
        has_truth=True,
    )


def has_objects(item: Any) -> bool:
    """Whether the objects of an item are compared in the window."""
    pixels = item.shape.z * item.shape.y * item.shape.x
    truth = item.truth
    return pixels <= OBJECTS_UP_TO and truth is not None and truth.has_plane("instance")


def object_scores_of(item: Any, classes: Any) -> ObjectScores | None:
    """Scores of an item's objects, from its label and truth as they are; reads both."""
    from segcore.projects.evaluating import sides_of
    from segcore.projects.scoring import OBJECT_TASKS, Scoring

    sides = sides_of(item)
    if sides is None:
        return None
    scoring = Scoring(classes, OBJECT_TASKS)
    scoring.add(item.shape, *sides)
    found = scoring.objects()
    assert found is not None
    assert found.panoptic is not None
    assert found.precision is not None
    matched = int(found.panoptic.matched[found.things].sum())
    return ObjectScores(
        float(metrics.mean(found.panoptic.pq[found.things])[0]),
        float(metrics.mean(found.precision.ap50)[0]),
        matched,
        matched + int(found.panoptic.missed[found.things].sum()),
    )


# States of the trend that are kept: the first, from which the change is counted, and the last.
_STATES = 200
_REST_MS = 150


@dataclass(frozen=True)
class _State:
    """A state of the trend, by the step that led to it."""

    step: str
    mean_iou: float
    has_mask: bool


class Scorekeeper(QObject):
    """Keeps the scores of the open item up to date, beside the GUI thread."""

    changed = Signal(object)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._item: Any = None
        self._project: Any = None
        self._areas: dict[int, int] = {}
        self._states: tuple[_State, ...] = ()
        self._uncounted: Labels | None = None
        self.scores = EMPTY
        # Objects are compared when the hand rests, and when the picture is on screen.
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._compare_objects)

    def open(self, item: Any, project: Any, labels: Labels | None) -> None:
        """Begin with another item, or with none; its labels are counted when `count` is called."""
        self._item, self._project = item, project
        self._states, self._areas = (), {}
        self._uncounted = labels
        self._rest.stop()
        self.scores = EMPTY
        if item is None or labels is None:
            self.changed.emit(EMPTY)

    def count(self) -> None:
        """Count the pixels of the open item's labels, once, and score it."""
        labels, self._uncounted = self._uncounted, None
        here = self._areas
        if labels is None:
            return

        def counted(areas: dict[int, int]) -> None:
            if here is self._areas:
                # What was painted while it was counted is in there already.
                for class_id, pixels in areas.items():
                    here[class_id] = here.get(class_id, 0) + pixels
                self._refresh()

        self._background.run(labels.counts, counted)

    def follow(self, patch: Patch | None) -> None:
        """The labels have changed by `patch`; None: the classes have."""
        if patch is not None:
            for class_id, (gained, lost) in patch.pixels.items():
                self._areas[class_id] = self._areas.get(class_id, 0) + gained - lost
        self._refresh()

    def _refresh(self) -> None:
        item, project = self._item, self._project
        states, areas = self._states, dict(self._areas)
        if item is None:
            return

        def work() -> tuple[Scores, tuple[_State, ...]]:
            step = project.scribe.last_step(item.id)
            before = tuple(itertools.takewhile(lambda state: state.step != step, states))
            if before and not before[-1].has_mask and _is_adoption(project, item.id, step):
                before = ()
            trend = tuple(state.mean_iou for state in before)
            scores = scores_of(item, project.classes, trend, areas)
            if scores.has_truth:
                before = (*before, _State(step, scores.mean_iou, scores.has_mask))
            return scores, before

        def show(result: tuple[Scores, tuple[_State, ...]]) -> None:
            if item is not self._item:
                return
            scores, kept = result
            # Those of the objects come after; the last ones stay until they do.
            self.scores = replace(scores, objects=self.scores.objects)
            self._states = (*kept[:1], *kept[1:][1 - _STATES :])
            self.changed.emit(self.scores)
            if scores.has_truth and has_objects(item):
                self._rest.start()

        self._background.run_latest("scores", work, show)

    def _compare_objects(self) -> None:
        item, project = self._item, self._project
        if item is None:
            return

        def show(objects: ObjectScores | None) -> None:
            if item is self._item:
                self.scores = replace(self.scores, objects=objects)
                self.changed.emit(self.scores)

        self._background.run_latest(
            "objects", lambda: object_scores_of(item, project.classes), show
        )


def _is_adoption(project: Any, item_id: str, step: str) -> bool:
    """Whether a step is a model's prediction that became the label without being asked for."""
    rows = project.scribe.history(item_id)
    return any(row.event_id == step and row.kind == "adopt" for row in rows)
