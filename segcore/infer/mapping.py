"""From a model's classes to a project's: by uuid, then by name, never by position. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet
from segcore.base.dataclass import dataclass
from segcore.models.pairing import pair


@dataclass(frozen=True)
class ClassMapping:
    """How a model's classes appear in a project.

    Parameters
    ----------
    table : (65536,) uint16 from a model's class id to the project's; 0 where there is none.
    mapped : pairs (model's class name, project's class name).
    unmapped : names of the model's classes that the project lacks; their pixels stay unlabelled.
    never : names of the project's scored classes that this model cannot predict.
    finds_something : whether it tells more than what lies behind everything, which has no colour:
        a pair of classes that both have one.
    """

    table: NDArray[np.uint16]
    mapped: tuple[tuple[str, str], ...]
    unmapped: tuple[str, ...]
    never: tuple[str, ...]
    finds_something: bool

    @property
    def sentence(self) -> str:
        """What a person should know, or ""."""
        said = []
        if self.unmapped:
            said.append(f"The project has no class {', '.join(self.unmapped)}; left unlabelled.")
        if self.never:
            said.append(f"The model does not know {', '.join(self.never)}.")
        return " ".join(said)


def map_classes(model_classes: ClassSet, project_classes: ClassSet) -> ClassMapping:
    """Match a model's scored classes with a project's classes in use."""
    table = np.zeros(65536, np.uint16)
    ours, theirs = model_classes.scored, project_classes.active
    pairs = pair(ours, theirs)
    for i, j in pairs.items():
        table[ours[i].id] = theirs[j].id
    reached = {theirs[j].id for j in pairs.values()}
    return ClassMapping(
        table,
        tuple((ours[i].name, theirs[j].name) for i, j in sorted(pairs.items())),
        tuple(c.name for i, c in enumerate(ours) if i not in pairs),
        tuple(c.name for c in project_classes.scored if c.id not in reached),
        any(ours[i].colour is not None and theirs[j].colour is not None for i, j in pairs.items()),
    )
