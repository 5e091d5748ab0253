"""GrabCut's strokes on the background, with the real solver: they only take away."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tools import BY_ID
from app.workspace.gesture import Context, Pointer, Solved
from segcore.base import Rect, Shape
from segcore.labels import Guard, Labels
from segcore.refine import grabcut

Path = tuple[tuple[float, float], ...]


class Hand:
    """Draws seeds over a picture; each question is answered by the solver, unless it waits."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture
        self._asked: list[tuple[int, Rect, Any, Any]] = []
        self._gesture = BY_ID["grabcut"]().gesture(
            Context(
                z=0,
                labels=Labels.empty(Shape(1, *picture.shape[:2])),
                class_id=2,
                class_name="nucleus",
                guard=Guard(),
                origin=1,
                options={"size": 6.0},
                solve=self._solve,
            )
        )
        self.preview: Any = next(self._gesture)

    def _solve(self, z: int, rect: Rect, seeds: Any, box: Any, rounds: int) -> int:
        self._asked.append((len(self._asked) + 1, rect, seeds, box))
        return len(self._asked)

    def draw(self, path: Path, button: str, *, answered: bool = True) -> None:
        self._gesture.send(Pointer("press", *path[0], button))
        for point in path[1:]:
            self._gesture.send(Pointer("move", *point, button))
        self.preview = self._gesture.send(Pointer("release", *path[-1], button))
        if answered and self._asked:
            self.answer()

    def answer(self) -> None:
        number, rect, seeds, box = self._asked[-1]
        local = None if box is None else box.shifted(-rect.y, -rect.x)
        mask = grabcut(self.picture[rect.slices], seeds, local, 3, connected=True)
        self.preview = self._gesture.send(Solved(number, rect, mask))

    @property
    def region(self) -> Rect:
        return self._asked[-1][1]

    def found(self) -> np.ndarray:
        """The object in the whole picture."""
        whole = np.zeros(self.picture.shape[:2], bool)
        whole[self.region.slices] = self.preview.found
        return whole


def nuclei() -> np.ndarray:
    """Three bright disks in a row that nearly touch, on a dark noisy ground."""
    picture = np.full((160, 320), 40, np.uint8)
    for x in (60, 160, 260):
        cv2.circle(picture, (x, 80), 44, 170, -1)
    cv2.line(picture, (60, 80), (260, 80), 150, 9)
    noise = np.random.default_rng(4).normal(0, 6, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def test_ground_far_off_does_not_widen_where_the_object_may_be() -> None:
    hand = Hand(nuclei())
    hand.draw(((70.0, 60.0), (90.0, 60.0)), "left")
    region, before = hand.region, hand.found()
    assert before.any()
    for path in (((10.0, 300.0), (10.0, 318.0)), ((150.0, 8.0), (150.0, 312.0))):
        hand.draw(path, "right")
        assert hand.region == region
        assert not (hand.found() & ~before).any()
    assert hand.found()[80, 60]


def test_a_stroke_on_the_object_after_one_on_the_background_finds_more_again() -> None:
    hand = Hand(nuclei())
    hand.draw(((70.0, 60.0), (90.0, 60.0)), "left")
    hand.draw(((80.0, 105.0), (82.0, 112.0)), "right")
    less = hand.found()
    hand.draw(((70.0, 160.0), (90.0, 160.0)), "left")
    assert hand.found()[80, 160]
    assert hand.found().sum() > less.sum()


_PLACE = st.tuples(st.floats(0, 159), st.floats(0, 319))


@given(
    st.lists(st.tuples(st.lists(_PLACE, min_size=1, max_size=3), st.booleans()), max_size=5),
    st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=25)
def test_background_strokes_never_make_the_object_larger(
    strokes: list[tuple[list[tuple[float, float]], bool]], random: int
) -> None:
    noise = np.random.default_rng(random).normal(0, 25, (160, 320))
    hand = Hand((nuclei() + noise).clip(0, 255).astype(np.uint8))
    hand.draw(((70.0, 60.0), (90.0, 60.0)), "left")
    before = hand.found()
    for path, waits in strokes:
        # The next stroke may come before the answer to the last one.
        hand.draw(tuple(path), "right", answered=not waits)
        if not waits:
            assert not (hand.found() & ~before).any()
            before = hand.found()
