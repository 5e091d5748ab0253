"""What the window uses of the other processes: submit a job, hear its events, cancel it.

Imports neither torch nor cv2. Nothing here blocks the caller: one thread starts, feeds, kills and
restarts processes; one thread delivers the events, in the order in which they became true.

Each process does one job at a time and the rest waits here, so a process that dies takes one job
with it and never a queue.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from segcore.base.dataclass import dataclass
from segcore.service.listener import Door
from segcore.service.process import Process
from segcore.service.protocol import (
    FINAL_STATES,
    AnyJob,
    Cancel,
    Channel,
    CropsMade,
    Event,
    Hello,
    JobChanged,
    JobState,
    Kind,
    Message,
    ModelDescribed,
    ModelMeasured,
    ObjectsFound,
    PredictionDone,
    ProbabilitiesFound,
    ProcessLost,
    ProcessReady,
    ProtocolError,
    RegionRefined,
    RegionSolved,
    Submit,
    TilePredicted,
)
from segcore.service.rules import RULES

log = logging.getLogger(__name__)

DEFAULT_BUDGET_S = 10.0
_START_LIMIT_S = 120.0
_FAILED_STARTS = 3
# One count for all clients: who hears the events of two must not take one's job for the other's.
_NUMBERS = itertools.count(1)


_ANSWERS = (
    TilePredicted
    | ObjectsFound
    | PredictionDone
    | ModelDescribed
    | ModelMeasured
    | CropsMade
    | RegionSolved
    | ProbabilitiesFound
    | RegionRefined
)


@dataclass(eq=False)
class _Record:
    number: int
    job: AnyJob
    budget_s: float | None
    state: JobState = "queued"
    deadline: float | None = None
    reason: str = ""  # said when it has come to its end by our own doing
    told: bool = False  # the process knows that it is to stop
    over_budget: bool = False


class Client:
    """Jobs for the core or for the refiner.

    Parameters
    ----------
    kind : "core" or "refiner".
    on_event : hears every event, on a thread of the client. It is never called after `close`.
    budget_s : seconds that a job may run, for a refiner; None for any time. A core's jobs have no
        budget unless `submit` gives one; they are told to stop then.
    module : another module to start, for tests.
    """

    def __init__(
        self,
        kind: Kind,
        on_event: Callable[[Event], None],
        *,
        budget_s: float | None = DEFAULT_BUDGET_S,
        module: str | None = None,
    ) -> None:
        self.kind = kind
        self._on_event = on_event
        self._rules = RULES[kind]
        self._module = module or self._rules.module
        self._budget_s = budget_s if self._rules.killable else None
        self._changed = threading.Condition(threading.Lock())
        self._records: dict[int, _Record] = {}
        self._waiting: list[int] = []
        self._processes: dict[int, Process] = {}
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._authkey = os.urandom(32)
        self._door: Door | None = None
        self._threads: list[threading.Thread] = []
        self._next_token = 1
        self._losses = 0
        self._failed_starts = 0
        self._closed = False

    # -- for the caller -------------------------------------------------------------------------

    def start(self) -> None:
        """Start the processes now; the first `submit` does it otherwise. Does not wait."""
        with self._changed:
            self._start()

    def submit(self, job: AnyJob, *, urgent: bool = False, budget_s: float | None = None) -> int:
        """Hand a job in.

        Parameters
        ----------
        job : a job of the same key that is not finished is cancelled: the newest wins.
        urgent : before all that waits.
        budget_s : seconds it may run; None is the client's.

        Returns
        -------
        The job's number, which no other job of any client has; its events carry it.
        """
        with self._changed:
            number = next(_NUMBERS)
            if self._closed:
                return number
            for older in [r for r in self._records.values() if r.job.key == job.key]:
                self._stop(older, "Replaced by a newer one.")
            self._records[number] = _Record(number, job, budget_s or self._budget_s)
            self._waiting.insert(0 if urgent else len(self._waiting), number)
            self._emit(JobChanged(number, job.key, "queued"))
            if self._failed_starts >= _FAILED_STARTS:
                self._failed_starts = 0  # somebody asks again: try again
            self._start()
            self._changed.notify_all()
        return number

    def cancel(self, number: int) -> None:
        """Stop a job; nothing happens if it is finished."""
        with self._changed:
            record = self._records.get(number)
            if record is not None:
                self._stop(record, "Cancelled.")
                self._changed.notify_all()

    def cancel_all(self) -> None:
        """Stop every job."""
        with self._changed:
            for record in list(self._records.values()):
                self._stop(record, "Cancelled.")
            self._changed.notify_all()

    @property
    def pids(self) -> list[int]:
        """Process ids of what is started, the ones at work first."""
        with self._changed:
            running = sorted(self._processes.values(), key=lambda p: (p.job is None, p.token))
            return [process.pid for process in running]

    @property
    def address(self) -> Any:
        """Where the processes connect; None before the start."""
        return self._door.address if self._door is not None else None

    def close(self) -> None:
        """End the processes and forget all jobs. No event comes afterwards."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._records.clear()
            self._waiting.clear()
            processes = list(self._processes.values())
            for process in processes:
                process.ending = "closed"
            self._changed.notify_all()
        if self._door is not None:
            self._door.close()
        for process in processes:
            process.end("closed")
        self._events.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(5.0)
        for process in processes:
            process.join(5.0)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- all below with the lock held, unless it says otherwise -----------------------------------

    def _start(self) -> None:
        if self._closed or self._threads:
            return
        self._door = Door(self._authkey, self._welcome)
        for target in (self._direct, self._deliver):
            thread = threading.Thread(
                target=target, name=f"{self.kind} {target.__name__.strip('_')}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _emit(self, event: Event) -> None:
        if not self._closed:
            self._events.put(event)

    def _stop(self, record: _Record, reason: str) -> None:
        if record.state == "queued":
            self._waiting.remove(record.number)
            self._finish(record, "cancelled", reason)
        elif record.state == "running":
            record.state = "cancelling"
            record.reason = reason
            record.deadline = time.monotonic() + self._rules.grace_s
            self._emit(JobChanged(record.number, record.job.key, "cancelling", 0.0, reason))

    def _finish(self, record: _Record, state: JobState, reason: str = "") -> None:
        record.state = state
        del self._records[record.number]
        progress = 1.0 if state == "done" else 0.0
        self._emit(JobChanged(record.number, record.job.key, state, progress, reason))

    # -- the directing thread -------------------------------------------------------------------

    def _direct(self) -> None:
        """Start and feed processes, and end what is over its time. Takes the lock itself."""
        while True:
            with self._changed:
                if self._closed:
                    return
                overdue = self._overdue()  # first: it may stop jobs, which is told below
                cancels = self._cancels_to_send()
                handed = self._hand_out()
                started = self._new_process()
                if not (started or handed or cancels or overdue):
                    self._changed.wait(self._until_next_deadline())
                    continue
            # What may take time is done without the lock: `submit` must never wait for a pipe.
            for process in overdue:
                process.end("over its time")
            for process, number in cancels:
                process.send(Cancel(number))
            if handed is not None:
                self._send_job(*handed)
            if started is not None:
                self._launch(started)

    def _new_process(self) -> Process | None:
        alive = sum(1 for p in self._processes.values() if not p.ending)
        if alive >= self._rules.processes or self._failed_starts >= _FAILED_STARTS:
            return None
        token = self._next_token
        self._next_token += 1
        process = Process(self.kind, token, self._module, self._process_ended)
        self._processes[token] = process
        return process

    def _hand_out(self) -> tuple[Process, _Record] | None:
        """The next job and who does it; one runs at a time, beside such as are being stopped."""
        if not self._waiting or any(r.state == "running" for r in self._records.values()):
            return None
        idle = [
            p
            for p in self._processes.values()
            if p.channel is not None and p.job is None and not p.ending
        ]
        if not idle:
            return None
        process = min(idle, key=lambda p: (not p.ready, p.token))
        record = self._records[self._waiting.pop(0)]
        record.state = "running"
        process.job = record.number
        return process, record

    def _cancels_to_send(self) -> list[tuple[Process, int]]:
        found = []
        for process in self._processes.values():
            record = self._records.get(process.job) if process.job is not None else None
            if record is not None and record.state == "cancelling" and not record.told:
                record.told = True
                found.append((process, record.number))
        return found

    def _overdue(self) -> list[Process]:
        """Processes to kill now."""
        now = time.monotonic()
        found = []
        for process in self._processes.values():
            if process.ending:
                continue
            if not process.ready and now > process.started + _START_LIMIT_S:
                process.abandon(f"The {self.kind} did not start within {_START_LIMIT_S:.0f} s.")
                process.started = now
            record = self._records.get(process.job) if process.job is not None else None
            if record is None or record.deadline is None or now < record.deadline:
                continue
            if record.state == "running":
                record.reason = f"It took longer than {record.budget_s:g} s and was stopped."
                if not self._rules.killable:
                    self._stop(record, record.reason)
                    continue
                record.over_budget = True
            process.ending = "over its time"
            found.append(process)
        return found

    def _until_next_deadline(self) -> float | None:
        deadlines = [r.deadline for r in self._records.values() if r.deadline is not None]
        deadlines += [
            p.started + _START_LIMIT_S
            for p in self._processes.values()
            if not p.ready and not p.ending
        ]
        return max(0.001, min(deadlines) - time.monotonic()) if deadlines else None

    def _send_job(self, process: Process, record: _Record) -> None:
        """Takes the lock itself."""
        try:
            process.send(Submit(record.number, record.job))
        except (TypeError, NotImplementedError) as error:
            with self._changed:
                process.job = None
                if record.number in self._records:
                    self._finish(record, "failed", f"The job cannot be sent: {error}.")

    def _launch(self, process: Process) -> None:
        """Takes the lock itself."""
        assert self._door is not None
        try:
            process.start(self._door.address, self._authkey)
        except OSError as error:
            with self._changed:
                del self._processes[process.token]
                self._count_loss(f"The {self.kind} cannot be started: {error}.", ready=False)

    # -- the threads of the processes; all take the lock themselves -------------------------------

    def _welcome(self, hello: Hello, channel: Channel) -> None:
        """A process has connected; its reading thread stays here until it ends."""
        with self._changed:
            process = self._processes.get(hello.token)
            if self._closed or process is None or process.channel is not None:
                channel.close()
                return
            process.reader = threading.current_thread()
            process.channel = channel
            self._changed.notify_all()
        try:
            while True:
                self._heard(process, channel.receive())
        except (EOFError, OSError):
            # It is ending by itself, with a status that says more than ours would.
            if not process.wait(2.0):
                process.abandon(f"The {self.kind} closed its connection.")
        except ProtocolError as error:
            log.error("the %s cannot be understood: %s", self.kind, error)
            process.abandon(f"The {self.kind} said something that cannot be understood.")
        finally:
            channel.close()

    def _heard(self, process: Process, message: Message) -> None:
        with self._changed:
            if isinstance(message, ProcessReady):
                process.ready = True
                self._failed_starts = 0
                self._emit(message)
                self._changed.notify_all()
                return
            if not isinstance(message, JobChanged | _ANSWERS):
                raise ProtocolError(f"a {type(message).__name__} from the {self.kind}")
            record = self._records.get(message.number)
            if record is None or process.job != message.number:
                return  # a late answer to something that nobody waits for
            if not isinstance(message, JobChanged):
                if record.state == "running":
                    self._emit(message)
            elif message.state in FINAL_STATES:
                process.job = None
                if record.state == "cancelling":
                    self._finish(record, "cancelled", record.reason)
                else:
                    self._finish(record, message.state, message.reason)
                self._changed.notify_all()
            elif record.state == "running":
                if record.deadline is None and record.budget_s is not None:
                    record.deadline = time.monotonic() + record.budget_s
                    self._changed.notify_all()
                self._emit(message)

    def _process_ended(self, process: Process) -> None:
        with self._changed:
            self._processes.pop(process.token, None)
            if self._closed:
                return
            record = self._records.get(process.job) if process.job is not None else None
            reason = process.why()
            if record is not None:
                if record.over_budget:
                    self._finish(record, "failed", record.reason)
                elif record.state == "cancelling":
                    self._finish(record, "cancelled", record.reason)
                else:
                    self._finish(record, "lost", reason)
            if not process.ending:
                self._count_loss(reason, ready=process.ready)
            self._changed.notify_all()

    def _count_loss(self, reason: str, *, ready: bool) -> None:
        """With the lock held: a process ended unasked."""
        self._losses += 1
        self._emit(ProcessLost(self.kind, reason, self._losses))
        if ready:
            return
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS:
            self._waiting.clear()
            for record in [r for r in self._records.values() if r.state == "queued"]:
                self._finish(record, "lost", reason)

    # -- the delivering thread ------------------------------------------------------------------

    def _deliver(self) -> None:
        while True:
            event = self._events.get()
            if event is None or self._closed:
                return
            try:
                self._on_event(event)
            except Exception:
                log.exception("an event was not taken: %s", type(event).__name__)
