"""``maskwright new``: a project from folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command
from segcore.projects.splits import DEFAULT_HOLD_OUT

_LISTED = 10
_REMEDY = "With --as-stack such a series is opened slice by slice, without distances."
_OPTIONS = {"group_by": "--group-by", "hold_out": "--hold-out"}


def new(
    project: Annotated[Path, typer.Argument(help="The folder to make; .maskwright is added.")],
    images: Annotated[Path, typer.Option(help="Pictures, NIfTI volumes or DICOM series.")],
    truth: Annotated[
        Path | None, typer.Option(help="Masks that scores are measured against.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Masks of another model; shown as its prediction.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Masks that a person made.")] = None,
    coco: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="COCO annotations, instances or panoptic; its categories are the classes.",
        ),
    ] = None,
    coco_as: Annotated[
        str, typer.Option("--coco-as", metavar="labels|truth", help="What the annotations become.")
    ] = "labels",
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET|FILE",
            help="camvid, binary, or a TOML or JSON file; else the values found are the classes "
            "and 255 is ignored.",
        ),
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS", help="The numbers in the masks are single objects of this class."
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Part of the name that says which items belong together, such as '^[^_]+'.",
        ),
    ] = None,
    hold_out: Annotated[
        str,
        typer.Option(
            metavar="none|GLOB|FRACTION",
            help="Items that no run trains on: a share of the items by whole groups, or a pattern.",
        ),
    ] = DEFAULT_HOLD_OUT,
    as_stack: Annotated[
        bool,
        typer.Option(
            "--as-stack",
            help="Open DICOM series that are tilted, uneven or lack slices slice by slice, "
            "without distances; else they are left out.",
        ),
    ] = False,
) -> None:
    """Make a project."""
    from segcore.base import BadFile, ClassSet
    from segcore.projects.new import NewProject, create_project, is_uneven
    from segcore.projects.splits import BadSplit, HoldOut
    from segcore.train.preflight import MEASURED_FROM

    if coco_as not in ("labels", "truth"):
        raise typer.BadParameter("annotations become labels or truth", param_hint="--coco-as")
    try:
        plan = NewProject(
            path=project,
            images=images,
            truth=truth,
            predictions=predictions,
            labels=labels,
            classes=None if classes is None else ClassSet.load(classes),
            instances=instances,
            group_by=group_by,
            hold_out=HoldOut.parse(hold_out),
            coco=coco,
            coco_as="truth" if coco_as == "truth" else "labels",
            as_stack=as_stack,
        )
        with console.progress() as stage:
            made = create_project(plan, stage)
    except BadFile as error:
        if is_uneven(error):
            raise BadFile(error.message, _REMEDY) from error
        raise
    except BadSplit as error:
        hint = f"{error.hint.removesuffix('.')} ({_OPTIONS[error.of]})."
        raise BadSplit(error.message, hint, error.of) from error
    for name, reason in made.refused:
        console.note(f"left out: {name}: {reason.message}")
    if any(is_uneven(reason) for _, reason in made.refused):
        console.note(_REMEDY)
    for name, matched in made.matched.items():
        _list(f"without {name}", matched.without_file)
        _list(f"in {name} without an image", [path.name for path in matched.without_image])
    for hint in made.hints:
        console.note(hint)
    if made.perhaps_objects:
        console.note(
            f"{len(made.classes):,} classes were found in the masks; if their numbers are single "
            "objects, make the project with --instances CLASS."
        )
    held = f"{console.plural(made.held_out, 'item')} held out"
    if made.held_out < MEASURED_FROM and plan.hold_out != HoldOut(0.0):
        held += f"; new models are scored from {MEASURED_FROM} on (--hold-out)"
    console.say(f"{made.path}: {console.plural(made.items, 'item')}, {held}.")


def _list(what: str, names: Sequence[str]) -> None:
    if not names:
        return
    shown = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    console.note(f"{console.plural(len(names), 'file')} {what}: {shown}{more}")


COMMAND = Command(
    "new",
    new,
    "Make a project from folders of images and masks.\n\n"
    "Images and masks belong together by their names without the ending; what has no partner is "
    "listed. A mask with a value that no class has is refused.",
    "maskwright new street.maskwright --images train/images --truth train/labels --classes camvid",
)
