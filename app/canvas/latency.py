"""Latency: how long the frames of a stroke took, from the mouse event to the end of painting."""

from __future__ import annotations

import time


class Latency:
    """A stopwatch for one canvas."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._spent: list[float] = []

    def event_came(self) -> None:
        """A mouse event that will change the screen."""
        self._since = time.perf_counter()

    def frame_painted(self) -> None:
        """The frame that shows it is done."""
        if self._since is not None:
            self._spent.append((time.perf_counter() - self._since) * 1000)
            self._since = None

    def take_median(self) -> float | None:
        """Milliseconds of a typical frame since the last call; None if there was none."""
        spent, self._spent = sorted(self._spent), []
        return spent[len(spent) // 2] if spent else None
