"""Accepting, rejecting, and taking a proposal: what a reviewer decides about an item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from app.workspace.messages import Message

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace


def accept(workspace: Workspace) -> None:
    """Mark the open item as right and go on; the toast can take it back.

    What is unlabelled gets the class that was chosen for this project, if one was.
    """
    item, project = workspace.item, workspace.project
    if item is not None and project is not None and not workspace.read_only:
        unlabelled = workspace.scores.areas.get(0, 0)
        kept = workspace.settings.get("memory.accept_fill")
        asks = workspace.settings.get("correct.accept_fill") == "ask"
        if asks and unlabelled and str(project.path) not in kept:
            workspace.fill_asked.emit(unlabelled)
            return
    _decide(workspace, "accepted", f"Accepted {workspace.item.name}" if workspace.item else "")


def reject(workspace: Workspace) -> None:
    """Leave the open item out of every training and export, and go on."""
    _decide(workspace, "rejected", f"Rejected {workspace.item.name}" if workspace.item else "")


def _decide(workspace: Workspace, state: Literal["accepted", "rejected"], said: str) -> None:
    from segcore.edits import FillUnlabelled, SetState
    from segcore.store.steps import state_change

    item, project = workspace.item, workspace.project
    if item is None or project is None:
        return
    if workspace.read_only:
        workspace.post(Message("This project is open for reading.", tone="warning"))
        return
    fill = workspace.settings.get("memory.accept_fill").get(str(project.path), 0)
    if state == "accepted" and fill:
        edit: Any = FillUnlabelled(
            class_id=fill,
            origin=workspace.person_origin(),
            name="Accept",
            tool="state",
            fields=(state_change(item.id, item.state, state),),
        )
    else:
        edit = SetState(state=state)
    workspace.submit(edit)
    workspace.queue.state_changed(item.id, state)

    def take_back() -> None:
        workspace.undo_item(item.id)
        workspace.open_item(item.id)

    workspace.tell(said, ("Undo", take_back))
    workspace.step(1)


def take_proposal(workspace: Workspace, where: Any = "all") -> None:
    """Take the waiting prediction: "all", "not_mine", or class ids."""
    item, project, proposal = workspace.item, workspace.project, workspace.proposal
    if item is None or proposal is None:
        return

    def work() -> Any:
        return project.take(item, proposal, where)

    def submit(edit: Any) -> None:
        workspace.submit(edit)
        drop_proposal(workspace)

    workspace.background.run(work, submit)


def drop_proposal(workspace: Workspace) -> None:
    """Leave the label as it is; the prediction stays as a layer."""
    workspace.proposal = None
    workspace.proposal_changed.emit(None)
