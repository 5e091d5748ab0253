"""The folder that an export appears in: all of it at once, or nothing.

Everything is written beside the target and renamed at the end. Whatever goes wrong before, be it
a full disk or a cancel, leaves the target as it was.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from segcore.base import BadFile, MaskwrightError
from segcore.base.digest import digest_file
from segcore.formats.manifest import MADE_BY, MANIFEST


class Target:
    """A new folder that is being filled; file names are relative, with slashes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, str] = {}

    def write(self, name: str, data: bytes) -> str:
        """Write a file and give its SHA-256."""
        with self._new(name) as stream:
            stream.write(data)
        return self._noted(name)

    def copy(self, name: str, source: BinaryIO) -> str:
        """Copy the rest of an open file and give its SHA-256."""
        with self._new(name) as stream:
            shutil.copyfileobj(source, stream, 1 << 20)
        return self._noted(name)

    def write_json(self, name: str, content: Any) -> str:
        """Write JSON without indentation, as large files of numbers need it; gives the SHA-256."""
        text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        with self._new(name) as stream:
            for part in text.iterencode(content):
                stream.write(part.encode())
        return self._noted(name)

    @contextmanager
    def _new(self, name: str) -> Iterator[BinaryIO]:
        """A file to write, which is on the disk when the block ends: a network's disk says only
        then that it is full."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())

    def _noted(self, name: str) -> str:
        self.files[name] = digest_file(self.folder / name)
        return self.files[name]


@contextmanager
def new_folder(out: Path) -> Iterator[Target]:
    """A folder to fill, which takes the place of `out` when the block ends without an error.

    `out` may be missing, empty, or an export of ours with nothing else in it, which is replaced.

    Raises
    ------
    BadFile : `out` holds something else, which is never deleted.
    MaskwrightError : the disk is full or refuses; `out` is as it was.
    """
    out = out.absolute()
    filling = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        try:
            _require_ours(out)
            filling.mkdir(parents=True)
            yield Target(filling)
            _take_place(filling, out)
        except OSError as error:
            raise _refused(out, error) from error
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise


def _take_place(filling: Path, out: Path) -> None:
    if not out.exists():
        filling.rename(out)
        return
    _require_ours(out)  # once more: the export may have taken minutes
    old = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.old")
    out.rename(old)
    try:
        filling.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _require_ours(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise BadFile(f"{out} is a file.", "Name a folder for the export.")
    foreign = _foreign(out, _listed(out))
    if foreign:
        what = f"holds {foreign[0]}" + (f" and {len(foreign) - 1:,} more" if foreign[1:] else "")
        raise BadFile(
            f"{out} {what}, which no export put there.",
            "Choose a new or an empty folder; nothing of yours is deleted.",
        )


def replaced(out: Path) -> float | None:
    """When the export was made that one to `out` would replace, in seconds since 1970.

    None where there is none, or where it is not replaced because other things lie beside it.
    """
    try:
        made = (out / MANIFEST).stat().st_mtime
        listed = _listed(out)
        # Asked while a folder is typed: one that is not ours may be large.
        return made if listed and not _foreign(out, listed) else None
    except OSError:
        return None


def _listed(out: Path) -> set[str]:
    """The files of the export in this folder, its manifest included; empty if it is none."""
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        return {*manifest["files"], MANIFEST} if manifest["made_by"] == MADE_BY else set()
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()


def _foreign(out: Path, listed: set[str]) -> list[str]:
    """The files in this folder that its export did not put there."""
    present = {p.relative_to(out).as_posix() for p in out.rglob("*") if not p.is_dir()}
    return sorted(present - listed)


def _refused(out: Path, error: OSError) -> MaskwrightError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or getattr(error, "winerror", 0) == 112:
        return MaskwrightError(
            f"The disk is full, so the export to {out} was not made.",
            "Free some space or choose another disk; what was there before is still there.",
        )
    named = Path(os.fsdecode(error.filename)).name if error.filename else out.name
    return MaskwrightError(
        f"The export to {out} was not made: {named}: {error.strerror or error}.",
        "Check the folder's permissions and that no other program holds its files.",
    )
