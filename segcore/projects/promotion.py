"""Which model of a project predicts: what a person promoted, with one step back.

Kept in ``models/promoted.json`` as the row of models that were promoted one after the other; the
first entry is the model that predicted before anything was promoted. No torch.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from segcore.base import BadFile, MaskwrightError
from segcore.models.spec import DESCRIPTION, TENSORS
from segcore.projects.modelling import NoModel, find_model, known_models
from segcore.store import Project
from segcore.train import runs

FILE = "promoted.json"


def promoted(project: Project) -> str | None:
    """The name of the model that was promoted last, if it is still there."""
    row = _row(project)
    return row[-1] if row and row[-1] in known_models(project.models_dir) else None


def promote(project: Project, run_dir: Path) -> str:
    """Let the model of a finished run predict from now on; its name.

    Raises
    ------
    BadFile : the run has no result.
    """
    row = _row_so_far(project)
    name = land(run_dir, project.models_dir)
    _write(project, [*[entry for entry in row if entry != name], name])
    return name


def prefer(project: Project, name: str) -> None:
    """Let a model that is there already predict from now on, as `promote` does that of a run.

    Raises
    ------
    NoModel : there is none of this name.
    """
    if name not in known_models(project.models_dir):
        raise NoModel(f'There is no model "{name}".', "Choose one of those that are listed.")
    row = _row_so_far(project)
    project.models_dir.mkdir(parents=True, exist_ok=True)
    _write(project, [*[entry for entry in row if entry != name], name])


def demote(project: Project) -> str | None:
    """Go back to the model before; its name, or None where there is none."""
    row = _row(project)
    if len(row) < 2:
        return None
    _write(project, row[:-1])
    return row[-2]


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
    draft = models_dir / f"{name}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for part in (TENSORS, DESCRIPTION):
        shutil.copyfile(result / part, draft / part)
    if target.exists():  # the same run again, resumed and finished
        shutil.rmtree(target)
    draft.rename(target)
    return name


def _row_so_far(project: Project) -> list[str]:
    """Before the first promotion: the model that predicts without one."""
    row = _row(project)
    if not row:
        try:
            row = [find_model(project, None).name]
        except NoModel:
            row = []
    return row


def _row(project: Project) -> list[str]:
    try:
        content = json.loads((project.models_dir / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise BadFile(
            f"{project.models_dir / FILE} cannot be read.", "Delete it and promote again."
        ) from error
    return [str(entry) for entry in content] if isinstance(content, list) else []


def _write(project: Project, row: list[str]) -> None:
    draft = project.models_dir / (FILE + ".part")
    try:
        draft.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
        draft.replace(project.models_dir / FILE)
    except OSError as error:
        raise MaskwrightError(
            f"The choice of the model cannot be kept: {error.strerror or error}.",
            "Check that the project's folder can be written to.",
        ) from error
