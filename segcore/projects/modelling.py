"""The models that can be named: those of a project, and those that come along. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segcore.base import BadFile, MaskwrightError
from segcore.infer.mapping import map_classes
from segcore.models.built_in import BUILT_IN
from segcore.models.spec import DESCRIPTION, TENSORS, ModelSpec
from segcore.store import Project
from segcore.train.landing import DRAFT


class NoModel(MaskwrightError):
    """There is no such model, or none that fits."""


def known_models(models_dir: Path | None, *, built_in: bool = True) -> dict[str, Path]:
    """Trained models by name: a project's own first, then those that come with the program."""
    folders = [] if models_dir is None else [models_dir]
    if built_in:
        folders.append(BUILT_IN)
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            for child in sorted(folder.iterdir()):
                if _is_model(child):
                    found.setdefault(child.name, child)
    return found


def describe_model(folder: Path) -> dict[str, Any]:
    """The self-description of a trained model, with the size of its weights in bytes.

    Raises
    ------
    BadFile : the description cannot be read.
    """
    try:
        row: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(
            f"{folder / DESCRIPTION} cannot be read.", "Copy the model's folder again."
        ) from error
    ModelSpec.from_json(row, str(folder))
    return row | {"bytes": (folder / TENSORS).stat().st_size}


def find_model(project: Project, wanted: str | None) -> Path:
    """The folder of the model that is to predict.

    Parameters
    ----------
    wanted : name or folder; None is the promoted model, else the project's newest, else one that
        comes along and knows a class of the project that is more than background.

    Raises
    ------
    NoModel
    """
    known = known_models(project.models_dir)
    if wanted is not None:
        folder = known.get(wanted, Path(wanted))
        if not _is_model(folder):
            raise NoModel(
                f'There is no model "{wanted}".',
                f"Name one of {', '.join(known) or 'none yet'}, or a folder with {TENSORS}.",
            )
        return folder
    own = known_models(project.models_dir, built_in=False)
    promoted = _promoted(project)
    if promoted in known:
        return known[promoted]
    if own:
        return max(own.values(), key=lambda folder: (folder / TENSORS).stat().st_mtime_ns)
    for folder in known.values():
        if knows_something(project, folder):
            return folder
    raise NoModel(
        f"{project.name} has no model, and none that comes along knows its classes.",
        f"Train one (maskwright train {project.path.name}), or name one with --model.",
    )


def knows_something(project: Project, model: Path) -> bool:
    """Whether a model knows a class of the project that is more than background.

    Raises
    ------
    BadFile : the model's description cannot be read.
    """
    return map_classes(ModelSpec.read(model).classes, project.classes).finds_something


def _promoted(project: Project) -> str:
    from segcore.projects.promotion import promoted  # it knows this module

    return promoted(project) or ""


def _is_model(folder: Path) -> bool:
    whole = not folder.name.endswith(DRAFT)
    return whole and (folder / TENSORS).is_file() and (folder / DESCRIPTION).is_file()
