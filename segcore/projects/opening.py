"""Open a project in order to change it, or say in one sentence who has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segcore.base import ProjectBusy
from segcore.store import Project


@contextmanager
def writing(path: Path) -> Iterator[Project]:
    """The project, open for writing, closed at the end.

    Raises
    ------
    NotAProject : no project.
    ProjectBusy : somebody else writes to it; the window or another command.
    """
    with Project.open(path) as project:
        if project.read_only:
            raise ProjectBusy(
                f"{project.path.name} cannot be changed now: {project.writer}.",
                "Close it there, then try again.",
            )
        yield project
