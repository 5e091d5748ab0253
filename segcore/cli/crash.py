"""A crash report that a person can read: what was called, the versions, the traceback."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import segcore
from segcore.projects.places import places


def write_report(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write the report beside the logs (or where temporary files go) and say where it is.

    Only the command's name is kept of the arguments: file names may be names of patients.
    """
    now = datetime.now().astimezone()
    command = next((a for a in arguments if not a.startswith("-") and "." not in a), "window")
    text = "\n".join(
        [
            f"Maskwright {segcore.__version__}, {now.isoformat(timespec='seconds')}",
            f"Python {sys.version.split()[0]} on {platform.platform()}",
            f"Command: {command}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    name = f"crash-{now.strftime('%Y%m%d-%H%M%S')}.txt"
    for folder in (places().logs, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return path
    return Path("no folder that can be written to")
