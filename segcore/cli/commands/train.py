"""``maskwright train``: teach a model, from a project or in a prepared run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from segcore.cli import console
from segcore.cli.command import Command
from segcore.cli.recipe_options import chosen, with_recipe_options


@with_recipe_options
def train(
    target: Annotated[Path, typer.Argument(metavar="PROJECT|RUN_DIR", help="What to train.")],
    items: Annotated[str | None, typer.Option(metavar="GLOB", help="Names of the items.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="MODEL", help="Train this model further: a name, or its folder."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model that comes out.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run of this project.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Train nothing; write a picture of crops as the network would see them.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    **given: Any,
) -> None:
    """Train a model."""
    settings = chosen(given)
    if preview is not None:
        if resume is not None or name is not None or as_json:
            raise typer.BadParameter("--preview trains nothing; leave out --resume, --name, --json")
        _show_crops(target, settings, items, start, preview)
        return
    run_dir = _prepared(target, settings, items, start, name, resume)
    from segcore.projects.learning import run_here, sentences

    cost = _cost(run_dir)
    with console.progress() as stage:
        report = run_here(run_dir, lambda done, total: stage("Training", done, total))
    if as_json:
        console.say_json(report | {"expected": cost})
    else:
        for line in sentences(report):
            console.say(line)
    if report["cancelled"]:
        raise typer.Exit(1)


def _prepared(
    target: Path,
    settings: dict[str, Any],
    items: str | None,
    start: str | None,
    name: str | None,
    resume: str | None,
) -> Path:
    """The run's folder: an existing one, or one that is frozen from the project now."""
    from segcore.projects.training import NewRun, find_run, is_run, prepare_run

    others = bool(settings or items or start or name)
    if is_run(target):
        if others or resume:
            raise typer.BadParameter("a prepared run has its settings; give none")
        return target
    if resume is not None:
        if others:
            raise typer.BadParameter("a run that goes on keeps its settings; give only --resume")
        return find_run(target, resume)
    from segcore.projects.opening import writing

    with writing(target) as project, console.progress() as stage:
        run_dir = prepare_run(project, NewRun(settings, items, start, name), stage)
    _say_what_it_learns_from(run_dir)
    return run_dir


def _show_crops(
    target: Path, settings: dict[str, Any], items: str | None, start: str | None, file: Path
) -> None:
    """Write a contact sheet of the first crops; the project stays as it is."""
    from segcore.projects.looking import write_crops
    from segcore.projects.training import NewRun, is_run

    if is_run(target) and (settings or items or start):
        raise typer.BadParameter("a prepared run has its settings; give none")
    with console.progress() as stage:
        stage("Cutting crops", 0, 0)
        count = write_crops(target, NewRun(settings, items, start), file)
    console.say(f"{file}: {console.plural(count, 'crop')}; hatched: not learned from.")


def _say_what_it_learns_from(run_dir: Path) -> None:
    from segcore.train.preflight import look

    found = look(run_dir)
    line = f"Learns from {console.plural(found.train, 'picture')}"
    if found.replay:
        line += f" and {found.replay:,} learned before"
    line += f"; {found.held_out:,} held out"
    line += "" if found.steps is None else f"; {console.plural(found.steps, 'step')}"
    console.note(line + ".")
    if found.scarce:
        rows = [f"{row.name} ({row.pixels:,} pixels in {row.items:,})" for row in found.scarce]
        console.note(f"Too little to learn of: {', '.join(rows)}.")


def _cost(run_dir: Path) -> dict[str, Any] | None:
    """Say how long it takes and what memory it needs; None for a run too short to be measured."""
    from segcore.train import read_events
    from segcore.train.preflight import WORTH_MEASURING, gigabytes, look, roughly

    reached = [e["step"] for e in read_events(run_dir)[0] if e["kind"] == "checkpoint"]
    done = int(reached[-1]) if reached else 0
    steps = look(run_dir).steps
    if steps is not None and steps - done < WORTH_MEASURING:
        return None
    from segcore.train.measure import measure

    with console.progress() as stage:
        stage("Measuring three steps", 0, 0)
        cost = measure(run_dir, done=done)
    console.note(
        f"Takes {roughly(cost.minutes)} on {cost.place}, "
        f"{gigabytes(cost.memory)} of memory ({gigabytes(cost.free)} free)."
    )
    if cost.warning:
        console.note(cost.warning)
    return {
        "minutes": round(cost.minutes, 2),
        "seconds_per_step": round(cost.seconds, 4),
        "memory_bytes": cost.memory,
        "free_bytes": cost.free,
        "device": cost.title,
    }


COMMAND = Command(
    "train",
    train,
    "Train a model on the labels of a project, or run a prepared run's folder.\n\n"
    "The data is frozen first, held-out items are never trained on, and the model lands in "
    "PROJECT/models/NAME. Ctrl+C keeps the last checkpoint; --resume goes on from it.",
    "maskwright train street.maskwright --targets truth --arch fpn --steps 950 --name street",
)
