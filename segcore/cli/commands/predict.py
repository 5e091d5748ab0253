"""``maskwright predict``: a model's masks for the items of a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segcore.cli import console
from segcore.cli.command import Command

if TYPE_CHECKING:
    from segcore.refine import CrfParams
    from segcore.store import Project


def predict(
    project: Annotated[Path, typer.Argument(help="The project.")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH", help="A model by name, or its folder; else the project's own."
        ),
    ] = None,
    items: Annotated[str | None, typer.Option(metavar="GLOB", help="Names of the items.")] = None,
    states: Annotated[
        str | None,
        typer.Option(help="States of the items, with commas, or all; new unless told."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Predict again where this model already did; a person's pixels stay.",
        ),
    ] = False,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="crf",
            help="Sharpen the probabilities by a dense CRF, with the parameters that "
            "`maskwright refine --tune` found, else the authors'.",
        ),
    ] = None,
    least_score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Of an object, for models that find objects; unless told, what the model takes "
            "for one. Those below it can still be chosen in the window.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="cuda|mps|cpu", help="Where to compute.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict items."""
    from segcore.projects.choosing import STATES, choose, parse_states
    from segcore.projects.modelling import find_model
    from segcore.projects.opening import writing

    if refine not in (None, "crf"):
        raise typer.BadParameter("a prediction is refined by crf")
    if states is not None:
        wanted = parse_states(states)
    else:
        wanted = frozenset(STATES) - {"rejected"} if overwrite else frozenset({"new"})
    with writing(project) as opened:
        folder = find_model(opened, model)
        chosen = choose(opened.items, wanted, items)
        if not chosen:
            console.note(
                f"No item is {' or '.join(sorted(wanted))}"
                + (f" and named like {items}" if items else "")
                + "; choose others with --states."
            )
        from segcore.infer.threads import share_processor

        share_processor()
        from segcore.projects.predicting import predict_items

        params = None if refine is None else _crf_params(opened, folder)
        with console.progress() as stage:
            report = predict_items(
                opened,
                chosen,
                folder,
                again=overwrite,
                device=device,
                refine=params,
                least_score=least_score,
                stage=stage,
            )
    if report.mapping.sentence:
        console.note(report.mapping.sentence)
    for name, error in report.failed:
        console.note(f"maskwright: {name}: {error.message}")
    counts = {
        "adopted": len(report.adopted),
        "proposed": len(report.proposed),
        "skipped": len(report.skipped),
        "failed": len(report.failed),
    }
    if as_json:
        console.say_json({"model": report.model, **counts, "seconds": round(report.seconds, 3)})
    else:
        done = counts["adopted"] + counts["proposed"]
        line = f"{report.model}: {console.plural(done, 'item')} predicted in {report.seconds:.1f} s"
        if counts["proposed"]:
            line += f", {counts['proposed']:,} of them wait as proposals"
        if counts["skipped"]:
            line += f"; {counts['skipped']:,} were predicted before (--overwrite does it again)"
        console.say(line + ".")
    if report.failed:
        raise typer.Exit(1)


def _crf_params(project: Project, folder: Path) -> CrfParams:
    from segcore.models.weights import model_digest
    from segcore.projects.crf_params import default_params

    return default_params(project.models_dir, model_digest(folder))


COMMAND = Command(
    "predict",
    predict,
    "Predict masks for the items of a project.\n\n"
    "A prediction becomes the label where nobody has worked yet; elsewhere it waits as a proposal "
    "and no person's pixel is touched.",
    "maskwright predict street.maskwright --model street --states new",
)
