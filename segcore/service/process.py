"""One started process of a client: its command, its end of the pipe, and why it ended.

A process is started by the name of its module, so nothing of the window is copied into it and
the window imports nothing of it. The key of the pipe goes through the standard input; arguments
and environment can be read by others.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segcore.service.protocol import Channel, Kind, Message

log = logging.getLogger(__name__)

_TAIL_LINES = 40
_SOURCE = Path(__file__).resolve().parents[2]


class Process:
    """A core or a refiner.

    Parameters
    ----------
    kind, module : what it is, and the module that is it.
    token : its number within the client; its hello repeats it.
    ended : called once, when a process that was started has ended, on a thread of its own.

    Attributes
    ----------
    channel : once it has said hello.
    job : number of the job it works on, None while it is idle.
    ending : a reason, once it was told to end: then its end is no surprise.
    """

    def __init__(
        self, kind: Kind, token: int, module: str, ended: Callable[[Process], None]
    ) -> None:
        self.kind = kind
        self.token = token
        self.channel: Channel | None = None
        self.reader: threading.Thread | None = None
        self.job: int | None = None
        self.ending = ""
        self.ready = False
        self.started = time.monotonic()
        self._module = module
        self._ended = ended
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._fault = ""
        self._popen: subprocess.Popen[bytes] | None = None
        self._waiter: threading.Thread | None = None

    def start(self, address: Any, authkey: bytes) -> None:
        """Start it; it will connect to `address`.

        Raises
        ------
        OSError : the system does not start it.
        """
        popen = subprocess.Popen(
            # -P: what lies in the current folder is not ours to import.
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=module_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._popen = popen
        line = json.dumps({"address": address, "authkey": authkey.hex(), "token": self.token})
        assert popen.stdin is not None
        with contextlib.suppress(OSError):  # it ended already; the waiting thread says why
            popen.stdin.write(line.encode() + b"\n")
            popen.stdin.close()
        self._waiter = threading.Thread(
            target=self._wait, args=(popen,), name=f"{self.kind} {self.token} wait", daemon=True
        )
        self._waiter.start()
        if self.ending:
            popen.kill()

    @property
    def pid(self) -> int:
        """Its process id; 0 before it is started."""
        return self._popen.pid if self._popen is not None else 0

    def send(self, message: Message) -> None:
        """Send a message; a process that is gone hears nothing, and its end is told elsewhere."""
        if self.channel is not None:
            with contextlib.suppress(OSError):
                self.channel.send(message)

    def end(self, reason: str) -> None:
        """Kill it on purpose; nothing it holds needs to be saved."""
        self.ending = self.ending or reason
        if self._popen is not None:
            self._popen.kill()

    def abandon(self, fault: str) -> None:
        """End what is of no use any more, and count it as lost, for this reason."""
        self._fault = fault
        if self._popen is not None:
            self._popen.kill()

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended; False if it has not."""
        try:
            if self._popen is not None:
                self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def join(self, timeout: float) -> None:
        """Wait until it has ended and everybody has been told."""
        if self._waiter is not None:
            self._waiter.join(timeout)

    def why(self) -> str:
        """A sentence about its end."""
        code = self._popen.poll() if self._popen is not None else None
        if self._fault or code is None:
            return self._fault or f"The {self.kind} stopped answering."
        if code < 0:
            return f"The {self.kind} was ended by {_signal_name(-code)}."
        said = self._tail[-1].rstrip(".") if self._tail else ""
        return f"The {self.kind} ended with status {code}{': ' + said if said else ''}."

    def _wait(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stderr is not None
        with popen.stderr as stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip()
                if line:
                    self._tail.append(line)
                    log.debug("%s %d: %s", self.kind, popen.pid, line)
        popen.wait()
        # What it said before its end may still wait in the pipe.
        if self.reader is not None:
            self.reader.join(5.0)
        self._ended(self)


def module_environment() -> dict[str, str]:
    """Our environment for ``python -m`` of a module of ours, installed or not."""
    environment = dict(os.environ)
    others = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join([str(_SOURCE), *([others] if others else [])])
    environment["PYTHONUNBUFFERED"] = "1"
    # Threads that wait for each other spin by default. Beside another busy process they spin away
    # their share of the processor: a prediction of 0.5 s was measured to take 3 to 17 s.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return environment


def _signal_name(number: int) -> str:
    if number == getattr(signal, "SIGKILL", -1):
        return "the system or a person (SIGKILL; often the memory was full)"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
