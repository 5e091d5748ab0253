"""The planes of a prediction while its tiles come in, nearest to the person first."""

from __future__ import annotations

from typing import Any

import numpy as np

from segcore.base import Rect


class IncomingPlanes:
    """Planes of a prediction while its tiles come in."""

    def __init__(self, shape: Any) -> None:
        self.classes = np.zeros(shape, np.uint16)
        self.confidence = np.zeros(shape, np.uint8)
        self.margin = np.zeros(shape, np.uint8)

    def put(self, event: Any) -> None:
        rect = Rect(*event.rect)
        for plane, piece in (
            (self.classes, event.classes),
            (self.confidence, event.confidence),
            (self.margin, event.margin),
        ):
            if piece is not None:
                plane[event.z][rect.slices] = piece
