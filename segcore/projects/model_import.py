"""Models that others made, brought into a project. Loads torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segcore.base import ClassSet, MaskwrightError
from segcore.models.smp_checkpoint import load_smp_checkpoint
from segcore.models.weights import save_model
from segcore.projects.model_check import check_in_project
from segcore.projects.training import check_model_name
from segcore.store import Project


def import_model(
    project: Project,
    checkpoint: Path,
    *,
    name: str | None = None,
    classes: ClassSet | Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Path:
    """A checkpoint of segmentation-models-pytorch as a model of the project; its folder.

    The project's images show which engines may compute it.

    Parameters
    ----------
    name : of the model; None is the checkpoint's own.
    classes, arguments : see `segcore.models.smp_checkpoint.load_smp_checkpoint`.

    Raises
    ------
    BadFile, MaskwrightError : no checkpoint, one that has no counterpart, or a name that is taken.
    """
    chosen = name or (checkpoint.stem if checkpoint.suffix else checkpoint.resolve().name)
    folder = project.models_dir / chosen
    check_model_name(chosen)
    if folder.exists():
        raise MaskwrightError(
            f'{project.name} has a model named "{chosen}" already.', "Give another (--name)."
        )
    model = load_smp_checkpoint(checkpoint, classes=classes, arguments=arguments)
    model.spec = model.spec.changed(name=chosen)
    save_model(model, folder)
    check_in_project(project, folder)
    return folder
