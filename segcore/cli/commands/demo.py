"""``maskwright demo``: the demo project, made where it is missing, then opened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command
from segcore.cli.host import host_of


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Where demo.maskwright is; else your data folder.")
    ] = None,
    no_window: Annotated[
        bool, typer.Option("--no-window", help="Make it and say where it is.")
    ] = False,
) -> None:
    """Make the demo project and open it."""
    from segcore.projects.places import DEMO, places

    if not ((folder or places().demo) / DEMO / "project.db").is_file():
        # Before torch is loaded, which alone may take half a minute the first time.
        console.note("Making the demo project: pictures, and what two models predict of them…")
    from segcore.projects.demo import ensure_demo

    with console.progress() as stage:
        path = ensure_demo(folder, stage)
    host = host_of(context)
    if no_window or host.open_window is None:
        console.say(str(path))
        return
    raise typer.Exit(host.open_window(path))


COMMAND = Command(
    "demo",
    demo,
    "Make the demo project if it is not there, then open it.\n\n"
    "Real pictures that scikit-image ships and made-up ones with exact truth, with the masks that "
    "the models nuclei and retina predict. Needs no network.",
    "maskwright demo --no-window",
)
