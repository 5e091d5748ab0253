"""The demo project: opened if it is there, else made by a process of its own (it needs torch)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.dialogs.host import DialogHost
from app.workspace import Message
from segcore.base import MaskwrightError


def open_demo(host: DialogHost) -> None:
    """Open the demo; making it takes up to a minute the first time."""
    from segcore.projects.places import places

    path = places().demo / "demo.maskwright"
    if (path / "project.db").is_file():
        host.open_path(path)
        return
    workspace = host.workspace
    workspace.post(
        Message("Making the demo project.", kind="banner", key="demo", hint="Up to a minute, once.")
    )

    def made(result: Path) -> None:
        workspace.withdraw("demo")
        host.open_path(result)

    def failed(error: Exception) -> None:
        workspace.withdraw("demo")
        workspace.report(error)

    workspace.background.run(lambda: make_demo(path), made, failed)


def make_demo(path: Path) -> Path:
    """Make the demo in another process, because predicting its masks loads torch.

    Raises
    ------
    MaskwrightError : it could not be made.
    """
    command = [sys.executable, "-m", "app.main", "demo", str(path.parent), "--no-window"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not (path / "project.db").is_file():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MaskwrightError(
            "The demo project could not be made.", said[-1] if said else "Run maskwright doctor."
        )
    return path
