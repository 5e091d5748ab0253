"""``maskwright evaluate``: labels against truth, of a project or of two folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command

if TYPE_CHECKING:
    from segcore.projects.evaluating import Evaluation


def evaluate(
    project: Annotated[Path | None, typer.Argument(help="A project with truth.")] = None,
    prediction: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Instead of a project: predicted masks.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Instead of a project: true masks.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET|FILE", help="Classes of the two folders; else the values found."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score labels against truth."""
    folders = prediction is not None and truth is not None
    if (project is not None) == folders or (prediction is None) != (truth is None):
        raise typer.BadParameter("name a project, or both --prediction DIR and --truth DIR")
    if project is not None and classes is not None:
        raise typer.BadParameter("a project has its own classes; --classes is for two folders")
    if project is not None:
        found = _of_project(project)
    else:
        assert prediction is not None
        assert truth is not None
        found = _of_folders(prediction, truth, classes)
    for name in found.left_out:
        console.note(f"left out: {name}")
    if as_json:
        console.say_json(found.to_json())
    else:
        _show(found)


def _of_project(path: Path) -> Evaluation:
    from segcore.projects.evaluating import evaluate_project
    from segcore.store import Project

    with Project.open(path, write=False) as opened, console.progress() as stage:
        return evaluate_project(opened, stage)


def _of_folders(prediction: Path, truth: Path, classes: str | None) -> Evaluation:
    from segcore.base import ClassSet
    from segcore.projects.evaluating import evaluate_folders

    given = None if classes is None else ClassSet.load(classes)
    with console.progress() as stage:
        return evaluate_folders(prediction, truth, given, stage)


def _show(found: Evaluation) -> None:
    rows = [
        [
            str(row["id"]),
            row["name"],
            console.score(row["iou"]),
            console.score(row["dice"]),
            f"{row['truth_pixels']:,}",
            f"{row['predicted_pixels']:,}",
        ]
        for row in found.to_json()["classes"]
    ]
    head = ["id", "class", "IoU", "Dice", "truth px", "predicted px"]
    console.table(head, rows, right=(0, 2, 3, 4, 5))
    console.say()
    console.say(
        f"mean IoU {console.score(found.mean_iou)}, mean Dice {console.score(found.mean_dice)} "
        f"over {console.plural(found.defined, 'class', 'classes')}; "
        f"pixel accuracy {console.score(found.pixel_accuracy)}; "
        f"{console.plural(found.items, 'item')}"
    )


COMMAND = Command(
    "evaluate",
    evaluate,
    "Score labels against truth: IoU and Dice per class, means, pixel accuracy.\n\n"
    "All figures come from one confusion matrix summed over the data set. A class that is neither "
    "in truth nor predicted has no score and is out of the means.",
    "maskwright evaluate street.maskwright --json",
)
