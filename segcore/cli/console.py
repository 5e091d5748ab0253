"""How commands speak: results to stdout, everything else to stderr, errors in two lines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from segcore.base import MaskwrightError
from segcore.projects.stage import Stage, silent


def say(text: str = "") -> None:
    """One line of a result, to stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """One line beside the result, to stderr."""
    sys.stderr.write(text + "\n")


def say_json(value: Any) -> None:
    """The result as JSON, the only thing on stdout; NaN becomes null."""
    say(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def show_error(error: MaskwrightError) -> None:
    """The two lines of an error: what is wrong, and what to do."""
    note(f"maskwright: {error.message}")
    if error.hint:
        note(f"            {error.hint}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A table in plain text to stdout; the columns numbered in `right` are right-aligned."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        say("  ".join(cells).rstrip())


def score(value: float | None) -> str:
    """A score with three digits, or "n/a" where it is undefined."""
    return "n/a" if value is None or math.isnan(value) else f"{value:.3f}"


def size_text(count: float) -> str:
    """A number of bytes for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{int(count)} bytes"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 item``, ``2 items``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@contextmanager
def progress() -> Iterator[Stage]:
    """A progress bar on stderr where it is a screen, nothing elsewhere.

    Gives a function that takes what is being done, how much of it is done, and of how much.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def stage(title: str, done: int, total: int) -> None:
            bar.update(task, description=title, completed=done, total=total or None)

        yield stage


def _plain(value: Any) -> Any:
    """What JSON can hold: numbers of numpy as Python's, NaN as null."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
