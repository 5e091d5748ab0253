"""Jobs of the core and the refiner: what was asked, how far it is, and where its answer goes.

The client's events come on a reader thread and are brought over by a queued signal.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.workspace.arrivals import Arrivals
from app.workspace.job import JobRow
from app.workspace.messages import Message
from app.workspace.models import ModelRow, current_model
from app.workspace.state import SolvedRegion
from segcore.base import MaskwrightError, Rect

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

log = logging.getLogger(__name__)

# How the keys of jobs begin that nobody waits for: a training does not pause for them.
AHEAD, WARM = "ahead:", "warm"


class Jobs(QObject):
    """The window's side of core and refiner."""

    heard = Signal(object)
    """Every event of core and refiner, on the GUI thread."""
    _spoke = Signal(object)

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._core: Any = None
        self._refiner: Any = None
        self._rows: dict[int, JobRow] = {}
        self._arrivals = Arrivals(workspace)
        self._models: dict[int, tuple[ModelRow, str]] = {}
        self._solving: dict[int, tuple[int, Rect, float]] = {}
        self._courtesy: Any = None
        self._spoke.connect(self._hear)

    # -- reading ------------------------------------------------------------------------------

    @property
    def rows(self) -> list[JobRow]:
        """Jobs, newest first; that of an overview before all."""
        overview = self._workspace.overviews.row
        return [*([] if overview is None else [overview]), *reversed(self._rows.values())]

    @property
    def running(self) -> list[JobRow]:
        """What somebody asked for and is not done."""
        return [row for row in self._rows.values() if row.is_running and not row.ahead]

    @property
    def ahead(self) -> list[JobRow]:
        """What is being predicted though nobody asked."""
        return [row for row in self._rows.values() if row.is_running and row.ahead]

    @property
    def has_core(self) -> bool:
        """Whether the core was started."""
        return self._core is not None

    def progress(self) -> tuple[int, int, float | None]:
        """Finished, all of the present batch, and the seconds left (None: not known yet)."""
        rows = self._batch()
        done = sum(not row.is_running for row in rows)
        share = sum(1.0 if not row.is_running else row.progress for row in rows)
        started = min((row.started for row in rows if row.started), default=0.0)
        if not rows or not started or share <= 0:
            return done, len(rows), None
        spent = time.monotonic() - started
        return done, len(rows), spent / share * (len(rows) - share)

    def _batch(self) -> list[JobRow]:
        if not self.running:
            return []
        first = min(row.started for row in self.running)
        asked = [row for row in self._rows.values() if not row.ahead]
        return [row for row in asked if row.is_running or row.started >= first - 3600]

    # -- asking -------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Start the processes; called once the first picture is on screen."""
        self._start()
        self._workspace.ahead.consider()

    def warm(self, model: ModelRow) -> None:
        """Have the core load a model before somebody waits for it."""
        from segcore.service.protocol import Warm

        self._start().submit(Warm(key=WARM, model_path=str(model.path)))

    def predict(self, ids: list[str]) -> None:
        """Predict these items with the project's model, in this order."""
        workspace = self._workspace
        project = workspace.project
        if project is None or not ids:
            return
        model = current_model(project)
        if model is None:
            workspace.post(
                Message(
                    "This project has no model yet.",
                    tone="warning",
                    hint="Correct a few items and fine-tune, or add a model from a file.",
                )
            )
            return
        for row in self.ahead:  # one that is wanted now is not begun again
            if row.item_id in ids and self._models[row.number][0] == model:
                self._update(row.number, ahead=False)
        self.stop_ahead()
        if not self.running:
            self._rows = {n: row for n, row in self._rows.items() if row.is_running}
        for item_id in ids:
            if all(row.item_id != item_id for row in self.running):
                self._submit(item_id, model)
        workspace.jobs_changed.emit()

    def predict_ahead(self, ids: list[str], model: ModelRow, digest: str) -> None:
        """Predict these items, and no others, though nobody asked; see `Ahead`."""
        for row in self.ahead:
            if row.item_id not in ids or self._models[row.number] != (model, digest):
                self._core.cancel(row.number)
        fresh = [i for i in ids if all(row.item_id != i for row in self.ahead)]
        for item_id in fresh:
            try:
                self._submit(item_id, model, digest)
            except MaskwrightError as error:  # its file is missing; the person hears on opening it
                log.info("not predicted ahead: %s", type(error).__name__)
                self._workspace.ahead.give_up(item_id, digest)
        if fresh:
            self._workspace.jobs_changed.emit()

    def stop_ahead(self) -> None:
        """Somebody asks for something: nothing else is to keep the core."""
        if self._core is not None:
            for row in self.ahead:
                self._core.cancel(row.number)

    def _submit(self, item_id: str, model: ModelRow, ahead: str = "") -> None:
        """Hand in a prediction; `ahead` is the model's digest where nobody asked for it."""
        from segcore.service.protocol import Predict

        workspace = self._workspace
        project = workspace.project
        item = project.items.by_id(item_id)
        number = self._start().submit(
            Predict(
                key=f"{AHEAD if ahead else 'predict:'}{item_id}",
                item=item_id,
                image_paths=tuple(str(p) for p in source_paths(item)),
                model_path=str(model.path),
                class_rows=tuple(project.classes.to_rows()),
                near=workspace.near,
                as_stack=item.as_stack,
            )
        )
        title = f"Predict {item.name} ahead" if ahead else f"Predict {item.name}"
        self._rows[number] = JobRow(
            number, title, item_id, started=time.monotonic(), ahead=bool(ahead)
        )
        self._arrivals.expect(number, item)
        self._models[number] = (model, ahead)

    def cancel(self, number: int) -> None:
        overview = self._workspace.overviews.row
        if overview is not None and number == overview.number:
            self._workspace.overviews.cancel()
        row = self._rows.get(number)
        if row is not None and row.is_running and self._core is not None:
            if row.ahead:
                self._workspace.ahead.give_up(row.item_id, self._models[number][1])
            self._update(number, state="cancelling")
            self._core.cancel(number)

    def cancel_all(self) -> None:
        for row in self.running:
            self.cancel(row.number)

    def solve_grabcut(
        self, z: int, rect: Rect, seeds: Any, box: Rect | None, iterations: int
    ) -> int:
        """See `Workspace.solve_grabcut`."""
        workspace = self._workspace
        image, item = workspace.image, workspace.item
        if image is None or item is None:
            return 0
        from segcore.images import to_display
        from segcore.service.protocol import Grabcut

        refiner = self._start_refiner()
        crop = to_display(image.read(z, rect), *workspace.window, invert=image.invert)
        number = int(
            refiner.submit(
                Grabcut(
                    key=f"grabcut:{item.id}",
                    rect=rect,
                    image=crop,
                    seeds=seeds,
                    box=box,
                    iterations=iterations,
                    connected=True,  # the object that was marked, not every one that looks like it
                )
            )
        )
        self._solving[number] = (z, rect, time.perf_counter())
        return number

    def ask_core(self, job: Any) -> int:
        """Hand the core a question that somebody waits for; `heard` tells of it by its number."""
        self.stop_ahead()
        return int(self._start().submit(job, urgent=True))

    def ask_refiner(self, job: Any) -> int:
        """Hand the refiner a question; `heard` tells of it by its number."""
        return int(self._start_refiner().submit(job))

    def forget_question(self, number: int) -> None:
        """Nobody waits for this answer any more."""
        for client in (self._core, self._refiner):
            if client is not None:
                client.cancel(number)

    def forget(self) -> None:
        """The project is being closed."""
        self.cancel_all()
        self.stop_ahead()
        self._rows.clear()
        self._arrivals.clear()
        self._solving.clear()
        self._workspace.jobs_changed.emit()

    def close(self) -> None:
        """End both processes."""
        for client in (self._core, self._refiner):
            if client is not None:
                client.close()
        if self._courtesy is not None:
            self._courtesy.close()
        self._core = self._refiner = self._courtesy = None

    # -- clients ------------------------------------------------------------------------------

    def _start(self) -> Any:
        if self._core is None:
            from segcore.service.client import Client

            self._core = Client("core", self._listen)
            self._core.start()
            self._say_core("Core starting")
        return self._core

    def _start_refiner(self) -> Any:
        if self._refiner is None:
            from segcore.service.client import Client

            self._refiner = Client("refiner", self._listen)
            self._refiner.start()
        return self._refiner

    def _listen(self, event: Any) -> None:
        """Called on a client's thread: trainings give way to what a person waits for."""
        if self._courtesy is None:
            from segcore.service.trainer import Courtesy

            self._courtesy = Courtesy(self._trained_now)
        if not str(getattr(event, "key", "")).startswith((AHEAD, WARM)):
            self._courtesy.hear(event)
        self._spoke.emit(event)

    def _trained_now(self) -> list[Path]:
        from segcore.service.trainer import find_running

        project = self._workspace.project
        return [] if project is None else find_running(Path(project.path))

    def make_room(self) -> None:
        """A training begins: on a graphics card it needs the memory that the core's models hold."""
        if self._core is not None:
            from segcore.service.protocol import Unload

            self._core.submit(Unload())

    def restart_core(self) -> None:
        """A person asked for it after the core stopped several times."""
        if self._core is not None:
            self._core.close()
            self._core = None
            self._rows = {n: row for n, row in self._rows.items() if not row.ahead}
            self._workspace.ahead.forget()
        self._start()
        self._workspace.withdraw("core")

    # -- hearing ------------------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        self.heard.emit(event)
        handler = getattr(self, f"_on_{type(event).__name__}", None)
        if handler is not None:
            handler(event)

    def _on_JobChanged(self, event: Any) -> None:
        if event.number in self._solving:
            if event.state in ("failed", "lost"):
                z, rect, started = self._solving.pop(event.number)
                spent = time.perf_counter() - started
                solved = SolvedRegion(event.number, z, rect, None, spent, event.reason)
                self._workspace.region_solved.emit(solved)
            elif event.state == "cancelled":
                self._solving.pop(event.number)
            return
        if event.number not in self._rows:
            return
        self._update(
            event.number, state=event.state, progress=event.progress, reason=event.reason or ""
        )
        row = self._rows[event.number]
        if event.state in ("failed", "lost", "cancelled"):
            self._arrivals.drop(event.number)
        if row.ahead:
            self._ended_ahead(row)
            return
        if event.state in ("failed", "lost"):
            self._workspace.post(
                Message(f"{row.title} did not finish.", tone="warning", hint=row.reason)
            )
        if not self.running and event.state == "done":
            done = sum(row.state == "done" for row in self._rows.values())
            if done > 1:
                self._workspace.tell(f"Predicted {done} items")

    def _ended_ahead(self, row: JobRow) -> None:
        """Whoever asked for nothing is told of nothing; what did not work is not tried again."""
        if row.is_running:
            return
        if row.state in ("failed", "lost"):
            self._workspace.ahead.give_up(row.item_id, self._models[row.number][1])
        del self._rows[row.number], self._models[row.number]

    def _on_TilePredicted(self, event: Any) -> None:
        if (row := self._rows.get(event.number)) is not None:
            self._arrivals.take_tile(event, row)

    def _on_ObjectsFound(self, event: Any) -> None:
        if (row := self._rows.get(event.number)) is not None:
            self._arrivals.take_objects(event, row)

    def _on_PredictionDone(self, event: Any) -> None:
        if (row := self._rows.get(event.number)) is not None:
            self._arrivals.store(event, row)

    def _on_RegionSolved(self, event: Any) -> None:
        asked = self._solving.pop(event.number, None)
        if asked is None:
            return
        z, rect, started = asked
        spent = time.perf_counter() - started
        self._workspace.region_solved.emit(
            SolvedRegion(event.number, z, rect, np.asarray(event.mask, bool), spent)
        )

    def _on_ProcessReady(self, event: Any) -> None:
        if event.kind == "core":
            self._say_core(f"Core ready, {event.device.upper()}" if event.device else "Core ready")
            self._workspace.withdraw("core")

    def _on_ProcessLost(self, event: Any) -> None:
        if event.kind != "core":
            return
        self._say_core("Core stopped, restarting")
        if event.restarts >= 3:
            from app.workspace.messages import Remedy

            self._say_core("Core stopped")
            self._workspace.post(
                Message(
                    "The core has stopped three times.",
                    kind="banner",
                    tone="warning",
                    key="core",
                    hint="Painting goes on; predictions wait.",
                    remedy=Remedy("Restart", self.restart_core),
                )
            )

    def _update(self, number: int, **fields: Any) -> None:
        self._rows[number] = replace(self._rows[number], **fields)
        self._workspace.jobs_changed.emit()

    def _say_core(self, text: str) -> None:
        self._workspace.core_text = text
        self._workspace.core_changed.emit(text)


def source_paths(item: Any) -> list[Any]:
    """Absolute paths of an item's sources.

    Raises
    ------
    MaskwrightError : a file is missing.
    """
    paths = []
    for source in item.sources:
        if source.status == "missing":
            raise MaskwrightError(f"{source.path} is missing.", "Find the file, then try again.")
        paths.append(source.file)
    return paths
