"""Any sequence of steps, undo, redo, jumps, closing and reopening gives what plain arrays give."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from store_kit import Block, make_project

from segcore.base import Rect, Shape
from segcore.store import NewItem, Project, check

SHAPES = [Shape(1, 300, 520), Shape(20, 70, 130)]
PLANES = ("class", "instance", "origin")


class Plain:
    """The model: arrays, and lists of whole states for undo and redo."""

    def __init__(self, shape: Shape) -> None:
        arrays = {plane: np.zeros(shape, np.int64) for plane in PLANES}
        self.now = (arrays, "new")
        self.past: list[tuple[dict[str, np.ndarray], str]] = []
        self.future: list[tuple[dict[str, np.ndarray], str]] = []

    def write(self, z: int, rect: Rect, class_id: int, instance: int, origin: int) -> bool:
        arrays, state = self.now
        fresh = {plane: array.copy() for plane, array in arrays.items()}
        place = (z, *rect.slices)
        changed = (fresh["class"][place] != 0) | (class_id != 0)
        for plane, value in (("class", class_id), ("instance", instance), ("origin", origin)):
            fresh[plane][place][changed] = value
        if all((fresh[plane] == arrays[plane]).all() for plane in PLANES):
            return False
        self.past.append(self.now)
        self.future.clear()
        self.now = (fresh, "corrected" if state != "rejected" else state)
        return True

    def set_state(self, state: str) -> None:
        if self.now[1] != state:
            self.past.append(self.now)
            self.future.clear()
            self.now = (self.now[0], state)

    def undo(self) -> None:
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()

    def redo(self) -> None:
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()


class StoreMachine(RuleBasedStateMachine):
    """Two items, a picture and a volume, in one project on the disk."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.project = make_project(self.folder, 0)

        self.ids = [
            item.id
            for item in self.project.add_items(
                [NewItem(f"item {n}", [], shape) for n, shape in enumerate(SHAPES)]
            )
        ]
        self.plain = [Plain(shape) for shape in SHAPES]

    @rule(
        which=st.integers(0, 1),
        corner=st.tuples(st.floats(0, 0.95), st.floats(0, 0.95), st.floats(0, 0.99)),
        size=st.tuples(st.integers(1, 290), st.integers(1, 290)),
        class_id=st.integers(0, 4),
        instance=st.integers(0, 2),
        origin=st.integers(1, 2),
    )
    def paint(self, which, corner, size, class_id, instance, origin):
        shape = SHAPES[which]
        z, y, x = (int(at * length) for at, length in zip(corner[::-1], shape, strict=True))
        rect = Rect(y, x, *size).intersect(Rect(0, 0, shape.y, shape.x))
        instance = instance if class_id else 0
        edit = Block(z, rect, class_id, origin=origin, instance=instance)
        patch = self.project.apply(self.ids[which], edit)
        changed = self.plain[which].write(z, rect, class_id, instance, origin)
        assert patch.is_empty is not changed

    @rule(which=st.integers(0, 1), state=st.sampled_from(["accepted", "rejected", "corrected"]))
    def set_state(self, which, state):
        from segcore.edits import SetState

        self.project.apply(self.ids[which], SetState(state=state))
        self.plain[which].set_state(state)

    @rule(which=st.integers(0, 1))
    def undo(self, which):
        self.project.scribe.undo(self.ids[which]).applied.result()
        self.plain[which].undo()

    @rule(which=st.integers(0, 1))
    def redo(self, which):
        self.project.scribe.redo(self.ids[which]).applied.result()
        self.plain[which].redo()

    @rule(which=st.integers(0, 1), where=st.floats(0, 1))
    def jump(self, which, where):
        rows = self.project.scribe.history(self.ids[which])
        plain = self.plain[which]
        target = int(where * len(rows))
        event_id = rows[target - 1].event_id if target else ""
        self.project.scribe.jump(self.ids[which], event_id).applied.result()
        while len(plain.past) > target:
            plain.undo()
        while len(plain.past) < target:
            plain.redo()

    @rule()
    def wait_until_durable(self):
        self.project.scribe.flush()

    @precondition(lambda self: self.project is not None)
    @rule()
    def close_and_open_again(self):
        self.project.close()
        self.project = Project.open(self.project.path, person="Ada")
        assert not self.project.read_only

    @invariant()
    def pixels_and_history_are_those_of_the_model(self):
        for item_id, plain in zip(self.ids, self.plain, strict=True):
            item = self.project.items.by_id(item_id)
            arrays, state = plain.now
            assert item.state == state
            for plane in PLANES:
                assert np.array_equal(item.labels.read_volume(plane), arrays[plane])
            rows = self.project.scribe.history(item_id)
            assert [row.state for row in rows] == ["done"] * len(plain.past) + ["undone"] * len(
                plain.future
            )

    def teardown(self):
        self.project.close()
        report = check(self.project.path)
        shutil.rmtree(self.folder)
        assert report.problems == ()


def run(steps: int, examples: int) -> None:
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_of_steps_gives_the_pixels_of_a_plain_array():
    run(steps=25, examples=10)


@pytest.mark.slow
def test_any_long_sequence_of_steps_gives_the_pixels_of_a_plain_array():
    # Minutes: thousands of steps, each compared with whole arrays.
    run(steps=200, examples=30)
