"""History of an item: which of its steps are done, which are undone, derived from the log.

A step is pushed by do, adopt, import and state. Undo moves a step to the redo chain, redo brings
it back, and a new step clears the chain: what was undone stays in the log and is offered no more.
Imports of truth and stored predictions stand aside: they change nothing that a person works on,
so undo of the item passes them over, and each is taken back by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any, Literal

from segcore.base.dataclass import dataclass
from segcore.labels import Patch


@dataclass
class Step:
    """A step of the log.

    Parameters
    ----------
    id, seq, kind : of its event.
    patch : as it was done; its tile changes may not be loaded yet.
    loaded : whether `patch.changes` are there.
    waiting : events of this step (do, undo, redo) that are not durable yet.
    """

    id: str
    seq: int
    kind: str
    patch: Patch
    loaded: bool = True
    waiting: int = 0


@dataclass(frozen=True)
class HistoryRow:
    """What the history panel shows of a step."""

    event_id: str
    name: str
    tool: str
    pixels: dict[int, tuple[int, int]]
    state: Literal["done", "undone"]
    durable: bool
    person: str
    time: float
    kind: str = "do"
    bounds: Any = None
    group: str | None = None


@dataclass
class History:
    """Steps that are done, oldest first, and steps that can be redone, next one last."""

    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)
    touched: bool = False
    """Any step that was not an adoption, also one that was undone since."""
    aside: dict[str, Step] = field(default_factory=dict)
    aside_undone: dict[str, Step] = field(default_factory=dict)

    def push(self, step: Step) -> None:
        """A new step; what was undone leaves the redo chain."""
        self.done.append(step)
        self.undone.clear()
        if step.kind != "adopt":
            self.touched = True

    def note(self, step: Step) -> None:
        """A step that stands aside."""
        self.aside[step.id] = step

    def undo(self, step: Step) -> None:
        """Take back a step; usually the last, but one that nothing later built on may go too."""
        if step.id in self.aside:
            self.aside_undone[step.id] = self.aside.pop(step.id)
        else:
            self.done.remove(step)
            self.undone.append(step)

    def redo(self, step: Step) -> None:
        """Bring back a step that was undone."""
        if step.id in self.aside_undone:
            self.aside[step.id] = self.aside_undone.pop(step.id)
        else:
            self.undone.remove(step)
            self.done.append(step)

    def find(self, event_id: str) -> Step | None:
        """The step with this id, done or undone, or None."""
        # From the end: nearly always it is the last one.
        for steps in (self.done, self.undone):
            for step in reversed(steps):
                if step.id == event_id:
                    return step
        return self.aside.get(event_id) or self.aside_undone.get(event_id)

    def rows(self) -> list[HistoryRow]:
        """All steps in the order in which undo and redo walk them."""
        return [*_rows(self.done, "done"), *_rows(reversed(self.undone), "undone")]


def _rows(steps: Iterable[Step], state: Literal["done", "undone"]) -> Iterable[HistoryRow]:
    for step in steps:
        patch = step.patch
        yield HistoryRow(
            step.id,
            patch.name,
            patch.tool,
            patch.pixels,
            state,
            not step.waiting,
            patch.person,
            patch.time,
            step.kind,
            patch.bounds,
            patch.group,
        )
