"""What `app.main` dispatches to: the window, the start-up report, and Qt's lines for `doctor`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segcore.cli.host import Finding, Host


def is_project(argument: str) -> bool:
    """Whether this argument is a project to open: an existing folder ending in .maskwright."""
    return argument.rstrip("/\\").endswith(".maskwright") and Path(argument).is_dir()


def open_window(project: str | Path | None) -> int:
    """Open the window, with a project or on its start page; returns when it is closed."""
    if "torch" in sys.modules:
        # Making the demo has just loaded it, and the window's process never holds it.
        return _in_a_fresh_process([] if project is None else [str(project)])

    def shown() -> int:
        from app.window import run

        return run(None if project is None else Path(project))

    return _with_qt(shown)


def _with_qt(show: Callable[[], int]) -> int:
    """What `show` returns; 1 where a window cannot be shown here, said in a sentence."""
    _leave_garbage()
    from app.qt_libraries import require_qt
    from segcore.base import MaskwrightError

    try:
        require_qt()
        return show()
    except MaskwrightError as error:
        from segcore.cli.console import show_error

        show_error(error)
        return 1


def _leave_garbage() -> None:
    """Switch Python's cycle collector off until the window's own takes over (`Collector`).

    Importing makes much that stays and next to no garbage; 80 ms of a start went into looking.
    """
    import gc

    gc.disable()


def _in_a_fresh_process(arguments: list[str]) -> int:
    """Run the program again with these arguments; its exit code."""
    import subprocess

    return subprocess.call([sys.executable, "-m", "app.main", *arguments])


def window_host() -> Host:
    """What the command line may ask of the program around it."""
    from segcore.cli.host import Host

    return Host(open_window, qt_findings, startup_report)


def startup_report() -> int:
    """Open the demo, print the start-up times as JSON, close.

    Where there is no demo yet it is made first, and a fresh process is measured afterwards.
    """

    def measured() -> int:
        from segcore.projects.places import DEMO, places

        demo = places().demo / DEMO
        if not (demo / "project.db").is_file():
            from segcore.projects.demo import ensure_demo

            ensure_demo()
            return _in_a_fresh_process(["--startup-report"])
        from app.startup_report import report

        return report(demo)

    return _with_qt(measured)


def qt_findings() -> list[Finding]:
    """Qt's lines of `maskwright doctor`."""
    from app.qt_report import findings

    return findings()
