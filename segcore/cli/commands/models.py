"""``maskwright models``: architectures and trained models, with what they say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from segcore.base import MaskwrightError
from segcore.cli import console
from segcore.cli.command import Command


def models(
    name: Annotated[
        str | None, typer.Argument(help="An architecture, a trained model, or a model's folder.")
    ] = None,
    project: Annotated[
        Path | None,
        typer.Option(help="List the models of this project as well; an import lands there."),
    ] = None,
    encoders: Annotated[
        bool, typer.Option("--encoders", help="List the encoders that the architecture takes.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="PATH",
            help="Make a model of a checkpoint of segmentation-models-pytorch: a folder of "
            "save_pretrained, or a .safetensors or .pth file with its arguments in a .json of "
            "the same name, or in --arch, --encoder and --argument.",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes of the import in the order of its outputs: names with commas, camvid, "
            "binary, or a TOML or JSON file."
        ),
    ] = None,
    save_as: Annotated[
        str | None, typer.Option("--name", help="Name of the import; its file's unless told.")
    ] = None,
    arch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Architecture of the import, such as Unet.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoder of the import, such as resnet34.")
    ] = None,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="An argument of the import's class, such as classes=11."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compare the engines that pay on this machine (OpenVINO, bfloat16) with torch in "
            "float32 on the project's images, and note in the model what was seen.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List and describe models."""
    from segcore.models.registry import architectures
    from segcore.projects.modelling import describe_model, known_models

    if checkpoint is not None:
        if project is None:
            raise typer.BadParameter("an import needs --project, where the model lands")
        told = _arguments(arch, encoder, argument or [])
        _import(checkpoint, project, save_as, classes, told, as_json)
        return
    table = architectures()
    if encoders:
        _encoders(name, as_json)
        return
    trained = known_models(None if project is None else project / "models")
    if name is None:
        _list(trained, as_json)
        return
    if name in table:
        _architecture(name, as_json)
        return
    folder = trained.get(name, Path(name))
    if not (folder / "model.json").is_file():
        raise MaskwrightError(
            f'There is no architecture and no trained model named "{name}".',
            f"Architectures: {', '.join(table)}. Trained: {', '.join(trained) or 'none'}.",
        )
    if check:
        _check(folder, project)
    row = describe_model(folder)
    if as_json:
        console.say_json(row)
    else:
        _trained(name, row)


def _check(folder: Path, project: Path | None) -> None:
    if project is None:
        raise typer.BadParameter("--check needs --project, whose images are compared")
    from segcore.infer.threads import share_processor

    share_processor()
    from segcore.projects.model_check import check_in_project
    from segcore.store import Project

    with Project.open(project, write=False) as opened:
        check_in_project(opened, folder)


def _arguments(arch: str | None, encoder: str | None, given: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if arch is not None:
        told["_model_class"] = arch
    if encoder is not None:
        told["encoder_name"] = encoder
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"--argument takes NAME=VALUE, and {text} has no =")
        try:
            told[key] = json.loads(value)
        except ValueError:
            told[key] = value  # a word without quotation marks
    return told


def _import(
    checkpoint: Path,
    project: Path,
    name: str | None,
    classes: str | None,
    arguments: dict[str, Any],
    as_json: bool,
) -> None:
    from segcore.base import CLASS_PRESETS, ClassSet
    from segcore.projects.model_import import import_model
    from segcore.projects.modelling import describe_model
    from segcore.store import Project

    wanted: ClassSet | list[str] | None = None
    if classes is not None:
        is_set = classes in CLASS_PRESETS or Path(classes).suffix.lower() in {".toml", ".json"}
        wanted = ClassSet.load(classes) if is_set else [c.strip() for c in classes.split(",")]
    with Project.open(project) as opened:
        folder = import_model(opened, checkpoint, name=name, classes=wanted, arguments=arguments)
    row = describe_model(folder)
    if as_json:
        console.say_json({"name": folder.name, "folder": str(folder)} | row)
        return
    _trained(folder.name, row)
    mean = ", ".join(f"{v:.3f}" for v in row["preparation"]["mean"])
    console.say(
        f"  Pictures are prepared as for {row['encoder']}'s ImageNet weights (mean {mean})."
    )


def _list(trained: dict[str, Path], as_json: bool) -> None:
    from segcore.models.registry import architectures
    from segcore.projects.modelling import describe_model

    described = {name: describe_model(folder) for name, folder in trained.items()}
    if as_json:
        console.say_json(
            {
                "architectures": [_architecture_row(name) for name in architectures()],
                "trained": [{"name": name} | row for name, row in described.items()],
            }
        )
        return
    console.say("Architectures")
    for name, row in architectures().items():
        encoder = f"encoder {row.encoder}" if row.encoder else "an encoder of its own"
        console.say(f"  {name:<15}{row.title}, {row.year} ({encoder})")
    console.say("Trained models")
    for name, found in described.items():
        classes = ", ".join(c["name"] for c in found["classes"])
        console.say(
            f"  {name:<15}{found['architecture']} with {found['encoder']}: {classes}; "
            f"{console.size_text(found['bytes'])}"
        )
    if not described:
        console.say("  none")


def _encoders(name: str | None, as_json: bool) -> None:
    from segcore.models.encoder_table import encoder_names, encoder_rows
    from segcore.models.registry import architecture

    if name is not None:
        architecture(name)
    rows = [encoder_rows()[encoder] for encoder in encoder_names(name)]
    if as_json:
        console.say_json(
            [
                {
                    "name": row.name,
                    "style": row.style,
                    "strides": sorted({*row.dilates, row.patch or 32}),
                    "millions": row.millions or None,
                    "licence": row.licence or None,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        size = f"{row.millions:8.1f} M" if row.millions else " " * 10
        console.say(f"{row.name:<52}{size}  {row.licence}".rstrip())


def _architecture_row(name: str) -> dict[str, Any]:
    from segcore.models.encoder_table import encoder_names
    from segcore.models.registry import architectures

    row = architectures()[name]
    return {
        "name": row.name,
        "title": row.title,
        "idea": row.idea,
        "paper": row.paper,
        "year": row.year,
        "tasks": list(row.tasks),
        "licence": row.licence or "BSD-3-Clause",
        "encoder": row.encoder,
        "encoders": len(encoder_names(name)),
        "options": [
            {"name": o.name, "default": o.default, "help": o.help, "choices": list(o.choices)}
            for o in row.options
        ],
    }


def _architecture(name: str, as_json: bool) -> None:
    row = _architecture_row(name)
    if as_json:
        console.say_json(row)
        return
    console.say(f"{row['title']} ({row['year']})")
    console.say(f"  {row['idea']}")
    console.say(f"  {row['paper']}")
    console.say(f"  Tasks      {', '.join(row['tasks'])}")
    console.say(f"  Licence    {row['licence']}")
    if row["encoder"]:
        count = f"{row['encoders']:,} others"
        console.say(f"  Encoder    {row['encoder']} unless told, or one of {count} (--encoders)")
    else:
        console.say("  Encoder    its own")
    for option in row["options"]:
        among = f" (one of {', '.join(map(str, option['choices']))})" if option["choices"] else ""
        console.say(f"  Option     {option['name']} = {option['default']}: {option['help']}{among}")


def _trained(name: str, row: dict[str, Any]) -> None:
    console.say(name)
    console.say(f"  Built      {row['architecture']} with encoder {row['encoder']}")
    console.say(f"  Classes    {', '.join(c['name'] for c in row['classes'])}")
    console.say(
        f"  Input      {row['channels']} channels, prepared by {row['preparation']['kind']}"
    )
    console.say(f"  Weights    {console.size_text(row['bytes'])}, started from {row['weights']}")
    if row["licence"]:
        console.say(f"  Licence    {row['licence']}  {row['attribution']}".rstrip())
    if row["data"].get("items"):
        console.say(f"  Data       {len(row['data']['items']):,} training items")
    for what, score in row["scores"].items():
        console.say(f"  Score      {what}: {_score_text(score)}")
    _engines(row.get("engines", {}))
    if row["command"]:
        console.say(f"  Command    {row['command']}")


def _engines(rows: dict[str, Any]) -> None:
    from segcore.models.agreement import ENGINES, TORCH, agreements

    seen = agreements(rows)
    if not seen:
        console.say(
            f"  Computed   by {ENGINES[TORCH]}; --check --project compares faster engines with it"
        )
    for name, one in seen.items():
        verdict = "agrees" if one.holds else "is not used"
        console.say(f"  Engine     {ENGINES[name]} {verdict}. {one.sentence}")


def _score_text(score: Any) -> str:
    if not isinstance(score, dict):
        return str(score)
    parts = [
        f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
        for key, value in score.items()
        if not isinstance(value, dict | list)
    ]
    return ", ".join(parts)


COMMAND = Command(
    "models",
    models,
    "List architectures and trained models, or describe one of them.\n\n"
    "A trained model says what it was trained on, how, under which licence, and how it scores. "
    "--import makes a model of a checkpoint of segmentation-models-pytorch; it predicts the same. "
    "It also says which engines were seen to give torch's answers: only those compute it.",
    "maskwright models nuclei",
)
