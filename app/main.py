"""Where Maskwright starts: it opens the window, or hands over to the command line.

``maskwright [PROJECT]`` is the window; the command line is imported for nothing else, and torch
by none of this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from app.start import is_project, open_window, startup_report, window_host


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (``sys.argv`` without its first); the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given:
        return open_window(None)
    if len(given) == 1 and is_project(given[0]):
        return open_window(given[0])
    if given == ["--startup-report"]:
        return startup_report()
    from segcore.cli.main import run

    return run(given, window_host())


if __name__ == "__main__":
    sys.exit(main())
