"""What predicting with a model costs on this device, asked of the core for one model at a time.

Only what somebody looks at is measured, when the choice has rested, and never while something is
being predicted: a person waits for that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, QTimer, Signal

from segcore.models.costs import CostQuestion, ModelCost

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

QUIET_MS = 400  # somebody who goes through the cards with the arrows asks nothing

State = Literal["known", "waiting", "measuring", "cancelled", "failed", ""]


class ModelCosts(QObject):
    """The costs of models, as far as they are known.

    Attributes
    ----------
    error : why the last measurement failed, or "".
    """

    changed = Signal()

    def __init__(
        self, workspace: Workspace, file: Path | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._file = file
        self._known: dict[str, ModelCost] = {}
        self._asked: CostQuestion | None = None
        self._number = 0
        self._ended: State = ""
        self.error = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET_MS)
        self._timer.timeout.connect(self._begin)
        workspace.jobs.heard.connect(self._hear)
        workspace.jobs_changed.connect(self._give_way)

    def cost(self, question: CostQuestion) -> ModelCost | None:
        return self._known.get(question.key)

    def state(self, question: CostQuestion) -> State:
        """How it stands with a question."""
        if question.key in self._known:
            return "known"
        if question != self._asked:
            return ""
        if self._number or self._timer.isActive():
            return "measuring"
        return self._ended or "waiting"

    def ask(self, question: CostQuestion | None) -> None:
        """Measure this model, unless it is known; what was asked before is given up."""
        if question == self._asked:
            return
        self._forget()
        self._asked = question
        self._ended, self.error = "", ""
        if question is not None and question.key not in self._known:
            self._timer.start()
        self.changed.emit()

    def cancel(self) -> None:
        """Stop what is being measured; `again` takes it up."""
        if self._number or self._timer.isActive():
            self._forget()
            self._ended = "cancelled"
            self.changed.emit()

    def again(self) -> None:
        """Measure what was asked last, after it was cancelled or failed."""
        question, self._asked = self._asked, None
        self.ask(question)

    def close(self) -> None:
        """Nobody looks any more."""
        self._forget()
        self._asked = None

    def _forget(self) -> None:
        self._timer.stop()
        if self._number:
            self._workspace.jobs.forget_question(self._number)
            self._number = 0

    def _begin(self) -> None:
        if self._asked is None or self._workspace.jobs.running:
            self.changed.emit()
            return
        from segcore.service.protocol import Measure

        job = Measure(
            key="measure-model",
            question=self._asked.to_json(),
            file="" if self._file is None else str(self._file),
        )
        self._number = self._workspace.jobs.ask_core(job)
        self.changed.emit()

    def _give_way(self) -> None:
        """A prediction has been asked for, or all are done."""
        asked = self._asked
        if asked is None or asked.key in self._known or self._ended:
            return
        if self._workspace.jobs.running:
            if self._number:
                self._forget()
                self.changed.emit()
        elif not self._number and not self._timer.isActive():
            self._timer.start()
            self.changed.emit()

    def _hear(self, event: Any) -> None:
        if not self._number or getattr(event, "number", 0) != self._number:
            return
        kind = type(event).__name__
        if kind == "ModelMeasured" and self._asked is not None:
            self._known |= {key: ModelCost.from_json(row) for key, row in event.known.items()}
            self._known[self._asked.key] = ModelCost.from_json(event.cost)
        elif kind == "JobChanged" and event.state in ("done", "failed", "cancelled", "lost"):
            self._number = 0
            if self._asked is not None and self._asked.key not in self._known:
                self._ended, self.error = "failed", event.reason
        self.changed.emit()
