"""What only the program around the command line can do: open a window, look at Qt.

`app.main` passes these in; without them (``python -m segcore.cli``) the commands still work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import typer

from segcore.base.dataclass import dataclass


class Finding(NamedTuple):
    """One line of ``maskwright doctor``.

    Parameters
    ----------
    section, name, value : what was looked at, and what was found.
    remedy : what to do about it; empty where all is well.
    required : whether the program cannot do its work without it.
    """

    section: str
    name: str
    value: str
    remedy: str = ""
    required: bool = False


@dataclass(frozen=True)
class Host:
    """The program around the command line.

    Parameters
    ----------
    open_window : opens a project (or the start page) and returns the exit code.
    qt_findings : what `doctor` says about Qt.
    startup_report : opens the demo, prints the start-up times, returns the exit code.
    """

    open_window: Callable[[Path | None], int] | None = None
    qt_findings: Callable[[], list[Finding]] | None = None
    startup_report: Callable[[], int] | None = None


def host_of(context: typer.Context) -> Host:
    """The host that `segcore.cli.main.run` was given."""
    return context.obj if isinstance(context.obj, Host) else Host()
