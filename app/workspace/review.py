"""Accepting, rejecting, and taking a proposal: what a reviewer decides about an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import Qt

from app.workspace.messages import Message

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace

# Proposals that were said no to and are remembered: some days of work.
_DROPPED = 5000


def accept(workspace: Workspace) -> None:
    """Mark the open item as right and go on; the toast can take it back.

    What is unlabelled gets the class that was chosen for this project, if one was; where that has
    to be asked, it waits until the pixels of an item that was just opened are counted.
    """
    item = workspace.item
    if item is not None and _asks(workspace):
        areas = workspace.scores.areas
        if not areas:
            _when_counted(workspace, lambda: accept(workspace))
            return
        if areas.get(0, 0):
            workspace.fill_asked.emit(areas[0])
            return
    _decide(workspace, "accepted", f"Accepted {item.name}" if item is not None else "")


def _asks(workspace: Workspace) -> bool:
    """Whether accepting now would ask what unlabelled pixels become."""
    if workspace.project is None or workspace.labels is None:
        return False
    if workspace.read_only or _left(workspace):
        return False
    kept = workspace.settings.get("memory.accept_fill")
    asks = workspace.settings.get("correct.accept_fill") == "ask"
    return bool(asks and str(workspace.project.path) not in kept)


def _when_counted(workspace: Workspace, run: Callable[[], None]) -> None:
    """Go on when the open item has its scores; not at all if it is left before."""
    item = workspace.item

    def counted(_: object) -> None:
        if workspace.item is item and not _left(workspace):
            run()

    workspace.scores_changed.connect(counted, Qt.ConnectionType.SingleShotConnection)
    workspace.scorekeeper.count()


def reject(workspace: Workspace) -> None:
    """Leave the open item out of every training and export, and go on."""
    _decide(workspace, "rejected", f"Rejected {workspace.item.name}" if workspace.item else "")


def _decide(workspace: Workspace, state: Literal["accepted", "rejected"], said: str) -> None:
    from segcore.edits import FillUnlabelled, SetState
    from segcore.store.steps import state_change

    item, project = workspace.item, workspace.project
    if item is None or project is None or _left(workspace):
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
    ticket = workspace.submit(edit)
    workspace.queue.state_changed(item.id, state)
    workspace.tell_step(said, item.id, ticket, lambda: workspace.open_item(item.id))
    workspace.step(1)


def _left(workspace: Workspace) -> bool:
    """Whether another item is on its way to the screen: what is decided now would be meant for
    that one, which nobody has seen yet, and the one after it would be skipped."""
    return workspace.item is not None and workspace.requested != workspace.item.id


def take_proposal(workspace: Workspace, where: Any = "all") -> None:
    """Take the waiting prediction, or a part of it, as one step.

    Taken whole, or wherever it is not the person's word, it has had its answer. After a part it
    waits on, as long as something in it differs.

    Parameters
    ----------
    where : "all", "not_mine", "visible" (what is on the canvas), "ticked" (the classes that are
        ticked in the panel), class ids, or a part.
    """
    item, project, proposal = workspace.item, workspace.project, workspace.proposal
    if item is None or proposal is None or workspace.read_only:
        return
    name = f"Take {_part_name(workspace, where)}"
    if where == "visible":
        where = workspace.offer.visible_part
    elif where == "ticked":
        where = workspace.offer.ticked
    if not where:
        return

    def work() -> Any:
        return replace(project.take(item, proposal, where), name=name)

    def submit(edit: Any) -> None:
        if workspace.item is not item or workspace.proposal is not proposal:
            return
        if workspace.view_mode == "model":
            workspace.set_view_mode("label")  # what was looked at is in the label now
        ticket = workspace.submit(edit)
        workspace.offer.untick_all()
        if where in ("all", "not_mine"):
            workspace.proposal = None  # undo brings it back: it was not said no to
            workspace.proposal_changed.emit(None)
        said = name.replace("Take", "Took", 1)
        workspace.tell_step(said, item.id, ticket, lambda: workspace.open_item(item.id))

    workspace.background.run(work, submit)


def _part_name(workspace: Workspace, where: Any) -> str:
    """What history calls the part of a proposal that is taken."""
    if where == "all":
        return "proposal"
    if where == "not_mine":
        return "proposal where I did not paint"
    ids = workspace.offer.ticked if where == "ticked" else where
    if isinstance(ids, set | frozenset) and workspace.classes is not None:
        names = [c.name for c in workspace.classes if int(c.id) in ids]
        listed = " and ".join(names) if len(names) < 3 else f"{len(names)} classes"
        return f"{listed} of proposal"
    return "visible part of proposal"


def drop_proposal(workspace: Workspace) -> None:
    """Leave the label as it is, and offer this prediction no more unless it is asked for.

    It stays as a layer.
    """
    dropped = workspace.proposal
    if dropped is None:
        return
    workspace.proposal, workspace.dropped = None, dropped
    _remember(workspace, [*_others(workspace, dropped), dropped.id])
    workspace.proposal_changed.emit(None)


def offer_again(workspace: Workspace) -> None:
    """Have the prediction that was dropped wait as a proposal again."""
    dropped = workspace.dropped
    if dropped is None:
        return
    workspace.proposal, workspace.dropped = dropped, None
    _remember(workspace, _others(workspace, dropped))
    workspace.proposal_changed.emit(dropped)


def ask_again(workspace: Workspace, layer: Any) -> None:
    """What was said no to is asked for: it is offered as if it never had been dropped."""
    if layer.id in workspace.settings.get("memory.dropped"):
        _remember(workspace, _others(workspace, layer))


def _others(workspace: Workspace, layer: Any) -> list[str]:
    return [kept for kept in workspace.settings.get("memory.dropped") if kept != layer.id]


def _remember(workspace: Workspace, dropped: list[str]) -> None:
    workspace.settings.set("memory.dropped", dropped[-_DROPPED:])
