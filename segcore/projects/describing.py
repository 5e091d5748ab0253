"""What a project is, in one mapping: ``maskwright info`` and the window's project page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segcore.projects.choosing import count_states
from segcore.projects.modelling import describe_model, known_models
from segcore.store import Project


def describe_project(project: Project) -> dict[str, Any]:
    """Items, states, classes, models and sizes in bytes; values that JSON can hold."""
    items = list(project.items)
    sources = {item.name: item.sources for item in items}
    return {
        "name": project.name,
        "path": str(project.path),
        "items": len(items),
        "states": count_states(items),
        "with_truth": sum(item.truth is not None for item in items),
        "held_out": sum(item.split == "held_out" for item in items),
        "groups": len({item.group for item in items}),
        "missing_images": [
            name for name, refs in sources.items() if any(ref.status == "missing" for ref in refs)
        ],
        "changed_images": [
            name for name, refs in sources.items() if any(ref.status == "changed" for ref in refs)
        ],
        "classes": [
            {
                "id": int(c.id),
                "name": c.name,
                "value": c.value,
                "colour": c.colour,
                "thing": c.thing,
                "ignore": c.ignore,
            }
            for c in project.classes.active
        ],
        "models": [
            {"name": name} | _short(describe_model(folder))
            for name, folder in known_models(project.models_dir, built_in=False).items()
        ],
        "sizes": {
            "store": sum(size_of(p) for p in project.path.glob("project.db*")),
            "models": size_of(project.models_dir),
            "runs": size_of(project.runs_dir),
            "cache": size_of(project.cache_dir),
        },
    }


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; 0 where there is none."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else 0


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("architecture", "encoder", "scores", "bytes")}
