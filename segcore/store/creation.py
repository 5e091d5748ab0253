"""Making a project folder, and recognising one."""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path

from segcore.base import MaskwrightError, NotAProject
from segcore.store import migrations
from segcore.store.database import DATABASE, locked, make_durable, open_connection

SUFFIX = ".maskwright"
"""Ending of a project folder's name."""

FOLDERS = ("models", "runs", "backup", "cache")


def make_folder(folder: Path) -> None:
    """Make an empty project folder without a database.

    Raises
    ------
    MaskwrightError : the name has another ending, the folder exists, or cannot be made.
    """
    if folder.suffix != SUFFIX:
        raise MaskwrightError(
            f"{folder.name} is no name for a project.",
            f"Let it end in {SUFFIX}: {folder.name}{SUFFIX}",
        )
    try:
        folder.mkdir(parents=True)
        for part in FOLDERS:
            (folder / part).mkdir()
    except FileExistsError:
        raise MaskwrightError(
            f"{folder.name} exists already.", "Open it, or choose another name."
        ) from None
    except OSError as error:
        raise MaskwrightError(
            f"{folder} cannot be made: {error.strerror or error}.", "Choose another folder."
        ) from error


def make_database(folder: Path) -> None:
    """Make the empty store of a new project."""
    with closing(open_connection(folder / DATABASE, "rwc")) as connection:
        make_durable(connection)
        migrations.migrate(connection, folder, folder / "backup")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("uuid", str(uuid.uuid4())), ("created", str(time.time()))],
        )
        connection.execute("COMMIT")


def require_project(path: Path, *, exclusive: bool = False) -> None:
    """See that `path` is a project that this program can read.

    Parameters
    ----------
    exclusive : it lies on a share, where only one process may look at it.

    Raises
    ------
    NotAProject : it is no project, or one of a newer program.
    ProjectBusy : another process has locked it.
    """
    file = path / DATABASE
    if not file.is_file():
        raise NotAProject(
            f"{path.name} is not a Maskwright project: it has no {DATABASE}.",
            "Open a folder that Maskwright made, or make one with `maskwright new`.",
        )
    try:
        mode = "rw" if exclusive else "ro"
        with closing(open_connection(file, mode, busy_seconds=1.0)) as connection:
            if exclusive:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            migrations.require_known(connection, path)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise locked(path) from error
        raise NotAProject(
            f"{path.name} cannot be opened: {error}.", "Check that the folder can be read."
        ) from error
