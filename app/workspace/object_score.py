"""Which of the objects that a model found are kept: those from a score on, as a slider says it.

A prediction has all objects, so that a look at another score asks no model. On a proposal the
choice is part of what waits to be taken. On a prediction that became the label, and that nobody has
corrected, it is a step of its own once the slider rests.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.workspace.background import Background
from segcore.labels import Labels, Patch

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

REST_MS = 300
"""A slider that is moved by keys rests when no key has moved it for so long."""


class ObjectScore(QObject):
    """The score of the open item's predicted objects; `layer` is None where there are none."""

    changed = Signal()
    looked = Signal()
    """The canvas shows other objects than before."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        # Its own thread: what a hand moves must not stand behind the scores of the last step.
        self._beside = Background(1, self)
        self._beside.failed.connect(workspace.report)
        self.layer: Any = None
        """The prediction with all that was found."""
        self.score = 0.0
        self.shown: Labels | None = None
        """The label as it would be at the score that is looked at, until it is so."""
        self._scores: list[float] = []
        self._proposed: Any = None
        self._chosen: dict[str, float] = {}
        self._is_looked_at = False
        self._unheard = 0  # steps of ours that the labels do not have yet
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.settle)
        workspace.item_requested.connect(lambda _: self.settle())
        workspace.item_opened.connect(lambda _: self._forget())
        workspace.project_closed.connect(self._forget)
        workspace.proposal_changed.connect(self._take)
        workspace.labels_changed.connect(self._follow)
        workspace.history_changed.connect(self.changed)

    # -- reading ------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many objects were found."""
        return len(self._scores)

    @property
    def kept(self) -> int:
        """How many of them score enough."""
        return self.total - bisect.bisect_left(self._scores, self.score)

    @property
    def why_not(self) -> str:
        """Why the score cannot be changed; "" if it can."""
        workspace = self._workspace
        if workspace.read_only:
            return "This project is open for reading."
        if self._is_proposal:
            return ""
        steps = [row for row in workspace.history if row.state == "done"]
        if any(row.kind != "adopt" for row in steps):
            return "You have worked on this mask. Predict again to choose among its objects."
        return ""

    @property
    def _is_proposal(self) -> bool:
        return self._workspace.proposal is not None

    # -- choosing -----------------------------------------------------------------------------

    def look(self, score: float) -> None:
        """Show the objects from this score on; nothing is changed yet."""
        workspace, layer = self._workspace, self.layer
        if layer is None or self.why_not:
            return
        self._is_looked_at = True
        # What is chosen among is what is looked at.
        workspace.set_view_mode("model" if self._is_proposal else "label")
        self._show(score)

    def _show(self, score: float) -> None:
        workspace, layer, is_proposal = self._workspace, self.layer, self._is_proposal
        self.score = score
        self.changed.emit()
        from segcore.store import at_score

        def show(made: Any) -> None:
            if layer is not self.layer or score != self.score:
                return
            if is_proposal and self._is_proposal:
                self._chosen[layer.id] = score
                self._proposed = workspace.proposal = made
                workspace.proposal_changed.emit(made)
                self.looked.emit()
            elif self._is_looked_at or self._unheard:
                self.shown = made.labels
                self.looked.emit()

        self._beside.run_latest("score", lambda: at_score(layer, score), show)

    def look_and_rest(self, score: float) -> None:
        """As `look`; it is chosen when it was not followed by another for a moment."""
        self.look(score)
        if self.layer is not None and not self.why_not:
            self._rest.start()

    def settle(self) -> None:
        """Choose what is looked at: the label holds just these objects, as one step."""
        self._rest.stop()
        workspace, layer = self._workspace, self.layer
        if not self._is_looked_at or layer is None:
            return
        self._is_looked_at = False
        if not self._is_proposal and not self.why_not and workspace.item is not None:
            self._unheard += 1
            edit = workspace.project.keep_objects(workspace.item, layer, self.score)
            workspace.submit(edit, kind="adopt")

    def close(self) -> None:
        """The window goes."""
        self._rest.stop()
        self._beside.close()

    # -- following ----------------------------------------------------------------------------

    def _forget(self) -> None:
        self._rest.stop()
        self.layer, self._scores, self._proposed, self.shown = None, [], None, None
        self._is_looked_at, self._unheard = False, 0
        self.changed.emit()

    def _take(self, proposal: Any) -> None:
        """Another proposal waits, or none: then it is the label that the score is about."""
        if proposal is not None and proposal is self._proposed:
            return
        self._rest.stop()
        self._proposed, self._is_looked_at = None, False
        self.layer = self._adopted() if proposal is None else proposal
        if self.layer is not None and not self.layer.found:
            self.layer = None
        self._scores = sorted(row.score or 0.0 for row in self.layer.found) if self.layer else []
        self.score = self._stored_score()
        self.changed.emit()
        if proposal is not None and self._chosen.get(proposal.id, self.score) != self.score:
            self._show(self._chosen[proposal.id])

    def _adopted(self) -> Any:
        item = self._workspace.item
        layers = () if item is None else item.predictions.values()
        return next((layer for layer in layers if layer.adopted), None)

    def _stored_score(self) -> float:
        """The score that the objects of the label, or of the proposal, have at least."""
        from segcore.store import chosen_score

        layer, item = self.layer, self._workspace.item
        if layer is None or item is None:
            return 0.0
        rows = layer.instances if self._is_proposal else item.instances.values()
        kept = {row.id for row in rows} & {row.id for row in layer.found}
        if kept == {row.id for row in layer.found if (row.score or 0.0) >= self.score}:
            return self.score
        return chosen_score(layer.found, kept)

    def _follow(self, _labels: Labels | None, patch: Patch | None) -> None:
        if patch is None:
            return
        if patch.tool == "score":
            self._unheard = max(0, self._unheard - 1)
        if self._is_looked_at or self._unheard:
            return  # a later choice than this step's stands
        if any(f.table == "item" and f.field == "adopted" for f in patch.fields):
            self._take(self._workspace.proposal)
        elif self.layer is not None:
            if not self._is_proposal:
                self.score = self._stored_score()
            self.changed.emit()
        if self.shown is not None:
            self.shown = None
            self.looked.emit()
