"""Minutes and memory of a fine-tuning before it starts, measured while the person looks.

The newest question wins: one that came before it is given up with its process. Nothing waits for
the answer; starting is possible all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass

if TYPE_CHECKING:
    from segcore.projects.training import NewRun
    from segcore.service.measuring import Measurement
    from segcore.train.preflight import Cost

_QUIET_MS = 500  # a field that is being scrubbed is asked about when it rests
_CLOSE_S = 5.0


@dataclass(frozen=True)
class _Question:
    key: Hashable
    project: Any
    wanted: Callable[[], NewRun]


class Measuring(QObject):
    """What the run that would start now costs.

    Attributes
    ----------
    cost : of the last question; None while it is not known.
    error : why it could not be measured, or None.
    """

    changed = Signal()
    _answered = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cost: Cost | None = None
        self.error: MaskwrightError | None = None
        self._question: _Question | None = None
        self._measurement: Measurement | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._begin)
        self._answered.connect(self._hear)

    @property
    def is_running(self) -> bool:
        """Whether an answer is on its way."""
        return self._timer.isActive() or self._measurement is not None

    @property
    def pid(self) -> int:
        """Id of the process that measures; 0 while there is none."""
        return 0 if self._measurement is None else self._measurement.pid

    def ask(self, project: Any, wanted: Callable[[], NewRun], key: Hashable) -> None:
        """Measure a run, unless what was asked last has the same key.

        Parameters
        ----------
        wanted : gives the run; called beside the GUI thread.
        """
        if self._question is not None and self._question.key == key:
            return
        self.stop()
        self.cost = self.error = None
        self._question = _Question(key, project, wanted)
        self._timer.start()
        self.changed.emit()

    def stop(self, *, closing: bool = False) -> None:
        """Give up what is being measured; what is known stays known.

        Parameters
        ----------
        closing : the project is about to be closed: wait until nothing reads it any more.
        """
        unanswered = self.is_running or self.error is not None
        self._timer.stop()
        if self._measurement is not None:
            self._measurement.cancel(_CLOSE_S if closing else 0.0)
            self._measurement = None
        if unanswered or closing:
            self._question = self.cost = self.error = None
            self.changed.emit()

    def _begin(self) -> None:
        question = self._question
        if question is None:
            return
        from segcore.projects.training import prepare_sample
        from segcore.service.measuring import Measurement

        def prepare(folder: Path) -> None:
            question.project.scribe.flush()
            prepare_sample(question.project, question.wanted(), folder)

        def ended(result: Cost | MaskwrightError) -> None:
            self._answered.emit(made, result)

        made = self._measurement = Measurement(prepare, ended)
        made.start()

    def _hear(self, measurement: Measurement, result: Cost | MaskwrightError) -> None:
        if measurement is not self._measurement:
            return
        self._measurement = None
        if isinstance(result, MaskwrightError):
            self.error = result
        else:
            self.cost = result
        self.changed.emit()
