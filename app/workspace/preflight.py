"""What a fine-tuning would learn from: counted before it starts, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segcore.base.dataclass import dataclass

# A class with fewer pixels or in fewer items than this will hardly move.
FEW_PIXELS = 2_000
FEW_ITEMS = 3
_LOOKED_AT = 300


@dataclass(frozen=True)
class Scarce:
    """A class of which there is too little to learn."""

    name: str
    pixels: int
    items: int


@dataclass(frozen=True)
class Preflight:
    """The lines of "Learns from".

    Parameters
    ----------
    accepted, corrected : items whose label is learned from, by state.
    truth : items whose truth is learned from instead.
    held_out, held_groups : items that no run trains on; their groups where they are one or two.
    base : name of the model that predicts, or "".
    start : name of the model that is trained further, or "".
    earlier : pictures that `start` learned from before and that can be mixed in; None where they
        are not to be found.
    scarce : classes with too few pixels.
    looked_at : how many items were counted for `scarce`.
    """

    accepted: int
    corrected: int
    held_out: int
    held_groups: tuple[str, ...]
    base: str
    scarce: tuple[Scarce, ...]
    looked_at: int
    start: str = ""
    earlier: int | None = None
    truth: int = 0
    targets: str = "reviewed"

    @property
    def nothing_earlier(self) -> str:
        """Why nothing of what was learned before is mixed in, or ""."""
        if not self.start:
            return "there is no model to train further"
        if self.earlier is None:
            return f"{self.start}'s training pictures are not here"
        if self.earlier == 0:
            return f"{self.start} learned from no others that are still here"
        return ""

    @property
    def learned(self) -> int:
        return self.accepted + self.corrected + self.truth

    @property
    def why_not(self) -> str:
        """Why it cannot start, or ""."""
        if self.learned == 0 and self.targets == "truth":
            return "No item that may be trained on has truth; there is nothing to learn from."
        if self.learned == 0:
            return "Correct or accept an item first; there is nothing to learn from."
        return ""


def look(project: Any, start: str = "", targets: str = "reviewed") -> Preflight:
    """Count; reads the label tiles of at most 300 items. For threads beside the GUI.

    Parameters
    ----------
    start : folder of the model that is trained further; "" is the one that predicts.
    targets : of the recipe: "reviewed", "truth" or "all".
    """
    from app.workspace.models import current_model
    from segcore.projects.earlier import earlier_count
    from segcore.projects.training import may_teach, split_items

    training, held, _ = split_items([i for i in project.items if i.state != "rejected"])
    taught = [i for i in training if may_teach(i, targets)]
    truths = [i for i in taught if targets != "reviewed" and i.truth is not None]
    by_truth = {i.id for i in truths}
    reviewed = [i for i in taught if i.id not in by_truth]
    pixels: dict[int, int] = {}
    seen: dict[int, int] = {}
    for item in taught[:_LOOKED_AT]:
        truth = item.truth if item.id in by_truth else None
        for class_id, count in (truth or item.labels).counts().items():
            pixels[class_id] = pixels.get(class_id, 0) + count
            seen[class_id] = seen.get(class_id, 0) + 1
    few_items = min(FEW_ITEMS, len(taught))
    scarce = tuple(
        Scarce(c.name, pixels.get(int(c.id), 0), seen.get(int(c.id), 0))
        for c in project.classes.scored
        if pixels.get(int(c.id), 0) < FEW_PIXELS or seen.get(int(c.id), 0) < few_items
    )
    model = current_model(project)
    further = Path(start) if start else None if model is None else model.path
    now = {tuple(source.file for source in i.sources) for i in (*taught, *held)}
    groups = tuple(sorted({i.group for i in held if i.group}))
    return Preflight(
        accepted=sum(i.state == "accepted" for i in reviewed),
        corrected=sum(i.state == "corrected" for i in reviewed),
        held_out=len(held),
        held_groups=groups if 0 < len(groups) <= 2 and len(groups) < len(held) else (),
        base=model.name if model is not None else "",
        scarce=scarce if taught else (),
        looked_at=min(len(taught), _LOOKED_AT),
        start="" if further is None else further.name,
        earlier=None if further is None else earlier_count(further, now),
        truth=len(truths),
        targets=targets,
    )
