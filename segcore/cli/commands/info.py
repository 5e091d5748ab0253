"""``maskwright info``: what is in a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command


def info(
    project: Annotated[Path, typer.Argument(help="The project.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe a project."""
    from segcore.projects.describing import describe_project
    from segcore.store import Project

    with Project.open(project, write=False) as opened:
        found = describe_project(opened)
    if as_json:
        console.say_json(found)
        return
    states = ", ".join(f"{n:,} {state}" for state, n in found["states"].items() if n)
    console.say(f"{found['name']}  ({found['path']})")
    console.say(f"  Items      {found['items']:,}" + (f": {states}" if states else ""))
    console.say(
        f"  Truth      {found['with_truth']:,} items; "
        f"{found['held_out']:,} held out of training, {found['groups']:,} groups"
    )
    if found["missing_images"]:
        console.say(f"  Missing    {len(found['missing_images']):,} images are not where they were")
    sizes = found["sizes"]
    console.say(
        f"  On disk    {console.size_text(sizes['store'])} labels and history, "
        f"{console.size_text(sizes['models'])} models, {console.size_text(sizes['runs'])} runs, "
        f"{console.size_text(sizes['cache'])} cache"
    )
    console.say("  Models     " + (", ".join(m["name"] for m in found["models"]) or "none"))
    console.say("  Classes")
    for row in found["classes"]:
        marks = [word for word in ("thing", "ignore") if row[word]]
        value = "-" if row["value"] is None else str(row["value"])
        text = f"    {row['id']:>3}  value {value:>5}  {row['colour'] or '-':<8} {row['name']}"
        console.say(text + (f"  ({', '.join(marks)})" if marks else ""))


COMMAND = Command(
    "info",
    info,
    "Show the items, states, classes, models and sizes of a project.",
    "maskwright info street.maskwright --json",
)
