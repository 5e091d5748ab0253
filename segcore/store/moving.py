"""A copy of a project in another place, and image files that have moved."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from segcore.base import MaskwrightError
from segcore.labels import Patch
from segcore.store import backup, creation, sources
from segcore.store.database import DATABASE, make_durable, open_connection
from segcore.store.events import Entry

if TYPE_CHECKING:
    from segcore.store.project import Project


def copy_project(old: Path, new: Path) -> None:
    """Copy a project as of its last commit; paths of images lead to the same files from there.

    Raises
    ------
    MaskwrightError : the copy cannot be made; what was begun is removed.
    """
    creation.make_folder(new)
    try:
        backup.copy_to(old / DATABASE, new / DATABASE)
        with closing(open_connection(new / DATABASE, "rw")) as connection:
            make_durable(connection)
            rows = connection.execute("SELECT item, position, path FROM source_file").fetchall()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE source_file SET path = ? WHERE item = ? AND position = ?",
                (
                    (sources.relative(new, sources.resolve(old, path)), item, position)
                    for item, position, path in rows
                ),
            )
            connection.execute("COMMIT")
        for part in ("models", "runs"):
            shutil.copytree(old / part, new / part, dirs_exist_ok=True)
    except (OSError, sqlite3.Error, shutil.Error) as error:
        shutil.rmtree(new, ignore_errors=True)
        raise MaskwrightError(
            f"{new.name} could not be written: {error}.", "Choose a folder on another disk."
        ) from error


def missing_files(project: Project) -> list[sources.SourceRef]:
    """The image files that are not where they were."""
    return [ref for ref in sources.all_sources(project) if ref.status == "missing"]


def remap_folder(project: Project, old: Path, new: Path) -> int:
    """Say that the folder `old` with images is `new` now; gives how many files were found there.

    Only files that are there, and no longer in the old place, are moved over.
    """
    found: dict[str, Path] = {}
    for ref in missing_files(project):
        file = Path(os.path.normpath(project.path / ref.path))
        if file.is_relative_to(old.absolute()):
            moved = new.absolute() / file.relative_to(old.absolute())
            if moved.exists():
                found[ref.path] = moved
    return _write_paths(project, found)


def find_files(project: Project, folder: Path) -> int:
    """Look for the missing files under `folder`, by size and digest, or name where there is none.

    Gives how many were found.
    """
    missing = missing_files(project)
    sizes = {ref.size for ref in missing}
    by_size: dict[int, list[Path]] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            file = Path(root) / name
            size = file.stat().st_size
            if size in sizes:
                by_size.setdefault(size, []).append(file)
    digests: dict[Path, str] = {}
    found: dict[str, Path] = {}
    for ref in missing:
        for file in by_size.get(ref.size, []):
            if ref.digest:
                if file not in digests:
                    digests[file] = sources.digest_source(file)
                same = digests[file] == ref.digest
            else:
                same = file.name == Path(ref.path).name
            if same:
                found[ref.path] = file
                break
    return _write_paths(project, found)


def _write_paths(project: Project, found: dict[str, Path]) -> int:
    if not found:
        return 0
    sql = "UPDATE source_file SET path = ?, mtime_ns = ? WHERE path = ?"
    statements = []
    for path, file in found.items():
        measured = sources.measure(file)
        assert measured is not None
        statements.append((sql, (sources.relative(project.path, file), measured[1], path)))

    def work() -> int:
        patch = Patch((), (), f"Find {len(found)} images", "move")
        project.scribe.write_now(
            Entry(
                patch,
                seq=project.scribe.steps.next_seq(),
                id=patch.id,
                kind="move",
                statements=tuple(statements),
            )
        )
        return len(found)

    return project.scribe.call(work)
