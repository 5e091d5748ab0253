"""Crops as the network will see them, asked of the core for the settings as they stand.

A sample of what would be trained on is frozen once, into a folder of the system's temporary ones,
by a thread of its own; the core cuts crops out of it as often as a setting changes. The newest
question wins, and an answer to an older one is dropped.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace
    from segcore.projects.training import NewRun

COUNT = 8  # crops of one answer
_ITEMS = 24  # in the sample
_QUIET_MS = 150  # a field that is being typed into is asked about when it rests
_CLOSE_S = 5.0


@dataclass(frozen=True, eq=False)
class CropRow:
    """One crop; what its arrays hold stands at `segcore.train.crops.Crops`.

    Parameters
    ----------
    image : (h, w, 3); classes : (h, w); objects : (h, w) or None.
    name : of its item; earlier : whether that was learned before and is mixed in.
    """

    image: NDArray[np.uint8]
    classes: NDArray[np.uint16]
    objects: NDArray[np.int32] | None
    name: str
    earlier: bool


class CropPreview(QObject):
    """What the run that would start now shows its network.

    Attributes
    ----------
    rows : the crops that came last; they stay while newer ones are made.
    error : why there are none for the settings as they stand, or "".
    first : number of the batch that is shown.
    """

    changed = Signal()
    _frozen = Signal(object, object)

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.rows: list[CropRow] = []
        self.error = ""
        self.first = 0
        self._key: Hashable = None
        self._question: tuple[Any, Callable[[], NewRun]] | None = None
        self._settings: dict[str, Any] = {}
        self._freezing: _Freezing | None = None
        self._sample: tempfile.TemporaryDirectory[str] | None = None
        self._number = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._begin)
        self._frozen.connect(self._take_sample)
        workspace.jobs.heard.connect(self._hear)

    @property
    def is_running(self) -> bool:
        """Whether an answer is on its way."""
        return self._timer.isActive() or self._freezing is not None or bool(self._number)

    def ask(
        self,
        project: Any,
        wanted: Callable[[], NewRun],
        key: Hashable,
        settings: Mapping[str, Any],
    ) -> None:
        """Show crops for these settings, unless it is what was asked last.

        Parameters
        ----------
        wanted : gives the run that the sample is made for; called beside the GUI thread.
        key : of the sample; as long as it stays, only the settings are others.
        settings : of the recipe, all that are not left to it.
        """
        if key == self._key and dict(settings) == self._settings:
            return
        if key != self._key:
            self._drop_sample()
            self.first = 0
        self._key, self._settings = key, dict(settings)
        self._question = (project, wanted)
        self.error = ""
        self._timer.start()
        self.changed.emit()

    def show_others(self) -> None:
        """Draw anew: the batches that follow."""
        if self._question is None:
            return
        batch = int(self._settings.get("batch", COUNT))
        self.first += max(1, -(-COUNT // batch))
        self._timer.stop()
        self._begin()

    def stop(self, *, closing: bool = False) -> None:
        """Nobody looks any more; nothing is kept.

        Parameters
        ----------
        closing : the project is about to be closed: wait until nothing reads it any more.
        """
        self._timer.stop()
        freezing = self._freezing
        self._drop_sample()
        if closing and freezing is not None:
            freezing.wait(_CLOSE_S)
        self._key = self._question = None
        self._settings = {}
        self.first = 0
        self.error = ""
        if self.rows:
            self.rows = []
            self.changed.emit()

    # -- the sample ---------------------------------------------------------------------------

    def _drop_sample(self) -> None:
        if self._number:
            self._workspace.jobs.forget_question(self._number)
            self._number = 0
        self._freezing = None  # what it makes is thrown away when it comes
        if self._sample is not None:
            self._sample.cleanup()
            self._sample = None

    def _begin(self) -> None:
        if self._question is None or self._freezing is not None:
            return
        if self._sample is None:
            self._freezing = _Freezing(*self._question, self._frozen.emit)
            self.changed.emit()
            return
        from segcore.service.protocol import MakeCrops

        job = MakeCrops(
            key="crops",
            run_dir=str(_run_in(self._sample)),
            settings=self._settings,
            first=self.first,
            count=COUNT,
        )
        self._number = self._workspace.jobs.ask_core(job)
        self.changed.emit()

    def _take_sample(self, freezing: _Freezing, result: Any) -> None:
        if freezing is not self._freezing:
            if not isinstance(result, MaskwrightError):
                result.cleanup()
            return
        self._freezing = None
        if isinstance(result, MaskwrightError):
            self._fail(f"{result.message} {result.hint}".rstrip())
            return
        self._sample = result
        self._begin()

    # -- the answer ---------------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        if not self._number or getattr(event, "number", 0) != self._number:
            return
        kind = type(event).__name__
        if kind == "CropsMade":
            objects = event.objects if len(event.objects) else [None] * len(event.images)
            self.rows = [
                CropRow(*row)
                for row in zip(
                    event.images, event.classes, objects, event.names, event.earlier, strict=True
                )
            ]
            self.error = ""
            self.changed.emit()
        elif kind == "JobChanged" and event.state in ("done", "failed", "cancelled", "lost"):
            self._number = 0
            if event.state in ("failed", "lost"):
                self._fail(event.reason)
            else:
                self.changed.emit()

    def _fail(self, reason: str) -> None:
        self.rows = []
        self.error = reason
        self.changed.emit()


class _Freezing:
    """Freezes a sample on a thread of its own; `done` hears of it there, with folder or error."""

    def __init__(
        self, project: Any, wanted: Callable[[], NewRun], done: Callable[[Any, Any], None]
    ) -> None:
        self._done = done
        self._thread = threading.Thread(
            target=self._run, args=(project, wanted), name="freezing a sample", daemon=True
        )
        self._thread.start()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self, project: Any, wanted: Callable[[], NewRun]) -> None:
        from segcore.projects.training import prepare_sample

        result: Any
        folder = tempfile.TemporaryDirectory(prefix="maskwright-crops-", ignore_cleanup_errors=True)
        try:
            project.scribe.flush()
            prepare_sample(project, wanted(), _run_in(folder), _ITEMS)
            result = folder
        except Exception as error:  # the project was closed meanwhile, the disk is full
            folder.cleanup()
            result = error
            if not isinstance(error, MaskwrightError):
                result = MaskwrightError(f"No crops can be shown: {error}.")
        try:
            self._done(self, result)
        except RuntimeError:  # the window went meanwhile
            folder.cleanup()


def _run_in(folder: tempfile.TemporaryDirectory[str]) -> Path:
    return Path(folder.name) / "run"
