"""How long work says how far it is: what is being done, how much of it is done, of how much."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Stage: TypeAlias = Callable[[str, int, int], None]


def silent(title: str, done: int, total: int) -> None:
    """A `Stage` for those who do not want to know."""
