"""The models a project can use: its own, and the ones that come with the program.

Reads the self-descriptions (`model.json`) only; weights are the core's business.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelRow:
    """One model.

    Parameters
    ----------
    name : of its folder.
    path : the folder.
    title : architecture and encoder, for people.
    classes : names of its classes.
    own : True for a model of the project, False for one that comes with the program.
    """

    name: str
    path: Path
    title: str
    classes: tuple[str, ...]
    own: bool


def models_of(project: Any) -> list[ModelRow]:
    """The project's models by name, then the built-in ones."""
    own = [_read(folder, own=True) for folder in _folders(Path(project.models_dir))]
    built_in = [_read(folder, own=False) for folder in _folders(built_in_folder())]
    return [row for row in (*own, *built_in) if row is not None]


def current_model(project: Any) -> ModelRow | None:
    """The model that predicts: the promoted one, else the project's newest, else a built-in one
    that knows one of the project's classes."""
    rows = models_of(project)
    chosen = promoted_name(project)
    for row in rows:
        if row.own and row.name == chosen:
            return row
    own = [row for row in rows if row.own]
    if own:
        return max(own, key=lambda row: (row.path / "model.json").stat().st_mtime)
    names = {c.name.casefold() for c in project.classes.active if c.colour is not None}
    fitting = [row for row in rows if names & {n.casefold() for n in row.classes}]
    return fitting[0] if fitting else None


def promoted_name(project: Any) -> str:
    """Name of the promoted model, or ""."""
    from segcore.train import runs

    return runs.promoted(project) or ""


def built_in_folder() -> Path:
    """Where the models are that come with the program."""
    return Path(__file__).resolve().parents[2] / "resources" / "weights"


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if (p / "model.json").is_file())


def _read(folder: Path, *, own: bool) -> ModelRow | None:
    try:
        spec = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        log.warning("a model's description could not be read")
        return None
    classes = tuple(str(row.get("name", "")) for row in spec.get("classes", []))
    parts = (
        str(spec.get("architecture") or spec.get("name") or ""),
        str(spec.get("encoder") or ""),
    )
    return ModelRow(folder.name, folder, " ".join(p for p in parts if p), classes, own)
