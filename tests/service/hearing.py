"""What the tests of the services share: events that can be waited for, and jobs to cause them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from segcore.base import Rect
from segcore.service.protocol import FINAL_STATES, Event, Grabcut, JobChanged

PATIENCE_S = 60.0


class Heard:
    """Events in the order in which they came."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Event], bool], what: str = "an event") -> Any:
        """The first event that is wanted; fails with what came instead."""
        deadline = time.monotonic() + PATIENCE_S
        with self._changed:
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise AssertionError(f"{what} did not come, but {self.events}")

    def wait_of(self, kind: type[Event], count: int = 1) -> Any:
        """The `count`-th event of a kind."""
        seen: list[Event] = []

        def wanted(event: Event) -> bool:
            if isinstance(event, kind) and event not in seen:
                seen.append(event)
            return len(seen) >= count and event is seen[count - 1]

        return self.wait_for(wanted, f"{kind.__name__} number {count}")

    def wait_state(self, number: int, *states: str) -> JobChanged:
        """The first change of a job to one of these states."""
        found = self.wait_for(
            lambda e: isinstance(e, JobChanged) and e.number == number and e.state in states,
            f"job {number} {' or '.join(states)}",
        )
        assert isinstance(found, JobChanged)
        return found

    def wait_end(self, number: int) -> JobChanged:
        return self.wait_state(number, *FINAL_STATES)

    def states(self, number: int) -> list[str]:
        """The states of a job, repetitions (progress) left out."""
        found: list[str] = []
        for event in self.events:
            mine = isinstance(event, JobChanged) and event.number == number
            if mine and found[-1:] != [event.state]:
                found.append(event.state)
        return found

    def answers(self, number: int) -> list[Event]:
        """What came for a job besides its states."""
        return [
            e
            for e in self.events
            if getattr(e, "number", None) == number and not isinstance(e, JobChanged)
        ]


def square_job(key: str = "square", at: tuple[int, int] = (10, 20)) -> Grabcut:
    """A grey square on black with a stroke inside and one outside: solved in milliseconds."""
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:80, 50:110] = 180
    seeds = np.zeros((120, 160), np.uint8)
    seeds[58:62, 60:100] = 1
    seeds[5:8, 10:150] = 2
    return Grabcut(key=key, rect=Rect(*at, 120, 160), image=image, seeds=seeds)


def long_job(key: str = "noise") -> Grabcut:
    """Noise with cells of several sizes, on which the cuts take a second or more."""
    rng = np.random.default_rng(7)
    image = np.zeros((1024, 1024, 3), np.uint8)
    for cells in (1024, 181, 90):
        noise = rng.integers(0, 85, (cells, cells, 3), np.uint8)
        image += cv2.resize(noise, (1024, 1024), interpolation=cv2.INTER_NEAREST)
    seeds = rng.choice(np.array([0, 1, 2], np.uint8), (1024, 1024), p=[0.998, 0.001, 0.001])
    return Grabcut(key=key, rect=Rect(0, 0, 1024, 1024), image=image, seeds=seeds, iterations=200)
