"""Which class is which between a model and a project: by uuid, then by name, never by place.

Apart from the heads, because a window that prepares a run asks it too and knows no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from segcore.base import SegClass


def pair(ours: Sequence[SegClass], theirs: Sequence[SegClass]) -> dict[int, int]:
    """Which of `ours` is which of `theirs`, as places; each is paired once at most.

    Equal uuids pair first, then equal names, whatever their case, among those left over.
    """
    found: dict[int, int] = {}
    keys: tuple[Callable[[SegClass], str], ...] = (lambda c: c.uuid, lambda c: c.name.casefold())
    for key in keys:
        free = {key(c): j for j, c in enumerate(theirs) if j not in found.values()}
        for i, c in enumerate(ours):
            if i not in found and key(c) in free:
                found[i] = free.pop(key(c))
    return found
