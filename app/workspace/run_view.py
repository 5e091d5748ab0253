"""One run as the sheet shows it, read from its folder's events piece by piece."""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Any

from segcore.base.dataclass import dataclass

log = logging.getLogger(__name__)
ENDED = ("done", "failed", "cancelled", "lost")


@dataclass
class RunView:
    """What the sheet shows of one run; grows with its events.

    Parameters
    ----------
    path : the run folder.
    state : preparing, running, cancelling (asked to stop), done, failed, cancelled, lost.
    started : when it was made, in seconds since 1970; 0 where that is not known.
    learned, mixed, held_out : pictures (slices count each) that were frozen to learn from, of
        what was learned before, and to measure by; None until the trainer has read them.
    losses : (step, loss) of each step told.
    scores : (step, mean IoU on held-out items) of the new model.
    old, new : class name -> IoU on held-out items; None where not measured.
    old_mean, new_mean : their means, or None.
    seen : somebody looked at how it ended.
    note : such as "same sequence" or "not measured".
    """

    path: Path
    name: str = ""
    parent: str = ""
    state: str = "preparing"
    step: int = 0
    steps: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    started: float = 0.0
    learned: int | None = None
    mixed: int | None = None
    held_out: int | None = None
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)
    scored_step: int = 0
    old: dict[str, float | None] = field(default_factory=dict)
    new: dict[str, float | None] = field(default_factory=dict)
    old_mean: float | None = None
    new_mean: float | None = None
    items: int = 0
    note: str = ""
    reason: str = ""
    device: str = ""
    promoted: bool = False
    seen: bool = False
    _read: int = 0

    @property
    def is_running(self) -> bool:
        return self.state not in ENDED

    @property
    def is_measured(self) -> bool:
        """Whether enough is held out for a score, for all that is known."""
        from segcore.train.preflight import MEASURED_FROM  # not before there is a run

        enough = self.held_out is not None and self.held_out >= MEASURED_FROM
        return bool(self.scores) or (enough and not self.note.startswith("not measured"))

    @property
    def share(self) -> float:
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    def read_events(self) -> bool:
        """Take in what was appended since the last time; True if there was something."""
        file = self.path / "events.jsonl"
        try:
            with file.open("rb") as stream:
                stream.seek(self._read)
                fresh = stream.read()
        except OSError:
            return False
        whole = fresh[: fresh.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                self.take(json.loads(line))
            except ValueError:
                log.warning("an event of a run could not be read")
        return bool(whole)

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        kind = event.get("kind")
        if kind == "started":
            self._goes_on()
            self.started = self.started or float(event.get("time") or 0.0)
            self.learned, self.mixed = event.get("items"), event.get("replay")
            self.held_out = event.get("held_out")
            self.steps = int(event.get("steps") or self.steps)
            self.device = str(event.get("device") or self.device)
            # One that goes on does the steps after its checkpoint again.
            begun = int(event.get("step") or 0)
            self.losses = [point for point in self.losses if point[0] <= begun]
            self.scores = [point for point in self.scores if point[0] <= begun]
        elif kind == "step" and "loss" in event:
            self._goes_on()
            self.step, self.steps = int(event["step"]), int(event.get("steps") or self.steps)
            self.losses.append((self.step, float(event["loss"])))
            self.rate = float(event.get("rate") or 0.0)
            left = event.get("seconds_left")
            self.seconds_left = None if left is None else float(left)
        elif kind == "scored":
            self._take_scores(event)
        elif kind in ("done", "failed", "cancelled"):
            self.state = str(kind)
            self.seconds_left = None
            self.reason = str(event.get("reason") or event.get("message") or "")

    def _goes_on(self) -> None:
        if self.state != "cancelling":  # it does what it was doing until it has stopped
            self.state = "running"

    def lose(self) -> None:
        """Its process has gone without a word."""
        self.state, self.seconds_left = "lost", None
        self.reason = "Its process was ended from outside. Resume goes on with it."

    def _take_scores(self, event: dict[str, Any]) -> None:
        self.scored_step = int(event.get("step") or self.step)
        self.note = str(event.get("note") or "")
        self.items = int(event.get("items") or 0)
        old, new = event.get("old"), event.get("new")
        self.items = int((new or {}).get("items") or self.items)
        if old:
            self.old, self.old_mean = _by_name(old), old.get("mean_iou", old.get("mean"))
        if new:
            self.new, self.new_mean = _by_name(new), new.get("mean_iou", new.get("mean"))
            if self.new_mean is not None:
                self.scores.append((self.scored_step, float(self.new_mean)))


def _by_name(score: dict[str, Any]) -> dict[str, float | None]:
    """Class name -> IoU, from a list of rows or from a mapping."""
    rows = score.get("classes", score.get("iou", {}))
    if isinstance(rows, dict):
        return {str(name): value for name, value in rows.items()}
    return {str(row["name"]): row.get("iou") for row in rows}


def view_of(run: Path) -> RunView:
    """A view of a run folder as its `run.json` describes it."""
    view = RunView(path=run, name=run.name)
    try:
        about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return view
    view.name = str(about.get("name") or run.name)
    view.parent = str((about.get("base") or {}).get("name", ""))
    with contextlib.suppress(ValueError):
        view.started = datetime.fromisoformat(str(about.get("made"))).timestamp()
    recipe = about.get("recipe") or {}
    view.steps = int(about.get("steps") or recipe.get("steps") or 0)
    return view
