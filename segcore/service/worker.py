"""The loop that core and refiner share: connect, receive, queue, do one job after the other.

A worker ends when its pipe ends: the reader leaves the process at once, whatever the main thread
is doing, so no core or refiner outlives a window that was killed. Jobs run on the main thread;
`handlers` are plain functions that also work without a process around them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing import connection as pipes
from typing import Any, TypeAlias, cast

from segcore.base import Cancelled, MaskwrightError
from segcore.service.protocol import (
    PROTOCOL_VERSION,
    Cancel,
    Channel,
    Event,
    Hello,
    Job,
    JobChanged,
    JobState,
    Kind,
    Message,
    ProcessReady,
    ProtocolError,
    Submit,
)

log = logging.getLogger(__name__)

# Progress is for people; more often than this they cannot read it.
_PROGRESS_INTERVAL_S = 0.05


class JobContext:
    """What a handler may do besides computing: answer, tell its progress, and notice a cancel."""

    def __init__(self, number: int, key: str, send: Callable[[Event], None]) -> None:
        self.number = number
        self.key = key
        self._send = send
        self._cancelled = threading.Event()
        self._told = 0.0

    def send(self, event: Event) -> None:
        """Send an answer."""
        self._send(event)

    def progress(self, share: float) -> None:
        """Tell how much is done, 0 to 1. Cheap to call often: few calls are sent."""
        now = time.monotonic()
        if now - self._told >= _PROGRESS_INTERVAL_S:
            self._told = now
            self._send(JobChanged(self.number, self.key, "running", min(1.0, max(0.0, share))))

    def cancel(self) -> None:
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Whether the job is to stop."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the job is to stop."""
        if self._cancelled.is_set():
            raise Cancelled("The job was cancelled.")


Handler: TypeAlias = Callable[[Any, JobContext], None]


class Worker:
    """One process's end of the pipe.

    Parameters
    ----------
    kind : what the process is.
    channel : to the client; the hello has been sent.
    leave : what to do when the pipe ends; it ends the process and does not come back.
    """

    def __init__(
        self, kind: Kind, channel: Channel, leave: Callable[[int], None] = os._exit
    ) -> None:
        self._kind = kind
        self._channel = channel
        self._leave = leave
        self._jobs: queue.SimpleQueue[tuple[JobContext, Job]] = queue.SimpleQueue()
        self._contexts: dict[int, JobContext] = {}
        threading.Thread(target=self._read, name="pipe", daemon=True).start()

    def run(self, handlers: Mapping[type[Job], Handler], device: str) -> None:
        """Do jobs until the pipe ends."""
        self._send(ProcessReady(self._kind, device))
        while True:
            context, job = self._jobs.get()
            self._do(context, job, handlers)
            self._contexts.pop(context.number, None)

    def _do(self, context: JobContext, job: Job, handlers: Mapping[type[Job], Handler]) -> None:
        def tell(state: JobState, progress: float = 0.0, reason: str = "") -> None:
            self._send(JobChanged(context.number, context.key, state, progress, reason))

        handler = handlers.get(type(job))
        if handler is None:
            tell("failed", reason=f"The {self._kind} does no {type(job).__name__} jobs.")
            return
        try:
            context.check()
            tell("running")
            handler(job, context)
        except Cancelled as stopped:
            tell("cancelled", reason=stopped.message)
        except MaskwrightError as error:
            tell("failed", reason=str(error))
        except Exception as error:
            log.exception("a %s job failed", type(job).__name__)
            tell("failed", reason=f"An error in the program stopped the job: {error}.")
        else:
            tell("done", progress=1.0)

    def _send(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except OSError:
            self._leave(0)

    def _read(self) -> None:
        status = 0
        try:
            while True:
                self._take(self._channel.receive())
        except (EOFError, OSError):
            pass
        except ProtocolError:
            log.exception("the client cannot be understood")
            status = 1
        # The main thread may be deep in a solver that nothing interrupts.
        self._leave(status)

    def _take(self, message: Message) -> None:
        if isinstance(message, Submit):
            context = JobContext(message.number, message.job.key, self._send)
            self._contexts[message.number] = context
            self._jobs.put((context, message.job))
        elif isinstance(message, Cancel):
            known = self._contexts.get(message.number)
            if known is not None:
                known.cancel()
        else:
            raise ProtocolError(f"a {type(message).__name__} is nothing for a worker")


def give_way() -> None:
    """Lower this process' priority a little, so that the window is served first."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(5)


def connect_from_stdin(kind: Kind) -> Channel:
    """Connect to the client that started this process, and say hello.

    The first line of the standard input is JSON with address, authkey and token; arguments would
    show the key to every user of the machine.
    """
    faulthandler.enable()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    # Ctrl+C in a terminal is for the window; it ends us by closing the pipe.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = json.loads(sys.stdin.readline())
    address = line["address"]
    if isinstance(address, list):
        address = (str(address[0]), int(address[1]))
    connection = pipes.Client(address, authkey=bytes.fromhex(line["authkey"]))
    channel = Channel(cast("Any", connection))
    channel.send(Hello(PROTOCOL_VERSION, kind, int(line["token"]), os.getpid()))
    return channel
