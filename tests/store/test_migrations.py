"""Versions of the store: migrated in one transaction after a copy; newer files are refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from store_kit import block, make_project

from segcore.base import NotAProject
from segcore.store import Project
from segcore.store.migrations import LATEST, Migration, migrate, migrations, version_of

SECOND = Migration(LATEST + 1, "ALTER TABLE item ADD COLUMN weight REAL NOT NULL DEFAULT 1;")
BROKEN = Migration(
    LATEST + 1, "ALTER TABLE item ADD COLUMN weight REAL; INSERT INTO nowhere VALUES (1);"
)


def columns(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(item)")}


def test_numbers_of_migrations_have_no_gap() -> None:
    assert [m.number for m in migrations()] == list(range(1, LATEST + 1))


def test_a_migration_changes_the_file_and_keeps_a_copy_of_the_old_one(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        project.apply(project.items[0], block(0, 0, 9, 9, 2))
        path = project.path
    with closing(sqlite3.connect(path / "project.db", isolation_level=None)) as connection:
        migrate(connection, path, path / "backup", [*migrations(), SECOND])
        assert version_of(connection) == LATEST + 1
    assert "weight" in columns(path / "project.db")
    (copy,) = (path / "backup").glob("*.db")
    assert "weight" not in columns(copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert version_of(connection) == LATEST
        assert connection.execute("SELECT count(*) FROM tile").fetchone()[0] == 2


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        path = project.path
    with closing(sqlite3.connect(path / "project.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, path, path / "backup", [*migrations(), BROKEN])
        assert version_of(connection) == LATEST
    assert "weight" not in columns(path / "project.db")
    Project.open(path).close()


def test_a_file_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        path = project.path
    with closing(sqlite3.connect(path / "project.db")) as connection:
        connection.execute(f"PRAGMA user_version = {LATEST + 5}")
    content = (path / "project.db").read_bytes()
    with pytest.raises(NotAProject, match=r"newer Maskwright.*Update"):
        Project.open(path)
    assert (path / "project.db").read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 400])
def test_a_file_that_is_no_project_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "odd.maskwright"
    folder.mkdir()
    (folder / "project.db").write_bytes(content)
    with pytest.raises(NotAProject, match=r"odd\.maskwright"):
        Project.open(folder)


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "other.maskwright"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "project.db")) as connection:
        connection.execute("CREATE TABLE item (number)")
    with pytest.raises(NotAProject, match="not a Maskwright project"):
        Project.open(folder)
