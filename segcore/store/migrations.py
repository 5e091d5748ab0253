"""The versions of the store: numbered migrations, each in one transaction after a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from segcore.base import NotAProject
from segcore.base.dataclass import dataclass

APPLICATION_ID = 0x4D57_5254
"""``MWRT`` in the file's header: this database is a project of ours."""


@dataclass(frozen=True)
class Migration:
    """The statements that lead to version `number` from the one before."""

    number: int
    sql: str


def _schema() -> str:
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


def migrations() -> tuple[Migration, ...]:
    """All migrations in order; the first makes an empty file into a store."""
    return (Migration(1, _schema()),)


LATEST = 1
"""The version this program writes."""


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require_known(connection: sqlite3.Connection, path: Path, latest: int = LATEST) -> int:
    """The file's version.

    Raises
    ------
    NotAProject : it is no project of ours, or one of a newer program.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = version_of(connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise NotAProject(
            f"{path.name} is no readable project: {error}.",
            "Open another folder, or copy the newest file of its backup folder over project.db.",
        ) from error
    if application != APPLICATION_ID:
        raise NotAProject(
            f"{path.name} is not a Maskwright project.", "Open a folder that Maskwright made."
        )
    if version > latest:
        raise NotAProject(
            f"{path.name} was written by a newer Maskwright (store version {version}, "
            f"this program knows {latest}).",
            "Update Maskwright; the project was left as it is.",
        )
    return version


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    backups: Path,
    steps: Sequence[Migration] | None = None,
) -> None:
    """Bring the store in `connection` to the newest version.

    Parameters
    ----------
    path : the project, for sentences.
    backups : folder for the copy that is made before an existing store is changed.
    steps : the migrations; None is those of this program.
    """
    steps = migrations() if steps is None else steps
    present = version_of(connection)
    waiting = [step for step in steps if step.number > present]
    if not waiting:
        return
    if present:
        backups.mkdir(exist_ok=True)
        with closing(sqlite3.connect(backups / f"before-version-{steps[-1].number}.db")) as copy:
            connection.backup(copy)
    for step in waiting:
        try:
            connection.executescript(
                "BEGIN IMMEDIATE;\n"
                f"{step.sql}\n"
                f"PRAGMA user_version = {step.number};\n"
                f"PRAGMA application_id = {APPLICATION_ID};\n"
                "COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
