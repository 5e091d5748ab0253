"""A run's folder from outside: make it, find it, follow it, ask it to stop. No torch.

run.json       name, recipe, seeds, versions, base, and the process that works on it
data/          frozen items (`segcore.train.frozen`)
base/          the model that is trained further, copied
events.jsonl   one JSON object a line, appended
checkpoint/    the last state, to resume from
result/        model.safetensors, model.json, report.json
cancel, pause  files whose presence asks for it
seen           a file: somebody looked at how the run ended
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from segcore.base import BadFile, MaskwrightError, digest_file
from segcore.base.dataclass import dataclass
from segcore.base.process import process_start, still_runs
from segcore.base.whole import write_whole
from segcore.train.recipe import Recipe

RUN = "run.json"
EVENTS = "events.jsonl"
RESULT = "result"
REPORT = "report.json"
BASE = "base"
CANCEL = "cancel"
PAUSE = "pause"
SEEN = "seen"
PAUSE_SECONDS = 20.0  # a pause that nobody renews ends: whoever asked may have died

State = Literal["prepared", "running", "done", "failed", "cancelled", "lost"]


@dataclass(frozen=True)
class Run:
    """What ``run.json`` says.

    Parameters
    ----------
    name : also the name of the model that comes out.
    recipe : how it is trained.
    project : path of the project it was made from, or "".
    base : {"name", "digest"} of the model that is trained further, or None.
    versions : of the programs that matter.
    process : {"pid", "started", "host"} of the trainer, or None.
    made : when, ISO 8601.
    """

    name: str
    recipe: Recipe
    project: str = ""
    base: Mapping[str, str] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    process: Mapping[str, Any] | None = None
    made: str = ""
    licence: str = ""
    attribution: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "format": "maskwright run",
            "version": 1,
            "name": self.name,
            "made": self.made,
            "recipe": self.recipe.to_json(),
            "project": self.project,
            "base": dict(self.base) if self.base else None,
            "versions": dict(self.versions),
            "process": dict(self.process) if self.process else None,
            "licence": self.licence,
            "attribution": self.attribution,
        }


def versions() -> dict[str, str]:
    """Versions of what a training depends on."""
    # Here, because it costs the window's start 20 ms, and the window makes no run by itself.
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("maskwright", "torch", "timm", "segmentation-models-pytorch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_run(run_dir: Path, run: Run) -> None:
    """Write ``run.json``; whole or not at all."""
    run_dir.mkdir(parents=True, exist_ok=True)
    write_whole(run_dir / RUN, json.dumps(run.to_json(), indent=1, ensure_ascii=False) + "\n")


def make_run(
    run_dir: Path,
    recipe: Recipe,
    *,
    name: str | None = None,
    project: str = "",
    base: Path | None = None,
    licence: str = "",
    attribution: str = "",
) -> Run:
    """Begin a run's folder; `segcore.train.freeze` fills in its data.

    Parameters
    ----------
    base : folder of the model to train further; it is copied, so it may change meanwhile.

    Raises
    ------
    MaskwrightError : the folder holds a run already.
    """
    if (run_dir / RUN).exists():
        raise MaskwrightError(f"{run_dir} holds a run already.", "Choose another name.")
    run_dir.mkdir(parents=True, exist_ok=True)
    origin = None
    if base is not None:
        from segcore.models.spec import DESCRIPTION, TENSORS, ModelSpec

        ModelSpec.read(base)  # says what is wrong before anything is copied
        (run_dir / BASE).mkdir(exist_ok=True)
        for part in (TENSORS, DESCRIPTION):
            shutil.copyfile(base / part, run_dir / BASE / part)
        origin = {"name": base.name, "digest": digest_file(run_dir / BASE / TENSORS)}
    run = Run(
        name=name or run_dir.name,
        recipe=recipe,
        project=project,
        base=origin,
        versions=versions(),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=licence,
        attribution=attribution,
    )
    write_run(run_dir, run)
    return run


def read_run(run_dir: Path) -> Run:
    """What ``run.json`` says.

    Raises
    ------
    BadFile : not the folder of a run.
    """
    path = run_dir / RUN
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return Run(
            name=row["name"],
            recipe=Recipe.from_json(row["recipe"]),
            project=row["project"],
            base=row["base"],
            versions=row["versions"],
            process=row["process"],
            made=row["made"],
            licence=row["licence"],
            attribution=row["attribution"],
        )
    except OSError as error:
        raise BadFile(f"{run_dir} is no folder of a run.", "Name one below runs/.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path} is damaged: {error}.", "Make the run again.") from error


# -- events ------------------------------------------------------------------------------------


class EventLog:
    """Appends events to a run's ``events.jsonl``, each line whole and at once on disk."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / EVENTS

    def write(self, kind: str, **facts: Any) -> None:
        line = json.dumps({"kind": kind, "time": round(time.time(), 3), **facts})
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


def read_events(run_dir: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Events from a byte offset on, and the offset to go on from; a half-written line waits."""
    try:
        with (run_dir / EVENTS).open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    found = []
    for line in data[:end].splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:  # torn by a power cut; the rest is good
            continue
    return found, offset + end


# -- state -------------------------------------------------------------------------------------


def claim(run_dir: Path) -> Run:
    """Enter this process as the run's trainer.

    Raises
    ------
    MaskwrightError : another live process works on the run.
    """
    from dataclasses import replace

    run = read_run(run_dir)
    mine = run.process is not None and run.process["pid"] == os.getpid()
    if is_alive(run) and run.process is not None and not mine:
        raise MaskwrightError(
            f"Process {run.process['pid']} works on the run {run.name}.",
            "Wait for it, or cancel it.",
        )
    process = {
        "pid": os.getpid(),
        "started": process_start(os.getpid()),
        "host": socket.gethostname(),
    }
    if run.process is not None and not mine:
        withdraw_cancel(run_dir)  # it asked a trainer that died before it could stop
    run = replace(run, process=process)
    write_run(run_dir, run)
    (run_dir / SEEN).unlink(missing_ok=True)  # its end is a new one
    return run


def is_alive(run: Run) -> bool:
    """Whether the trainer that ``run.json`` names still lives; a reused pid is not taken for it."""
    if run.process is None or run.process["host"] != socket.gethostname():
        return False
    return still_runs(int(run.process["pid"]), float(run.process["started"]))


def state(run_dir: Path) -> State:
    """Where a run stands; ``lost`` is one whose process died without a word."""
    run = read_run(run_dir)
    events, _ = read_events(run_dir)
    last = next(
        (e["kind"] for e in reversed(events) if e["kind"] in _ENDS or e["kind"] == "started"), None
    )
    if last in _ENDS:
        ended: State = last
        return ended
    if is_alive(run):
        return "running"
    return "prepared" if last is None else "lost"


_ENDS = ("done", "failed", "cancelled")


def ended_at(run_dir: Path) -> float | None:
    """When a run ended, in seconds since 1970; None while it goes on, or was never begun.

    One that lost its process ended with its last event. A trainer on another machine is not seen
    from here, so that its run goes on for all that is known.
    """
    if state(run_dir) not in (*_ENDS, "lost"):
        return None
    events, _ = read_events(run_dir)
    process = read_run(run_dir).process
    elsewhere = process is not None and process["host"] != socket.gethostname()
    if elsewhere and events[-1]["kind"] not in _ENDS:
        return None
    return float(events[-1].get("time", 0.0))


def is_seen(run_dir: Path) -> bool:
    """Whether somebody looked at how the run ended."""
    return (run_dir / SEEN).exists()


def note_seen(run_dir: Path) -> None:
    """Note that somebody looked at how the run ended, so that it is not offered again."""
    with contextlib.suppress(OSError):  # to be offered once more does no harm
        (run_dir / SEEN).touch()


def find_runs(runs_dir: Path) -> Iterator[Path]:
    """Folders of runs directly below `runs_dir`, by name."""
    if runs_dir.is_dir():
        for child in sorted(runs_dir.iterdir()):
            if (child / RUN).is_file():
                yield child


def request_cancel(run_dir: Path) -> None:
    """Ask the trainer to stop after its step; it keeps its checkpoint and writes a result.

    It holds from when the run is made, so also for a trainer that is still starting.
    """
    (run_dir / CANCEL).touch()


def is_cancel_asked(run_dir: Path) -> bool:
    """Whether the trainer is asked to stop."""
    return (run_dir / CANCEL).exists()


def withdraw_cancel(run_dir: Path) -> None:
    """What was asked is done, or the trainer that was asked is no more."""
    (run_dir / CANCEL).unlink(missing_ok=True)


def request_pause(run_dir: Path, pause: bool) -> None:
    """Ask the trainer to wait between steps; to be renewed within `PAUSE_SECONDS`."""
    if pause:
        (run_dir / PAUSE).touch()
    else:
        (run_dir / PAUSE).unlink(missing_ok=True)


def is_paused(run_dir: Path) -> bool:
    try:
        age = time.time() - (run_dir / PAUSE).stat().st_mtime
    except FileNotFoundError:
        return False
    return age < PAUSE_SECONDS


def read_report(run_dir: Path) -> dict[str, Any] | None:
    """The report of a finished run, or None."""
    try:
        row: dict[str, Any] = json.loads((run_dir / RESULT / REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return row
