"""``maskwright check``: is a project whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command


def check(
    project: Annotated[Path, typer.Argument(help="The project.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify store, images and labels."""
    from segcore.store import check as check_store

    with console.progress() as stage:
        report = check_store(project, progress=lambda part: stage(part, 0, 0))
    if as_json:
        console.say_json(
            {
                "ok": not report.problems,
                "problems": [{"kind": p.kind, "text": p.text} for p in report.problems],
                "items": report.items,
                "tiles": report.tiles,
                "events": report.events,
                "files": report.files,
            }
        )
    else:
        for problem in report.problems:
            console.say(f"{problem.kind}: {problem.text}")
        looked = (
            f"{console.plural(report.items, 'item')}, {console.plural(report.tiles, 'tile')}, "
            f"{console.plural(report.events, 'step')} and "
            f"{console.plural(report.files, 'image file')} looked at"
        )
        verdict = (
            "nothing is wrong"
            if not report.problems
            else console.plural(len(report.problems), "problem")
        )
        console.say(f"{looked}: {verdict}.")
    if report.problems:
        raise typer.Exit(1)


COMMAND = Command(
    "check",
    check,
    "Check that a project is whole: the store, the images by their digests, the labels.\n\n"
    "Reads every stored tile and replays the history; fails where anything disagrees.",
    "maskwright check street.maskwright",
)
