"""The model of a finished run, brought home to the models of its project. No torch.

The trainer does it itself, because nobody else may be there when it ends. A model that landed
predicts only where a person promotes it, or where the project has no other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from segcore.base import BadFile
from segcore.models.spec import DESCRIPTION, TENSORS
from segcore.store.database import DATABASE
from segcore.train import runs

DRAFT = ".part"  # ends the name of a model's folder that is not whole yet


def land(run_dir: Path, models_dir: Path) -> str:
    """Copy the result of a run to ``models/NAME``, whole or not at all; the name.

    Raises
    ------
    BadFile : the run has no result.
    """
    name = runs.read_run(run_dir).name
    result = run_dir / runs.RESULT
    if not all((result / part).is_file() for part in (TENSORS, DESCRIPTION)):
        raise BadFile(f"The run {name} has no model yet.", "Wait until it is done.")
    target = models_dir / name
    draft = models_dir / f"{name}{DRAFT}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for part in (TENSORS, DESCRIPTION):
        shutil.copyfile(result / part, draft / part)
    if target.exists():  # the same run again, resumed and finished
        shutil.rmtree(target)
    draft.rename(target)
    return name


def bring_home(run_dir: Path) -> None:
    """Land a run in the project that its folder lies in, if it lies in one.

    Raises
    ------
    BadFile : the run has no result.
    OSError : the project cannot be written to.
    """
    project = run_dir.absolute().parent.parent
    if (project / DATABASE).is_file():
        land(run_dir, project / "models")


def home(run_dir: Path) -> Path | None:
    """Where the model of a run landed; None where it did not."""
    folder = run_dir.absolute().parent.parent / "models" / runs.read_run(run_dir).name
    return folder if (folder / TENSORS).is_file() else None
