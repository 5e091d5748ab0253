"""What kind of value a setting holds: how it is checked, and which editor preferences offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Range:
    """A number between two bounds.

    Parameters
    ----------
    low, high : inclusive bounds.
    step : what one press of an arrow changes.
    unit : shown behind the number.
    scale : what is shown is the value times this (100 for shares shown as per cent).
    """

    low: float
    high: float
    step: float = 1
    unit: str = ""
    scale: float = 1

    def accepts(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few; value -> the word on screen."""

    words: Mapping[str, str]

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.words


@dataclass(frozen=True)
class Text:
    """A line of text, possibly empty."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True)
class Memory:
    """What the window remembers by itself (sizes, recent projects); not in preferences."""

    of: type

    def accepts(self, value: Any) -> bool:
        return isinstance(value, self.of)


Kind = Flag | Range | Choice | Text | Memory
