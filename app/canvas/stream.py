"""Stream: pieces of a prediction as they come, shown until the store has the whole.

They are drafted into labels of their own, in memory only, so everything that draws labels draws
them too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.workspace import PredictedTile
from segcore.base import Shape
from segcore.labels import Draft, Labels


class Stream:
    """The labels that a running prediction has given so far; `labels` is None without one."""

    def __init__(self) -> None:
        self.labels: Labels | None = None

    def take(self, tile: PredictedTile, shape: Shape) -> None:
        """Add a piece."""
        if self.labels is None:
            self.labels = Labels.empty(shape)
        classes: Any = np.asarray(tile.classes)
        draft = Draft(self.labels)
        draft.write_planes(
            tile.z, tile.rect, np.ones(classes.shape, bool), classes=classes, origin=0
        )
        self.labels = self.labels.after(draft.close("Prediction", "predict"))

    def end(self) -> None:
        """The whole is stored, or another item is shown."""
        self.labels = None
