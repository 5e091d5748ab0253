"""``maskwright evaluate``: labels against truth, of a project or of two folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    items: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Names of the project's items that count.")
    ] = None,
    states: Annotated[
        str, typer.Option(help="States of the project's items that count, with commas, or all.")
    ] = "all",
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET|FILE", help="Classes of the two folders; else the values found."
        ),
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="The numbers in the masks of the two folders are single objects of this class.",
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="semantic,boundary,instances,panoptic",
            help="What to score, with commas; else classes, and objects where the truth has some.",
        ),
    ] = None,
    max_detections: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Objects of a class in an image that count for average precision, those with the "
            "best scores (COCO: 100); else all.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score labels against truth."""
    from segcore.projects.scoring import parse_tasks

    folders = prediction is not None and truth is not None
    if (project is not None) == folders or (prediction is None) != (truth is None):
        raise typer.BadParameter("name a project, or both --prediction DIR and --truth DIR")
    if project is not None and classes is not None:
        raise typer.BadParameter("a project has its own classes; --classes is for two folders")
    if project is not None and instances is not None:
        raise typer.BadParameter("a project knows its objects; --instances is for two folders")
    if project is None and (items is not None or states != "all"):
        raise typer.BadParameter("--items and --states choose among the items of a project")
    options: dict[str, Any] = {
        "tasks": None if tasks is None else parse_tasks(tasks),
        "max_detections": max_detections,
    }
    if project is not None:
        found = _of_project(project, states, items, options)
    else:
        assert prediction is not None
        assert truth is not None
        found = _of_folders(prediction, truth, classes, options | {"instances": instances})
    for name in found.left_out:
        console.note(f"left out: {name}")
    if found.without_labels:
        console.note(
            f"{found.without_labels:,} of {console.plural(found.items, 'item')} have no labels: "
            "all of their truth counts as missed. Choose others with --states or --items."
        )
    if as_json:
        console.say_json(found.to_json())
    else:
        _show(found)


def _of_project(
    path: Path, states: str, pattern: str | None, options: dict[str, Any]
) -> Evaluation:
    from segcore.projects.choosing import BadChoice, choose, parse_states
    from segcore.projects.evaluating import evaluate_project
    from segcore.store import Project

    wanted = parse_states(states)
    with Project.open(path, write=False) as opened, console.progress() as stage:
        every = states == "all" and pattern is None
        chosen = choose(opened.items, wanted, pattern)
        if not chosen and not every:
            named = f" and named like {pattern}" if pattern else ""
            raise BadChoice(
                f"No item is {' or '.join(sorted(wanted))}{named}.",
                "Choose others with --states or --items.",
            )
        return evaluate_project(opened, stage, items=None if every else chosen, **options)


def _of_folders(
    prediction: Path, truth: Path, classes: str | None, options: dict[str, Any]
) -> Evaluation:
    from segcore.base import ClassSet
    from segcore.projects.evaluating import evaluate_folders

    given = None if classes is None else ClassSet.load(classes)
    with console.progress() as stage:
        return evaluate_folders(prediction, truth, given, stage, **options)


def _show(found: Evaluation) -> None:
    content = found.to_json()
    parts = {
        "semantic": _show_classes,
        "boundary": _show_boundary,
        "instances": _show_instances,
        "panoptic": _show_panoptic,
    }
    for number, show in enumerate(parts[task] for task in parts if task in found.tasks):
        if number:
            console.say()
        show(found, content)


def _show_classes(found: Evaluation, content: dict[str, Any]) -> None:
    rows = [
        [
            str(row["id"]),
            row["name"],
            console.score(row["iou"]),
            console.score(row["dice"]),
            f"{row['truth_pixels']:,}",
            f"{row['predicted_pixels']:,}",
        ]
        for row in content["classes"]
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


def _show_boundary(found: Evaluation, content: dict[str, Any]) -> None:
    rows = content["boundary"]["classes"]
    _score_table(rows, {"boundary_iou": "boundary IoU"})
    console.say(f"mean boundary IoU {console.score(content['boundary']['mean_boundary_iou'])}")


def _show_instances(found: Evaluation, content: dict[str, Any]) -> None:
    scores = content["instances"]
    names = {
        "ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_small": "small",
        "ap_medium": "medium", "ap_large": "large", "aji": "AJI",
    }  # fmt: skip
    _score_table(scores["classes"], names, {"objects": "objects"})
    means = ", ".join(f"{title} {console.score(scores[key])}" for key, title in names.items())
    console.say(f"{means} over {console.plural(scores['defined'], 'class', 'classes')}")


def _show_panoptic(found: Evaluation, content: dict[str, Any]) -> None:
    scores = content["panoptic"]
    counts = {"matched": "matched", "missed": "missed", "invented": "invented"}
    _score_table(scores["classes"], {"pq": "PQ", "sq": "SQ", "rq": "RQ"}, counts)
    for group in ("all", "things", "stuff"):
        row = scores[group]
        means = ", ".join(
            f"{name.upper()} {console.score(row[name])}" for name in ("pq", "sq", "rq")
        )
        console.say(f"{group}: {means} over {console.plural(row['classes'], 'class', 'classes')}")


def _score_table(
    rows: list[dict[str, Any]], scores: dict[str, str], counts: dict[str, str] | None = None
) -> None:
    counts = counts or {}
    console.table(
        ["id", "class", *scores.values(), *counts.values()],
        [
            [
                str(row["id"]),
                row["name"],
                *(console.score(row[name]) for name in scores),
                *(f"{row[name]:,}" for name in counts),
            ]
            for row in rows
        ],
        right=(0, *range(2, 2 + len(scores) + len(counts))),
    )
    console.say()


COMMAND = Command(
    "evaluate",
    evaluate,
    "Score labels against truth: IoU and Dice per class, means, pixel accuracy.\n\n"
    "Every item of a project that has truth counts, also one without labels; how many those are "
    "is said. --states and --items choose.\n\n"
    "These come from one confusion matrix summed over the data set. A class that is neither in "
    "truth nor predicted has no score and is out of the means.\n\n"
    "Where the truth has objects: average precision of their masks as COCO measures it (AP, AP50, "
    "AP75, by size), aggregated Jaccard index (AJI), and panoptic quality (PQ, SQ, RQ).",
    "maskwright evaluate street.maskwright --json",
)
