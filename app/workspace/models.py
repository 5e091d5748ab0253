"""The models of a project: which predicts, which there are, and what a training begins with.

Their weights are the core's business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segcore.base import MaskwrightError, digest_file
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class ModelRow:
    """One model.

    Parameters
    ----------
    name : of its folder.
    path : the folder.
    """

    name: str
    path: Path


def current_model(project: Any) -> ModelRow | None:
    """The promoted model, else the project's newest, else a built-in one that knows its classes.

    None where there is none: a fine-tuning then begins a new one.
    """
    from segcore.projects.modelling import NoModel, find_model

    try:
        path = find_model(project, None)
    except NoModel:
        return None
    return ModelRow(path.name, path)


def promoted_name(project: Any) -> str:
    """Name of the model that a person promoted, so that there is a way back, or ""."""
    from segcore.projects.promotion import promoted, way_back

    return (promoted(project) or "") if way_back(project) else ""


@dataclass(frozen=True)
class Beginning:
    """What a training begins with; nothing given is the model that predicts.

    Parameters
    ----------
    model : folder of a trained model that is trained further; "" for none named.
    architecture, encoder : of a new model; "" is no new one, and the family's own encoder.
    options : of the architecture, as the recipe writes them; "" is the family's defaults.
    """

    model: str = ""
    architecture: str = ""
    encoder: str = ""
    options: str = ""

    @property
    def is_new(self) -> bool:
        return bool(self.architecture)


@dataclass(frozen=True)
class TrainedModel:
    """A trained model and what it says of itself.

    Parameters
    ----------
    name, path : of its folder.
    about : its ``model.json``.
    digest : SHA-256 of its numbers.
    predicts : whether it is the one that predicts now.
    promoted : whether a person chose that.
    built_in : whether it comes with the program.
    fits : whether it knows a class of the project.
    error : why it cannot be read, or "".
    """

    name: str
    path: Path
    about: dict[str, Any]
    digest: str = ""
    predicts: bool = False
    promoted: bool = False
    built_in: bool = False
    fits: bool = True
    error: str = ""


def trained_models(project: Any | None) -> list[TrainedModel]:
    """The project's models, the one that predicts first, then those that come along.

    Reads their numbers for the digests: for threads beside the GUI.
    """
    from segcore.models.built_in import is_built_in
    from segcore.models.spec import TENSORS
    from segcore.projects.modelling import describe_model, known_models, knows_something

    used = None if project is None else current_model(project)
    chosen = "" if project is None else promoted_name(project)
    found = []
    for name, path in known_models(None if project is None else project.models_dir).items():
        about: dict[str, Any] = {}
        digest, error, fits = "", "", True
        try:
            about, digest = describe_model(path), digest_file(path / TENSORS)
            fits = project is None or knows_something(project, path)
        except MaskwrightError as broken:
            error = str(broken)
        found.append(
            TrainedModel(
                name,
                path,
                about,
                digest,
                predicts=used is not None and used.path == path,
                promoted=name == chosen,
                built_in=is_built_in(path),
                fits=fits,
                error=error,
            )
        )
    return sorted(found, key=lambda m: (not m.predicts, m.built_in))


def encoder_choices(architecture: str) -> list[tuple[str, str]]:
    """Every encoder with the sentence by which a family refuses it, or ""; its usual one first."""
    from segcore.models.encoder_table import encoder_names
    from segcore.models.registry import architecture as row_of

    row = row_of(architecture)
    if not row.encoder:
        return []
    names = [row.encoder, *(n for n in encoder_names() if n != row.encoder)]
    return [(name, row.refuses(name) or "") for name in names]
