"""``maskwright export``: the labels of a project as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command


def export(
    project: Annotated[Path, typer.Argument(help="The project.")],
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    form: Annotated[
        str, typer.Option("--format", metavar="png|coco|coco_panoptic|nifti", help="What to write.")
    ],
    states: Annotated[
        str, typer.Option(help="States of the items to write, with commas, or all.")
    ] = "corrected,accepted",
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Copy the images instead of naming them.")
    ] = False,
) -> None:
    """Write labels as files."""
    from segcore.projects.choosing import parse_states
    from segcore.projects.exporting import export_project, say_before
    from segcore.store import Project

    wanted = parse_states(states)
    with Project.open(project, write=False) as opened:
        for line in say_before(opened, form, wanted, copy_images=copy_images):
            console.note(line)
        with console.progress() as stage:
            report = export_project(opened, out, form, wanted, copy_images=copy_images, stage=stage)
    for line in report.notes:
        console.note(line)
    console.say(
        f"{report.folder}: {console.plural(report.items, 'item')} as {report.format}, "
        f"{console.plural(report.files, 'file')}; {len(report.left_out):,} left out. "
        "For research use, not a medical device."
    )


COMMAND = Command(
    "export",
    export,
    "Write the labels of a project as PNG masks, COCO, COCO panoptic or NIfTI.\n\n"
    "Beside the files stands manifest.json with the classes, the split and the digests of images "
    "and masks. Rejected items are never written.",
    "maskwright export street.maskwright out --format coco --states corrected,accepted",
)
