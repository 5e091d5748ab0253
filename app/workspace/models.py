"""The model that predicts in a project; its weights are the core's business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    """Name of the promoted model, or ""."""
    from segcore.projects.promotion import promoted

    return promoted(project) or ""
