"""Image files of an item: where they are, and whether they are still what they were.

Paths are kept relative to the project folder, with slashes and in NFC, so that a project can be
moved with its images and opened on another system. Nothing here ever writes to an image.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from segcore.base import digest_file
from segcore.base.dataclass import dataclass

Status: TypeAlias = Literal["ok", "missing", "changed"]


if TYPE_CHECKING:
    from segcore.store.database import Database
    from segcore.store.project import Project

_PIECE = 1 << 20


@dataclass(frozen=True)
class SourceRef:
    """A file (or series folder) that an item shows.

    Parameters
    ----------
    path : relative to the project folder, with slashes, NFC; absolute on another drive.
    size, mtime_ns : bytes and time when it was added.
    digest : SHA-256 of its content, "" until somebody had the time.
    folder : the project folder.
    """

    path: str
    size: int
    mtime_ns: int
    digest: str
    folder: Path

    @property
    def file(self) -> Path:
        """Where the file is now, absolute."""
        return resolve(self.folder, self.path)

    @property
    def mtime(self) -> float:
        """Seconds since 1970."""
        return self.mtime_ns / 1e9

    @property
    def status(self) -> Status:
        """By size and time only: "ok", "missing" or "changed"."""
        found = measure(self.file)
        if found is None:
            return "missing"
        return "ok" if found == (self.size, self.mtime_ns) else "changed"


def all_sources(project: Project) -> list[SourceRef]:
    """The files of all items."""
    return [
        SourceRef(path, size, mtime_ns, digest, project.path)
        for path, size, mtime_ns, digest in project.database.rows(
            "SELECT path, size, mtime_ns, digest FROM source_file ORDER BY item, position"
        )
    ]


def measure(file: Path) -> tuple[int, int] | None:
    """Size in bytes and time in ns; of a folder the sum and the newest; None if it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    if not file.is_dir():
        return found.st_size, found.st_mtime_ns
    stats = [entry.stat() for entry in os.scandir(file) if entry.is_file()]
    return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)


def digest_one(database: Database, stop: Callable[[], bool]) -> bool:
    """Make the digest of one file that has none and has not changed; False if there is none.

    Parameters
    ----------
    stop : asked between pieces of the file; True gives up.
    """
    folder = database.file.parent
    for item, position, path, size, mtime_ns in database.rows(
        "SELECT item, position, path, size, mtime_ns FROM source_file WHERE digest = ''"
    ):
        file = resolve(folder, path)
        if file.is_dir() or measure(file) != (size, mtime_ns):
            continue
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                if stop():
                    return False
                digest.update(piece)
        with database.transaction() as connection:
            connection.execute(
                "UPDATE source_file SET digest = ? WHERE item = ? AND position = ?",
                (digest.hexdigest(), item, position),
            )
        return True
    return False


def digest_source(file: Path) -> str:
    """SHA-256 of a file, or of the digests of a folder's files whatever their names."""
    if not file.is_dir():
        return digest_file(file)
    parts = sorted(digest_file(Path(e.path)) for e in os.scandir(file) if e.is_file())
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def relative(folder: Path, file: Path | str) -> str:
    """The path to keep for a file; `file` is taken from the current folder."""
    absolute = os.path.normpath(Path(file).absolute())
    try:
        path = os.path.relpath(absolute, folder.absolute())
    except ValueError:  # another drive
        path = absolute
    return unicodedata.normalize("NFC", Path(path).as_posix())


def resolve(folder: Path, path: str) -> Path:
    """The file that a kept path means."""
    file = Path(os.path.normpath(folder.absolute() / path))
    if not file.exists():
        # Names may be written decomposed on the disk; only some systems see that they are equal.
        other = Path(unicodedata.normalize("NFD", str(file)))
        if other.exists():
            return other
    return file
