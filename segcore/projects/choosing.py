"""Which items of a project are meant: by state, by a pattern on the name."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, get_args

from segcore.base import MaskwrightError
from segcore.store.records import State

STATES: tuple[str, ...] = get_args(State)


class BadChoice(MaskwrightError):
    """A choice of items that cannot be understood, or that nothing fits."""


class Named(Protocol):
    """What a choice looks at."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> State: ...


T = TypeVar("T", bound=Named)


def parse_states(text: str) -> frozenset[str]:
    """Read ``corrected,accepted``, or ``all``.

    Raises
    ------
    BadChoice : a word that is no state.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if words == ["all"]:
        return frozenset(STATES)
    unknown = [word for word in words if word not in STATES]
    if unknown or not words:
        raise BadChoice(
            f'"{unknown[0] if unknown else text}" is no state.',
            f"Use {', '.join(STATES)}, several of them with commas, or all.",
        )
    return frozenset(words)


def choose(
    items: Iterable[T], states: Iterable[str] = STATES, pattern: str | None = None
) -> list[T]:
    """The items in one of the states whose name fits the shell pattern, in their order."""
    wanted = frozenset(states)
    return [
        item
        for item in items
        if item.state in wanted and (pattern is None or fnmatch.fnmatchcase(item.name, pattern))
    ]


def count_states(items: Sequence[Named]) -> dict[str, int]:
    """How many items are in each state, in the order of the states."""
    counts = dict.fromkeys(STATES, 0)
    for item in items:
        counts[item.state] += 1
    return counts
