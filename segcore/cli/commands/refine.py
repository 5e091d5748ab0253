"""``maskwright refine``: labels made to follow the picture, and the parameters for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segcore.cli import console
from segcore.cli.command import Command

if TYPE_CHECKING:
    from segcore.projects.model_witness import Models
    from segcore.projects.refining import RefineReport
    from segcore.projects.tuning import Side, TuneReport
    from segcore.refine import CrfParams
    from segcore.store import Item, Project

_SOURCES = ("auto", "model", "labels")


def refine(
    project: Annotated[Path, typer.Argument(help="The project.")],
    method: Annotated[
        str,
        typer.Option(
            metavar="crf|grabcut",
            help="crf moves edges to where colours change; grabcut cuts the rim of every object.",
        ),
    ] = "crf",
    items: Annotated[str | None, typer.Option(metavar="GLOB", help="Names of the items.")] = None,
    states: Annotated[
        str, typer.Option(help="States of the items, with commas, or all.")
    ] = "predicted,corrected",
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="auto|model|labels",
            help="crf: begin with the model's probabilities, or with the labels and their "
            "confidence; auto asks the model where it has predicted the item.",
        ),
    ] = "auto",
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH", help="A model by name, or its folder; else the project's own."
        ),
    ] = None,
    over_mine: Annotated[
        bool, typer.Option("--over-mine", help="Change a person's pixels, too.")
    ] = False,
    params: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=NUMBER,...|PRESET",
            help="crf: other parameters than those found by --tune; presets are authors and "
            "deeplab.",
        ),
    ] = None,
    band: Annotated[
        int, typer.Option(min=1, max=64, help="grabcut: pixels that a rim may move.")
    ] = 2,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Refine nothing, but find parameters on items with truth and judge them on "
            "held-out ones; what lowers the score there is not kept.",
        ),
    ] = False,
    trials: Annotated[int, typer.Option(min=1, help="--tune: parameters tried at most.")] = 30,
    seconds: Annotated[
        float, typer.Option(min=0, help="--tune: no new trial begins after that.")
    ] = 120.0,
    device: Annotated[
        str | None, typer.Option(metavar="cuda|mps|cpu", help="Where to compute.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Refine labels."""
    from segcore.projects.choosing import STATES, choose, parse_states
    from segcore.projects.opening import writing

    if method not in ("crf", "grabcut"):
        raise typer.BadParameter(f'"{method}" is no method; use crf or grabcut')
    if source not in _SOURCES:
        raise typer.BadParameter(f'"{source}" is none of {", ".join(_SOURCES)}')
    if tune and method != "crf":
        raise typer.BadParameter("only the dense CRF has parameters to tune")
    wanted = frozenset(STATES) if tune else parse_states(states)
    with writing(project) as opened:
        chosen = choose(opened.items, wanted, items)
        if not chosen:
            console.note(
                f"No item is {' or '.join(sorted(wanted))}"
                + (f" and named like {items}" if items else "")
                + "; choose others with --states."
            )
        witness = _model(opened, model, source, device) if method == "crf" else None
        if tune:
            found = _tune(opened, chosen, witness, trials, seconds)
            _show_tuned(found, as_json)
            return
        report = _refine(
            opened, chosen, method, witness, params, over_mine, band, always=source == "model"
        )
    _show_refined(report, method, as_json)
    if report.failed:
        raise typer.Exit(1)


def _model(opened: Project, name: str | None, source: str, device: str | None) -> Models | None:
    """The model that is asked for probabilities, or None."""
    from segcore.projects.modelling import NoModel, find_model

    if source == "labels":
        return None
    try:
        folder = find_model(opened, name)
    except NoModel:
        if name is not None or source == "model":
            raise
        return None
    from segcore.infer.threads import share_processor
    from segcore.projects.model_witness import Models

    share_processor()
    return Models(folder, device)


def _refine(
    opened: Project,
    chosen: list[Item],
    method: str,
    model: Models | None,
    params: str | None,
    over_mine: bool,
    band: int,
    *,
    always: bool,
) -> RefineReport:
    from segcore.projects.crf_params import LABELS, default_params, kept_params
    from segcore.projects.refining import METHODS, Refining, refine_items

    by_labels = _params(params, default_params(opened.models_dir, LABELS))
    by_model = by_labels
    if model is not None:
        by_model = _params(params, default_params(opened.models_dir, model.digest))
    how = Refining(
        method=next(known for known in METHODS if known == method),
        params=by_model,
        label_params=by_labels,
        model=model,
        always_model=always,
        over_persons=over_mine,
        band=band,
    )
    with console.progress() as stage:
        report = refine_items(opened, chosen, how, stage)
    key = LABELS if model is None else model.digest
    if method == "crf" and params is None and kept_params(opened.models_dir, key) is None:
        console.note(
            "No parameters were tuned for this, so the authors' were used, which fit few "
            "pictures; --tune finds better ones where there is truth."
        )
    return report


def _params(text: str | None, usual: CrfParams) -> CrfParams:
    from segcore.refine import PRESETS, CrfParams

    if text is None:
        return usual
    return PRESETS[text] if text in PRESETS else CrfParams.parse(text, usual)


def _tune(
    opened: Project, chosen: list[Item], model: Models | None, trials: int, seconds: float
) -> TuneReport:
    from segcore.projects.tuning import tune

    with console.progress() as stage:
        return tune(opened, chosen, model, trials=trials, seconds=seconds, stage=stage)


def _show_refined(report: RefineReport, method: str, as_json: bool) -> None:
    for name, error in report.failed:
        console.note(f"maskwright: {name}: {error.message}")
    pixels = sum(changed for _, changed in report.refined)
    if as_json:
        row: dict[str, Any] = {
            "method": method,
            "refined": len(report.refined),
            "unchanged": len(report.unchanged),
            "failed": len(report.failed),
            "by_model": report.by_model,
            "pixels": pixels,
            "mean_iou_before": report.before,
            "mean_iou_after": report.after,
            "items": [{"name": name, "pixels": changed} for name, changed in report.refined],
        }
        console.say_json(row)
        return
    line = f"{console.plural(len(report.refined), 'item')} refined, {pixels:,} pixels changed"
    if report.unchanged:
        line += f"; {len(report.unchanged):,} stayed as they were"
    console.say(line + ".")
    if report.before == report.before:  # NaN without truth
        before, after = console.score(report.before), console.score(report.after)
        console.say(f"Mean IoU against truth: {before} before, {after} after.")


def _show_tuned(report: TuneReport, as_json: bool) -> None:
    if as_json:
        console.say_json(report.to_json())
        return
    _show_side(report, report.train, "chosen on")
    if report.held_out is not None:
        console.say()
        _show_side(report, report.held_out, "held out")
    console.say()
    values = ", ".join(f"{name} {value:g}" for name, value in report.params.to_json().items())
    console.say(f"{report.trials} trials; the best: {values}.")
    if report.kept:
        console.say("Kept: they are used from now on.")
    else:
        console.say(f"Not kept. {report.reason}")


def _show_side(report: TuneReport, side: Side, title: str) -> None:
    rows = [
        (c.name, console.score(a), console.score(b), _gain(b - a))
        for c, a, b in zip(
            report.classes.scored, side.without.tolist(), side.found.tolist(), strict=True
        )
    ]
    rows.append(
        (
            "mean",
            console.score(side.before),
            console.score(side.after),
            _gain(side.after - side.before),
        )
    )
    head = (f"IoU, {console.plural(side.items, 'item')} {title}", "without", "with CRF", "change")
    console.table(head, rows, right=(1, 2, 3))


def _gain(value: float) -> str:
    return "n/a" if value != value else f"{value:+.3f}"


COMMAND = Command(
    "refine",
    refine,
    "Make labels follow the picture: by a dense CRF or by GrabCut.\n\n"
    "Each item gets one step that can be undone. A person's pixels stay, and so does what is "
    "unlabelled or ignored. A dense CRF sharpens edges of large things and removes specks; thin "
    "structures it thins out or loses, so look at what --tune says of each class.",
    "maskwright refine street.maskwright --method crf --states predicted",
)
