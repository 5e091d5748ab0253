"""The window: parts in their places."""

from __future__ import annotations

from pathlib import Path


def run(project: Path | None = None) -> int:
    """Show the window until it is closed; gives the exit code."""
    from app.window.start import run as start

    return start(project)
