"""Files that are there whole or not at all, whoever is killed and whoever reads meanwhile."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_DRAFT = ".part"
_REMAINS_SECONDS = 24 * 3600


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A draft beside `path`, written in the block, that takes its place where the block ends well.

    Each draft has a name of its own, so two processes that make the same file do not write into
    each other's. Where the block fails, what was there before stays.
    """
    draft = path.with_name(f"{path.stem}.{os.urandom(8).hex()}{_DRAFT}")
    try:
        yield draft
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8; raises `OSError` as writing does."""
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def clear_remains(folder: Path) -> None:
    """Take away the drafts of processes that were killed, a day later."""
    long_ago = time.time() - _REMAINS_SECONDS
    for file in folder.glob(f"*{_DRAFT}"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < long_ago:
                file.unlink()
