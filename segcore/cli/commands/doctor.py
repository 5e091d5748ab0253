"""``maskwright doctor``: versions, device, what is missing and how to mend it."""

from __future__ import annotations

from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command
from segcore.cli.health import findings
from segcore.cli.host import host_of


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at this installation; fails where something that is needed is missing."""
    host = host_of(context)
    with console.progress():
        found = findings()
        if host.qt_findings is not None:
            found = [*found, *host.qt_findings()]
    broken = [finding for finding in found if finding.required and finding.remedy]
    if as_json:
        console.say_json({"healthy": not broken, "findings": [f._asdict() for f in found]})
    else:
        section, width = "", 0
        for finding in found:
            if finding.section != section:
                section = finding.section
                width = 2 + max(len(f.name) for f in found if f.section == section)
                console.say(section)
            console.say(f"  {finding.name:<{width}}{finding.value}")
            if finding.remedy:
                console.say(f"  {'':<{width}}-> {finding.remedy}")
        console.say()
        console.say("All that is needed is here." if not broken else "Something is missing.")
    if broken:
        raise typer.Exit(1)


COMMAND = Command(
    "doctor",
    doctor,
    "Say what is installed, what is missing and how to mend it.\n\n"
    "Prints versions, the Qt platform, torch and its device, and where settings, logs and "
    "weights live.",
    "maskwright doctor",
)
