"""Check: whether a project is what its log says, byte by byte. Changes no label.

Damage is told apart from images that are missing or have changed, which are the person's own
business and take nothing from the labels.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from segcore.base.dataclass import dataclass
from segcore.labels import TileArray
from segcore.store import creation, replay, sources, writer
from segcore.store.blobs import PLANE_NAMES, DamagedTile, decode
from segcore.store.database import DATABASE, Database, open_connection

_TABLES_OF_HANDLES = (
    ("tile", "handle"),
    ("event_tile", "before"),
    ("event_tile", "after"),
)

_REFERENCES = (
    ("tile", "layer", "layer", "number"),
    ("event_tile", "layer", "layer", "number"),
    ("event_tile", "event", "event", "seq"),
    ("layer", "item", "item", "uuid"),
    ("pointer", "item", "item", "uuid"),
    ("pointer", "layer", "layer", "uuid"),
    ("source_file", "item", "item", "uuid"),
    ("instance", "item", "item", "uuid"),
    ("confusion", "item", "item", "uuid"),
    ("attribute", "item", "item", "uuid"),
)


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Parameters
    ----------
    kind : "database", "tile", "reference", "log" or "image".
    text : one sentence that names the place.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class CheckReport:
    """What was looked at, and what was found.

    Parameters
    ----------
    damage : problems of the store itself.
    images : image files that are missing or not what they were.
    items, tiles, events, files : how many were looked at.
    """

    damage: tuple[Problem, ...]
    images: tuple[Problem, ...]
    items: int
    tiles: int
    events: int
    files: int

    @property
    def ok(self) -> bool:
        """Nothing of the store is damaged."""
        return not self.damage

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems, damage first."""
        return self.damage + self.images


def check(
    path: Path | str,
    *,
    images: bool = True,
    progress: Callable[[str], None] = lambda part: None,
) -> CheckReport:
    """Verify checksums, references, that replaying the log gives the tiles, and image digests.

    Reads one moment of the project, also while somebody works on it. Digests that nobody had the
    time for are kept, if nobody else has the project open.

    Parameters
    ----------
    images : whether to read the image files.
    progress : told what is looked at next.

    Raises
    ------
    NotAProject : the folder is no project.
    """
    folder = Path(path).absolute()
    creation.require_project(folder)
    damage: list[Problem] = []
    found: list[Problem] = []
    fresh: dict[str, str] = {}
    with closing(open_connection(folder / DATABASE, "ro")) as connection:
        connection.execute("BEGIN")
        try:
            progress("database")
            _check_database(connection, damage)
            progress("tiles")
            _check_tiles(connection, damage)
            progress("references")
            _check_references(connection, damage)
            progress("log")
            damage += [Problem("log", text) for text in replay.differences(connection)]
            counts = {
                table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
                for table in ("item", "blob", "event", "source_file")
            }
        except sqlite3.DatabaseError as error:
            damage.append(Problem("database", f"project.db cannot be read: {error}."))
            return CheckReport(tuple(damage), (), 0, 0, 0, 0)
        rows = connection.execute(
            "SELECT s.path, s.size, s.mtime_ns, s.digest, i.name FROM source_file s"
            " JOIN item i ON i.uuid = s.item ORDER BY i.number, s.position"
        ).fetchall()
    if images:
        progress("images")
        for source_path, size, mtime_ns, digest, name in rows:
            ref = sources.SourceRef(source_path, size, mtime_ns, digest, folder)
            _check_image(ref, name, found, fresh)
        _keep_digests(folder, fresh)
    return CheckReport(
        tuple(damage),
        tuple(found),
        counts["item"],
        counts["blob"],
        counts["event"],
        counts["source_file"],
    )


def _check_database(connection: sqlite3.Connection, damage: list[Problem]) -> None:
    for (text,) in connection.execute("PRAGMA integrity_check"):
        if text != "ok":
            damage.append(Problem("database", f"project.db: {text}."))


def _check_tiles(connection: sqlite3.Connection, damage: list[Problem]) -> None:
    """Every blob has its checksum, and is an array of each plane that points at it."""
    uses = connection.execute(
        "SELECT b.id, u.plane, l.tile_z, l.tile_y, l.tile_x, b.data, b.crc, i.name FROM blob b"
        " LEFT JOIN (SELECT handle, plane, layer FROM tile UNION"
        " SELECT after, plane, layer FROM event_tile) u ON u.handle = b.id"
        " LEFT JOIN layer l ON l.number = u.layer LEFT JOIN item i ON i.uuid = l.item"
        " ORDER BY b.id"
    )
    known = {
        "class": {0} | {row[0] for row in connection.execute("SELECT id FROM class")},
        "origin": {0} | {row[0] for row in connection.execute("SELECT id FROM source")},
    }
    for handle, plane, tz, ty, tx, data, crc, item in uses:
        if tz is None:
            damage.append(Problem("reference", f"Tile {handle} belongs to no layer."))
            continue
        name = PLANE_NAMES[plane]
        try:
            array = decode(handle, data, crc, name, (tz, ty, tx))
        except DamagedTile as error:
            damage.append(Problem("tile", f"{item}: {error.message}"))
            continue
        if name in known:
            strange = _values(array) - known[name]
            if strange:
                text = f"{item}: tile {handle} has {name} {min(strange)}, which is not known."
                damage.append(Problem("reference", text))


def _values(array: TileArray) -> set[int]:
    """The values that occur in a uint16 tile."""
    present = np.zeros(65536, bool)
    present[array.reshape(-1)] = True
    return set(np.flatnonzero(present).tolist())


def _check_references(connection: sqlite3.Connection, damage: list[Problem]) -> None:
    for table, column, other, key in _REFERENCES:
        lost = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {other})"
        ).fetchone()[0]
        if lost:
            damage.append(
                Problem("reference", f"{lost} rows of {table} name a {other} that is not there.")
            )
    for table, column in _TABLES_OF_HANDLES:
        for (handle,) in connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= 0"
            f" AND {column} NOT IN (SELECT id FROM blob)"
        ):
            damage.append(Problem("reference", f"Tile {handle} of {table} is not stored."))
    for name, slot in connection.execute(
        "SELECT i.name, p.slot FROM pointer p JOIN item i ON i.uuid = p.item"
        " JOIN layer l ON l.uuid = p.layer WHERE l.item != p.item"
    ):
        damage.append(Problem("reference", f"{name} shows another item's layer as {slot}."))
    for (name,) in connection.execute(
        "SELECT name FROM item WHERE uuid NOT IN (SELECT item FROM pointer WHERE slot = 'label')"
    ):
        damage.append(Problem("reference", f"{name} has no label."))


def _check_image(
    ref: sources.SourceRef, name: str, found: list[Problem], fresh: dict[str, str]
) -> None:
    status = ref.status
    if status == "missing":
        found.append(Problem("image", f"{name}: {ref.path} is missing."))
        return
    try:
        digest = sources.digest_source(ref.file)
    except OSError as error:
        reason = error.strerror or "the system refused"
        found.append(Problem("image", f"{name}: {ref.path} cannot be read: {reason}."))
        return
    if ref.digest and digest != ref.digest:
        found.append(Problem("image", f"{name}: {ref.path} has changed."))
    elif not ref.digest:
        if status == "changed":
            found.append(Problem("image", f"{name}: {ref.path} has another size or time."))
        else:
            fresh[ref.path] = digest


def _keep_digests(folder: Path, fresh: dict[str, str]) -> None:
    if not fresh:
        return
    try:
        database = Database(folder / DATABASE, write=True)
    except Exception:  # locked or not writable: they are made again the next time
        return
    with closing(database):
        present, ours = writer.acquire(database, "")
        if ours:
            with database.transaction() as connection:
                connection.executemany(
                    "UPDATE source_file SET digest = ? WHERE path = ?",
                    ((digest, path) for path, digest in fresh.items()),
                )
            writer.release(database, present.epoch)
