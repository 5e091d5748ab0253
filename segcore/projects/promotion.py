"""Which model of a project predicts: what a person promoted, with one step back.

Kept in ``models/promoted.json`` as the row of models that were promoted one after the other; the
first entry is the model that predicted before anything was promoted. No torch.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from segcore.base import BadFile, MaskwrightError
from segcore.base.whole import write_whole
from segcore.projects.modelling import NoModel, find_model, known_models, knows_something
from segcore.store import Project
from segcore.train import runs
from segcore.train.landing import land

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
    runs.note_seen(run_dir)
    return name


def prefer(project: Project, name: str) -> None:
    """Let a model that is there already predict from now on, as `promote` does that of a run.

    Raises
    ------
    NoModel : there is none of this name, or it knows none of the project's classes.
    """
    known = known_models(project.models_dir)
    if name not in known:
        raise NoModel(f'There is no model "{name}".', "Choose one of those that are listed.")
    if not knows_something(project, known[name]):
        raise NoModel(f"{name} knows no class of this project.", "Train it further first.")
    row = _row_so_far(project)
    project.models_dir.mkdir(parents=True, exist_ok=True)
    _write(project, [*[entry for entry in row if entry != name], name])


def has_earlier(project: Project) -> bool:
    """Whether `demote` has a model to go back to."""
    return len(_row(project)) > 1


def demote(project: Project) -> str | None:
    """Go back to the model before; its name, or None where there is none."""
    row = _row(project)
    if len(row) < 2:
        return None
    _write(project, row[:-1])
    return row[-2]


def way_back(project: Project) -> str | None:
    """The name of the model that `demote` goes back to, or None."""
    row = _row(project)
    return row[-2] if len(row) > 1 else None


def hold(project: Project) -> None:
    """Let what predicts now go on predicting, whatever models come along by themselves.

    A finished run lands its model without asking, and the newest model predicts where nobody
    chose one. A project without a model holds none: its first one predicts.
    """
    row = _row_so_far(project)
    if row and not _row(project):
        project.models_dir.mkdir(parents=True, exist_ok=True)
        _write(project, row)


def waiting(project: Project) -> list[Path]:
    """Runs that ended and that nobody has looked at, the last to end first."""
    chosen = _row(project)
    found = []
    for run_dir in runs.find_runs(project.runs_dir):
        with contextlib.suppress(BadFile):
            ended = runs.ended_at(run_dir)
            name = runs.read_run(run_dir).name
            if ended is not None and not runs.is_seen(run_dir) and name not in chosen:
                found.append((ended, run_dir))
    return [run_dir for _, run_dir in sorted(found, reverse=True)]


def land_waiting(project: Project) -> list[str]:
    """Land the models of finished runs that nobody has looked at and that are no models yet.

    The trainer does so at its end; one whose disk was full could not. Their names.

    Raises
    ------
    MaskwrightError : which model predicts cannot be kept.
    OSError : the project cannot be written to.
    """
    there = known_models(project.models_dir, built_in=False)
    missing = [
        run_dir
        for run_dir in waiting(project)
        if runs.state(run_dir) == "done" and runs.read_run(run_dir).name not in there
    ]
    if missing:
        hold(project)
    landed = []
    for run_dir in missing:
        with contextlib.suppress(BadFile):
            landed.append(land(run_dir, project.models_dir))
    return landed


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
    try:
        write_whole(project.models_dir / FILE, json.dumps(row, ensure_ascii=False))
    except OSError as error:
        raise MaskwrightError(
            f"The choice of the model cannot be kept: {error.strerror or error}.",
            "Check that the project's folder can be written to.",
        ) from error
