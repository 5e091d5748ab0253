"""SetState: what has become of an item, as a step that can be undone like any other."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias, get_args

from segcore.base.dataclass import dataclass
from segcore.edits.base import BaseEdit, ImageReader
from segcore.labels import FieldChange, Labels, Patch

State: TypeAlias = Literal["new", "predicted", "corrected", "accepted", "rejected"]
STATES: tuple[State, ...] = get_args(State)

_NAMES: dict[State, str] = {
    "new": "Mark as new",
    "predicted": "Mark as predicted",
    "corrected": "Mark as corrected",
    "accepted": "Accept",
    "rejected": "Reject",
}


@dataclass(frozen=True)
class SetState(BaseEdit):
    """Give the item another state.

    An edit does not know which item it is applied to. The key "" and the state None before stand
    for "this item" and "as it is"; the store writes in both when it takes the step.

    Parameters
    ----------
    state : new, predicted, corrected, accepted or rejected.
    item : id of the item, or "".
    before : its state until now, or None.
    """

    state: State
    item: str = ""
    before: State | None = None

    TOOL: ClassVar[str] = "state"

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"no such state: {self.state}")
        if not self.name:
            object.__setattr__(self, "name", _NAMES[self.state])
        super().__post_init__()

    def apply(self, labels: Labels, image: ImageReader | None = None) -> Patch:
        change = FieldChange("item", self.item, "state", self.before, self.state)
        own = () if self.state == self.before else (change,)
        return Patch((), (*own, *self.fields), self.name, self.tool)
