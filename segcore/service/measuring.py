"""The cost of a training, measured by a process that can be ended at any moment.

It does its steps as the trainer would: as many cores, the same priority. Its folder is one of the
system's temporary ones and goes when it has ended. No torch.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

from segcore.base import MaskwrightError
from segcore.service.trainer import give_way, trainer_environment
from segcore.train.preflight import Cost

_MODULE = "segcore.train.measure"


class Measurement:
    """One measurement, on a thread of its own.

    Parameters
    ----------
    prepare : fills the folder it is given with a run; called on the thread.
    ended : called there once, with the cost or with the error; never after `cancel`.
    """

    def __init__(
        self,
        prepare: Callable[[Path], None],
        ended: Callable[[Cost | MaskwrightError], None],
        *,
        module: str = _MODULE,
    ) -> None:
        self._prepare = prepare
        self._ended = ended
        self._module = module
        self._lock = threading.Lock()
        self._cancelled = False
        self._popen: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="measuring", daemon=True)

    def start(self) -> None:
        """Begin; does not wait."""
        self._thread.start()

    @property
    def pid(self) -> int:
        """Id of the process; 0 while there is none."""
        return self._popen.pid if self._popen is not None else 0

    def cancel(self, wait: float = 0.0) -> None:
        """End it; nothing is told any more. Waits so many seconds until its folder is gone."""
        with self._lock:
            self._cancelled = True
            if self._popen is not None:
                self._popen.kill()
        if wait:
            self._thread.join(wait)

    def _run(self) -> None:
        result: Cost | MaskwrightError
        try:
            with tempfile.TemporaryDirectory(
                prefix="maskwright-measure-", ignore_cleanup_errors=True
            ) as folder:
                run_dir = Path(folder) / "run"
                self._prepare(run_dir)
                result = self._measure(run_dir)
        except MaskwrightError as error:
            result = error
        except Exception as error:  # the project was closed meanwhile, the disk is full
            result = MaskwrightError(f"Time and memory could not be measured: {error}.")
        if not self._cancelled:
            self._ended(result)

    def _measure(self, run_dir: Path) -> Cost:
        with self._lock:
            if self._cancelled:
                raise MaskwrightError("Cancelled.")
            environment, cores = trainer_environment()
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(run_dir)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        with contextlib.suppress(psutil.Error, OSError):
            give_way(psutil.Process(self._popen.pid), cores)
        said, _ = self._popen.communicate()
        try:
            answer = json.loads(said)
        except ValueError:
            raise MaskwrightError(
                "The measurement was ended by the system; often the memory was full.",
                "Close other programs before the start.",
            ) from None
        if "error" in answer:
            raise MaskwrightError(answer["error"], answer["hint"])
        return Cost.from_json(answer)
