"""The power goes: of every file only what was synced is left, and still nothing said is lost.

A painting process is recorded write by write (`record_writes.c`, preloaded), and the disk is put
together again as it may be found after a power cut at any moment. A write that was not synced may
be there or not, each for itself: SQLite promises nothing about their order, nor does a disk.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from store_kit import make_project
from test_kill import PAINTER, ROOT, SIZE

from segcore.store import Project, check
from segcore.store.durable import COMMIT_LOG

STROKES = 40


@dataclass(frozen=True)
class Operation:
    kind: str
    file: str
    at: int
    data: bytes


def read_record(file: Path) -> Iterator[Operation]:
    content = file.read_bytes()
    place = 0
    while place < len(content):
        kind = chr(content[place])
        named, at, size = struct.unpack_from("<QQQ", content, place + 1)
        place += 25
        name = content[place : place + named].decode()
        yield Operation(kind, name, at, content[place + named : place + named + size])
        place += named + size


def compile_recorder(folder: Path) -> Path:
    library = folder / "record_writes.so"
    source = Path(__file__).with_name("record_writes.c")
    compiler = shutil.which("gcc") or shutil.which("cc") or "g++"
    command = [compiler, "-x", "c", "-shared", "-fPIC", "-O1", "-w", "-o", str(library)]
    subprocess.run([*command, str(source), "-ldl", "-lpthread"], check=True)
    return library


def record_painting(folder: Path, project: Path, log: Path) -> list[Operation]:
    """Paint with a checkpoint in the middle of it, and give what was written meanwhile."""
    record = folder / "record.bin"
    environment = {
        **os.environ,
        "LD_PRELOAD": str(compile_recorder(folder)),
        "RECORD_FOLDER": str(folder / "disk"),
        "RECORD_FILE": str(record),
        COMMIT_LOG: str(log),
        "PYTHONPATH": str(ROOT),
    }
    for first in (0, STROKES):
        # The first painter closes, which empties the log into the database before the second.
        numbers = (str(first), str(STROKES))
        child = subprocess.Popen(
            [sys.executable, str(PAINTER), str(project), str(folder / "strokes.txt"), *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert child.stdout is not None
        for _ in range(STROKES):
            assert child.stdout.readline() == "released\n"
        child.communicate("\n")
        assert child.returncode == 0
    return list(read_record(record))


def disk_after(
    base: dict[str, bytes], operations: Sequence[Operation], keep: np.random.Generator | None
) -> dict[str, bytearray]:
    """The files after a power cut behind `operations`; unsynced writes are dropped, or kept at
    random."""
    disk = {name: bytearray(content) for name, content in base.items()}
    waiting: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.kind == "S":
            for done in waiting.pop(operation.file, []):
                _do(disk, done)
        else:
            waiting.setdefault(operation.file, []).append(operation)
    if keep is not None:
        for unsynced in waiting.values():
            for operation in unsynced:
                if keep.random() < 0.5:
                    _do(disk, operation)
    return disk


def _do(disk: dict[str, bytearray], operation: Operation) -> None:
    content = disk.setdefault(operation.file, bytearray())
    if operation.kind == "T":
        del content[operation.at :]
        content.extend(bytes(operation.at - len(content)))
        return
    end = operation.at + len(operation.data)
    content.extend(bytes(max(0, end - len(content))))
    content[operation.at : end] = operation.data


def test_after_a_power_cut_every_stroke_that_was_logged_is_there(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with make_project(disk, 1, SIZE) as made:
        path, item_id = made.path, made.items[0].id
    base = {str(f): f.read_bytes() for f in path.iterdir() if f.is_file()}
    log = disk / "commits.txt"
    operations = record_painting(tmp_path, path, log)
    files = {operation.file for operation in operations}
    assert {str(path / "project.db"), str(path / "project.db-wal"), str(log)} <= files

    random = np.random.default_rng(7)
    commits = [n + 1 for n, op in enumerate(operations) if op.file == str(log)]
    checkpoints = [n + 1 for n, op in enumerate(operations) if op.file == str(path / "project.db")]
    assert len(commits) > 20
    assert checkpoints
    chosen = [
        *random.choice(commits, 10, replace=False),
        *random.choice(checkpoints, 5),
        *random.integers(1, len(operations), 7),
    ]
    for number, cut in enumerate(sorted(map(int, chosen))):
        keep = np.random.default_rng(number) if number % 2 else None
        before = operations[:cut]
        said = b"".join(op.data for op in before if op.file == str(log)).decode().split()
        files_left = disk_after(base, before, keep)
        after = tmp_path / f"after {number}" / path.name
        (after / "backup").mkdir(parents=True)
        for name, content in files_left.items():
            if Path(name).parent == path and not name.endswith("-shm"):
                (after / Path(name).name).write_bytes(content)
        with Project.open(after) as project:
            stored = {row.event_id for row in project.scribe.history(item_id)}
            assert set(said) <= stored, f"cut {cut} of {len(operations)}"
        assert check(after).problems == ()
        shutil.rmtree(after)


def test_the_recorder_tells_synced_from_unsynced(tmp_path: Path) -> None:
    # What the test above stands on: a write is gone without a sync, and there with one.
    operations = [
        Operation("W", "a", 0, b"first"),
        Operation("S", "a", 0, b""),
        Operation("W", "a", 5, b" second"),
        Operation("T", "a", 3, b""),
    ]
    assert bytes(disk_after({}, operations, None)["a"]) == b"first"
    synced = [*operations, Operation("S", "a", 0, b"")]
    assert bytes(disk_after({}, synced, None)["a"]) == b"fir"
