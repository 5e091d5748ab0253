"""When an action can run, each condition with the sentence that says why it cannot."""

from __future__ import annotations

from collections.abc import Callable

from app.workspace import Workspace
from app.workspace.at_hand import NO_MODEL
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Condition:
    """A question to the workspace, and the reason if the answer is no.

    Parameters
    ----------
    holds : the question.
    why : the reason, where what is `before` holds.
    before : what has to hold first; its own reason comes first as well.
    """

    holds: Callable[[Workspace], bool]
    why: str
    before: Condition | None = None

    def reason(self, workspace: Workspace) -> str:
        """Why it does not hold now."""
        if self.before is not None and not self.before.holds(workspace):
            return self.before.reason(workspace)
        return self.why


def _volume(w: Workspace) -> bool:
    return w.labels is not None and w.labels.shape.is_volume


def _deep(w: Workspace) -> bool:
    return w.image is not None and w.image.dtype.itemsize > 1


def _may_predict(w: Workspace) -> bool:
    return w.project is not None and not w.read_only and w.at_hand.can_predict


def _ended(w: Workspace) -> bool:
    view = w.runs.view
    ended = view is not None and view.state in ("done", "cancelled") and not view.promoted
    return ended and not w.read_only


ALWAYS = Condition(lambda w: True, "")
PROJECT = Condition(lambda w: w.project is not None, "Open a project first.")
ITEM = Condition(lambda w: w.item is not None, "Open an item first.")
EDITABLE = Condition(
    lambda w: w.item is not None and not w.read_only,
    "Open an item of a project that you can write to.",
)
WRITABLE = Condition(
    lambda w: w.project is not None and not w.read_only,
    "Open a project that you can write to.",
)
CAN_UNDO = Condition(lambda w: w.can_undo, "Nothing to undo in this item.")
CAN_REDO = Condition(lambda w: w.can_redo, "Nothing to redo in this item.")
CAN_UNDO_CLASSES = Condition(
    lambda w: not w.read_only and w.project_steps.undoable is not None,
    "No class of this project was changed.",
)
CAN_REDO_CLASSES = Condition(
    lambda w: not w.read_only and w.project_steps.redoable is not None,
    "No change of a class was undone.",
)
HAS_NEXT = Condition(
    lambda w: w.requested is not None and w.queue.neighbour(w.requested, 1) is not None,
    "This is the last item of the queue.",
)
HAS_PREVIOUS = Condition(
    lambda w: w.requested is not None and w.queue.neighbour(w.requested, -1) is not None,
    "This is the first item of the queue.",
)
CAN_PREDICT = Condition(lambda w: w.item is not None and _may_predict(w), NO_MODEL, EDITABLE)
CAN_PREDICT_ALL = Condition(_may_predict, NO_MODEL, WRITABLE)
CAN_GO_BACK = Condition(
    lambda w: w.project is not None and not w.read_only and w.at_hand.can_go_back,
    "No other model predicted before this one.",
    WRITABLE,
)
HAS_HIDDEN = Condition(
    lambda w: w.item is not None and bool(w.hidden_classes), "No class is hidden.", ITEM
)
HAS_TRUTH = Condition(lambda w: w.truth is not None, "This item has no truth.")
HAS_MODEL_LAYER = Condition(
    lambda w: w.model is not None or w.proposal is not None, "No model has predicted this item."
)
HAS_PROPOSAL = Condition(lambda w: w.proposal is not None, "No proposal waits for an answer.")
HAS_DROPPED = Condition(
    lambda w: w.dropped is not None and not w.read_only, "No proposal of this item was dropped."
)
HAS_TICKED = Condition(
    lambda w: w.proposal is not None and bool(w.offer.ticked),
    "Tick classes of a proposal in the classes panel first.",
)
HAS_SEEDS = Condition(lambda w: w.has_seeds, "There are no seeds.")
TURNED = Condition(lambda w: bool(w.turned), "The picture lies as its file has it.")
PENDING = Condition(lambda w: w.pending is not None, "No preview waits for an answer.")
REFINING = Condition(lambda w: w.refining.is_open, "No region is behind a dense CRF.")
VOLUME = Condition(_volume, "This item is one picture.")
DEEP = Condition(_deep, "This picture has 8 bits; it needs no window.")
CAN_TRAIN = Condition(
    lambda w: w.project is not None and not w.read_only and not w.runs.is_running,
    "A fine-tuning is running, or no project is open for writing.",
)
TRAINING = Condition(
    lambda w: w.runs.view is not None and w.runs.view.state in ("preparing", "running"),
    "No fine-tuning is running, or it is being cancelled.",
)
RUN_ENDED = Condition(_ended, "Promote opens when a fine-tuning has ended.")
JOBS_RUNNING = Condition(lambda w: bool(w.jobs.running), "Nothing is being predicted.")
