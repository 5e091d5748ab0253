"""Groups of items, and which of them no run trains on.

Frames of one sequence or slices of one patient look alike; a score on the one says little about
others once the other was trained on. So whole groups are held out, and the choice depends on
names only: the same items give the same choice on every machine.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Literal

from segcore.base import MaskwrightError, digest_bytes
from segcore.base.dataclass import dataclass

DEFAULT_HOLD_OUT = "0.15"
SHORTEST_SEQUENCE = 20  # items of one group of which a stretch can be spared, with the gap


class BadSplit(MaskwrightError):
    """A rule for groups or held-out items that does not fit the items.

    Parameters
    ----------
    of : the rule that is wrong, as `NewProject` calls it; who asked for it knows its name.
    """

    def __init__(self, message: str, hint: str, of: Literal["group_by", "hold_out"]) -> None:
        super().__init__(message, hint)
        self.of = of


@dataclass(frozen=True)
class HoldOut:
    """Which items are held out: a share of the groups, or the items that a pattern names.

    Parameters
    ----------
    fraction : 0 to below 1, share of the items; 0 holds out nothing. Unused with a pattern.
    pattern : shell pattern on item names, or "".
    """

    fraction: float = float(DEFAULT_HOLD_OUT)
    pattern: str = ""

    @classmethod
    def parse(cls, text: str) -> HoldOut:
        """Read ``none``, a fraction such as ``0.15``, or a shell pattern such as ``0001TP_*``.

        Raises
        ------
        BadSplit : a number that is not from 0 to below 1.
        """
        if text.strip().lower() == "none":
            return cls(0.0)
        try:
            fraction = float(text)
        except ValueError:
            return cls(0.0, text)
        if not 0 <= fraction < 1:
            raise BadSplit(
                f"A share of {text} cannot be held out.",
                "Use a number from 0 to below 1, a pattern such as patient7_*, or none.",
                "hold_out",
            )
        return cls(fraction)


def groups_of(names: Sequence[str], pattern: str | None) -> dict[str, str]:
    """The group of each item.

    Parameters
    ----------
    names : of the items.
    pattern : regular expression searched in each name; the group is its first parenthesis, or
        the whole match where it has none. None makes each item its own group.

    Raises
    ------
    BadSplit : not a regular expression, or it matches none of the names or only some.
    """
    if pattern is None:
        return {name: name for name in names}
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise BadSplit(
            f'"{pattern}" is not a regular expression: {error}.',
            "For names such as 0001TP_006690 write for example '^[^_]+'.",
            "group_by",
        ) from error
    groups: dict[str, str] = {}
    missed: list[str] = []
    for name in names:
        found = expression.search(name)
        if found is None:
            missed.append(name)
        else:
            groups[name] = (found.group(1) if expression.groups else found.group(0)) or ""
    if missed:
        raise BadSplit(
            f'"{pattern}" does not match {len(missed)} of {len(names)} names, '
            f"the first one is {missed[0]}.",
            "Write an expression that finds the group in every name.",
            "group_by",
        )
    return groups


def held_out(groups: dict[str, str], rule: HoldOut) -> frozenset[str]:
    """The names of the items that no run trains on; whole groups, chosen by their digests.

    Groups are taken in the order of the SHA-256 of their names, each that still fits below the
    fraction; where none fits, the smallest one is taken. Of one group alone it is the last stretch.

    Raises
    ------
    BadSplit : a pattern that names no item, or every item.
    """
    if rule.pattern:
        named = {name for name in groups if fnmatch.fnmatchcase(name, rule.pattern)}
        if not named:
            raise BadSplit(
                f'No item is named like "{rule.pattern}".',
                "Check the pattern of what is held out.",
                "hold_out",
            )
        chosen = {groups[name] for name in named}
        result = frozenset(name for name, group in groups.items() if group in chosen)
        if len(result) == len(groups):
            raise BadSplit(
                f'"{rule.pattern}" holds out every item, with the groups they belong to.',
                "Use a narrower pattern, or finer groups.",
                "hold_out",
            )
        return result
    members: dict[str, list[str]] = {}
    for name, group in groups.items():
        members.setdefault(group, []).append(name)
    if rule.fraction == 0:
        return frozenset()
    if len(members) < 2:
        return _last_stretch(list(groups), rule.fraction)
    ordered = sorted(members, key=lambda group: digest_bytes(group.encode()))
    limit = rule.fraction * len(groups)
    taken: list[str] = []
    for group in ordered:
        if len(taken) + len(members[group]) <= limit:
            taken += members[group]
    if not taken:
        smallest = min(ordered, key=lambda group: len(members[group]))
        taken = members[smallest]
    return frozenset(taken)


def _last_stretch(names: list[str], fraction: float) -> frozenset[str]:
    """The end of a single sequence; a gap before it is kept free when a run is made."""
    if len(names) < SHORTEST_SEQUENCE:
        return frozenset()
    return frozenset(sorted(names)[-max(1, int(fraction * len(names))) :])
