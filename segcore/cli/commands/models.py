"""``maskwright models``: architectures and trained models, with what they say of themselves."""

from __future__ import annotations

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
        Path | None, typer.Option(help="List the models of this project as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List and describe models."""
    from segcore.models.registry import architectures
    from segcore.projects.modelling import describe_model, known_models

    table = architectures()
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
    row = describe_model(folder)
    if as_json:
        console.say_json(row)
    else:
        _trained(name, row)


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
        console.say(f"  {name:<12}{row.title}, {row.year} (encoder {row.encoder})")
    console.say("Trained models")
    for name, found in described.items():
        classes = ", ".join(c["name"] for c in found["classes"])
        console.say(
            f"  {name:<12}{found['architecture']} with {found['encoder']}: {classes}; "
            f"{console.size_text(found['bytes'])}"
        )
    if not described:
        console.say("  none")


def _architecture_row(name: str) -> dict[str, Any]:
    from segcore.models.registry import architectures

    row = architectures()[name]
    return {
        "name": row.name,
        "title": row.title,
        "paper": row.paper,
        "year": row.year,
        "tasks": list(row.tasks),
        "encoder": row.encoder,
        "options": [{"name": o.name, "default": o.default, "help": o.help} for o in row.options],
    }


def _architecture(name: str, as_json: bool) -> None:
    row = _architecture_row(name)
    if as_json:
        console.say_json(row)
        return
    console.say(f"{row['title']} ({row['year']})")
    console.say(f"  {row['paper']}")
    console.say(f"  Tasks      {', '.join(row['tasks'])}")
    console.say(f"  Encoder    {row['encoder']} unless told; any of segmentation-models-pytorch")
    for option in row["options"]:
        console.say(f"  Option     {option['name']} = {option['default']}: {option['help']}")


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
    if row["command"]:
        console.say(f"  Command    {row['command']}")


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
    "A trained model says what it was trained on, how, under which licence, and how it scores.",
    "maskwright models nuclei",
)
