"""The order in which items come up, and the numbers of a queue row.

Ten thousand items are ten thousand small rows: nothing is computed for a row that nobody sees,
except the scores when the order asks for them, and those beside the GUI thread.
"""

from __future__ import annotations

import logging
import math
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.workspace.background import Background

log = logging.getLogger(__name__)
STATES: dict[str, str] = {
    "new": "New",
    "predicted": "Predicted",
    "corrected": "Corrected",
    "accepted": "Accepted",
    "rejected": "Rejected",
}


class Queue(QObject):
    """Items of the open project in their order.

    The order is frozen until it is asked for again: a row must not run away from under the
    mouse because its score changed.
    """

    changed = Signal()
    row_changed = Signal(int)
    progressed = Signal()

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._project: Any = None
        self._order: list[str] = []
        self._rows: dict[str, int] = {}
        self._states: dict[str, str] = {}
        self._scores: dict[str, float] = {}
        self._asked: set[str] = set()
        self._stale: set[str] = set()
        """Items whose label may be another one than that of their score."""
        self.sort = "order"
        self.filter = ""

    # -- reading ------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._order)

    @property
    def order(self) -> list[str]:
        return self._order

    @property
    def accepted(self) -> int:
        return sum(1 for state in self._states.values() if state == "accepted")

    @property
    def total(self) -> int:
        return len(self._states)

    def item_at(self, row: int) -> Any:
        return self._project.items.by_id(self._order[row])

    def row_of(self, item_id: str) -> int:
        """The row of an item, or -1."""
        return self._rows.get(item_id, -1)

    def state(self, item_id: str) -> str:
        return self._states.get(item_id, "new")

    def score(self, item_id: str) -> float | None:
        """Mean IoU as last read: NaN without truth; None if it has not been read yet."""
        return self._scores.get(item_id)

    def neighbour(self, item_id: str, step: int) -> str | None:
        """The item `step` rows further, or None at the end."""
        row = self.row_of(item_id) + step
        return self._order[row] if self._order and 0 <= row < len(self._order) else None

    # -- changing -----------------------------------------------------------------------------

    def load(self, project: Any) -> None:
        """Take the items of a project, or none."""
        self._project = project
        self._scores.clear()
        self._asked.clear()
        self._stale.clear()
        self._states = {} if project is None else {i.id: i.state for i in project.items}
        self.refresh()

    def refresh(self) -> None:
        """Sort again by the chosen order."""
        if self._project is None:
            self._set_order([])
        elif self.sort == "worst":
            self._read_all_scores()
        else:
            self._set_order(self._filtered())

    def set_sort(self, sort: str) -> None:
        self.sort = sort
        self.refresh()

    def set_filter(self, state: str) -> None:
        """Show only items in this state; "" shows all."""
        self.filter = state
        self.refresh()

    def state_changed(self, item_id: str, state: str) -> None:
        self._states[item_id] = state
        self.label_changed(item_id)
        self._touch(item_id)
        self.progressed.emit()

    def label_changed(self, item_id: str) -> None:
        """What was read of its score is old: it is read again when its row is painted."""
        self._asked.discard(item_id)
        self._stale.add(item_id)

    def score_changed(self, item_id: str, mean_iou: float) -> None:
        """The score of an item's label as it is now."""
        self._scores[item_id] = mean_iou
        self._asked.discard(item_id)
        self._stale.discard(item_id)
        self._touch(item_id)

    def want_score(self, item_id: str) -> None:
        """Read the score of a row that is on screen, if it is not known or old."""
        known = item_id in self._scores and item_id not in self._stale
        if known or item_id in self._asked or self._project is None:
            return
        self._asked.add(item_id)
        item = self._project.items.by_id(item_id)

        def take(value: float) -> None:
            if item_id in self._asked:  # else a newer one has come meanwhile, or is asked for
                self.score_changed(item_id, value)

        self._background.run(lambda: _mean_iou(item), take)

    # -- inside -------------------------------------------------------------------------------

    def _filtered(self) -> list[str]:
        if not self.filter:
            return list(self._states)
        return [i for i, state in self._states.items() if state == self.filter]

    def _set_order(self, order: list[str]) -> None:
        self._order = order
        self._rows = {item_id: row for row, item_id in enumerate(order)}
        self.changed.emit()
        self.progressed.emit()

    def _touch(self, item_id: str) -> None:
        row = self.row_of(item_id)
        if row >= 0:
            self.row_changed.emit(row)

    def _badness(self, scores: dict[str, float], item_id: str) -> float:
        """What has no score (no truth, or nothing in the mask yet) comes after what has one."""
        score = scores.get(item_id, math.nan)
        return 2.0 if self.state(item_id) == "new" or math.isnan(score) else score

    def _read_all_scores(self) -> None:
        project = self._project
        if not self._order:
            self._set_order(self._filtered())  # something to look at while scores are read

        def read() -> dict[str, float]:
            return {i.id: _mean_iou(i) for i in list(project.items) if i.state != "new"}

        def sort(scores: dict[str, float]) -> None:
            if project is not self._project or self.sort != "worst":
                return
            self._scores.update(scores)
            self._stale -= scores.keys()
            self._set_order(sorted(self._filtered(), key=lambda i: self._badness(scores, i)))

        self._background.run_latest("queue scores", read, sort)


def _mean_iou(item: Any) -> float:
    value = item.mean_iou
    return math.nan if value is None else float(value)
