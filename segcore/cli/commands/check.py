"""``maskwright check``: is a project whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command


def check(
    project: Annotated[Path, typer.Argument(help="The project.")],
) -> None:
    """Verify store, images and labels."""
    from segcore.store import check as check_store

    with console.progress():
        report = check_store(project)
    for line in report.problems:
        console.say(line)
    if report.problems:
        console.say()
        console.say(f"{console.plural(len(report.problems), 'problem')} found.")
        raise typer.Exit(1)
    console.say(report.summary)


COMMAND = Command(
    "check",
    check,
    "Check that a project is whole: the store, the images by their digests, the labels.\n\n"
    "Reads every stored tile and replays the history; fails where anything disagrees.",
    "maskwright check street.maskwright",
)
