"""Bringing a model's classes and a project's together: by uuid, then by name, never by place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from segcore.base import ClassId, ClassSet, SegClass
from segcore.base.dataclass import dataclass
from segcore.models.pairing import pair
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from segcore.models.segmodel import SegModel


@dataclass(frozen=True)
class HeadPlan:
    """How a model's head becomes the head for a project.

    Parameters
    ----------
    classes : of the new model: the project's, then those the project does not have.
    copied : new channel to old channel, for classes that both have.
    fresh : new channels that start from random numbers.
    frozen : new channels that are kept and not trained, since the project lacks their class.
    """

    classes: ClassSet
    copied: Mapping[int, int]
    fresh: tuple[int, ...]
    frozen: tuple[int, ...]


def plan_head(model_classes: ClassSet, project_classes: ClassSet) -> HeadPlan:
    """What fine-tuning on a project does to each row of the head."""
    old = model_classes.scored
    rows: list[SegClass] = list(project_classes.active)
    pairs = pair(rows, old)
    copied: dict[int, int] = {}
    fresh: list[int] = []
    for channel, wanted in enumerate(project_classes.scored):
        place = pairs.get(rows.index(wanted))
        if place is None:
            fresh.append(channel)
        else:
            copied[channel] = place
    known = set(pairs.values())  # also those that the project ignores: they are let go
    channel = len(project_classes.scored)
    taken = {c.id for c in project_classes.classes}
    values = {c.value for c in rows}
    frozen: list[int] = []
    for index, kept in enumerate(old):
        if index in known:
            continue
        free = next(i for i in range(1, 65536) if i not in taken)
        taken.add(ClassId(free))
        value = None if kept.value in values else kept.value
        values.add(value)
        rows.append(replace(kept, id=ClassId(free), value=value))
        copied[channel] = index
        frozen.append(channel)
        channel += 1
    return HeadPlan(ClassSet(tuple(rows)), copied, tuple(fresh), tuple(frozen))


def for_project(model: SegModel, project_classes: ClassSet) -> tuple[SegModel, HeadPlan]:
    """A new model for the project's classes with everything that the old one knows of them."""
    import torch

    from segcore.models.building import build_from_spec

    plan = plan_head(model.spec.classes, project_classes)
    kept = tuple(plan.classes.scored[channel].uuid for channel in plan.frozen)
    spec: ModelSpec = model.spec.changed(classes=plan.classes, frozen=kept, engines={})
    new = build_from_spec(spec)
    axes = model.class_axes()
    there = dict(model.named_parameters())
    state = {key: value for key, value in model.state_dict().items() if key not in axes}
    new.load_state_dict(state, strict=False)
    here = dict(new.named_parameters())
    with torch.no_grad():
        for name, where in axes.items():
            _carry(there[name], here[name], where, plan, model.spec.outputs, spec.outputs)
    return new, plan


def _carry(
    old: Tensor, new: Tensor, where: Mapping[int, int], plan: HeadPlan, had: int, has: int
) -> None:
    """Fill a parameter from the old one: classes by the plan, all that is no class by its place.

    A new class that the parameter reads (any axis but the first, which is what it gives) is not
    read at first: the old classes are then predicted as they were.
    """
    import torch

    for axis, first in where.items():
        for channel in plan.fresh if axis else ():
            new.select(axis, first + channel).zero_()

    targets, sources = [], []
    for axis, length in enumerate(new.shape):
        if axis not in where:
            pairs = [(i, i) for i in range(length)]
        else:
            first = where[axis]
            pairs = [(i, i) for i in range(first)]
            pairs += [(first + to, first + of) for to, of in plan.copied.items()]
            pairs += [(i, i - has + had) for i in range(first + has, length)]
        targets.append(torch.tensor([to for to, _ in pairs], dtype=torch.long))
        sources.append(torch.tensor([of for _, of in pairs], dtype=torch.long))
    if all(len(chosen) for chosen in targets):
        new[torch.meshgrid(*targets, indexing="ij")] = old[torch.meshgrid(*sources, indexing="ij")]
