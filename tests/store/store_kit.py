"""What the tests of the store share: a tiny edit, and projects without image files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segcore.base import ClassSet, Rect, Shape
from segcore.labels import OPEN, Draft, Guard, Labels, Patch
from segcore.store import Item, NewItem, Project

CLASSES = ClassSet.from_names(["sky", "road", "car", "tree"])


@dataclass(frozen=True)
class Block:
    """Set a rectangle to one class: the smallest edit there is."""

    z: int
    rect: Rect
    class_id: int
    origin: int = 1
    instance: int = 0
    guard: Guard = OPEN
    name: str = "Block"
    tool: str = "block"

    def reads(self, labels: Labels) -> None:
        return None

    def apply(self, labels: Labels, image: Any = None) -> Patch:
        draft = Draft(labels, self.guard)
        rect = self.rect.intersect(labels.extent)
        mask = np.ones((rect.height, rect.width), bool)
        draft.write(
            self.z,
            rect,
            mask,
            class_id=self.class_id,
            origin=self.origin,
            instance=self.instance,
        )
        return draft.close(self.name, self.tool)


PICTURE = Shape(1, 300, 520)


def make_project(folder: Path, items: int = 1, shape: Shape = PICTURE) -> Project:
    """A project with empty items that have no image."""
    project = Project.create(folder / "small.maskwright", CLASSES, person="Ada")
    project.add_items([NewItem(f"item {n}", [], shape) for n in range(items)])
    assert project.source("person") == 1
    assert project.source("model", "a model") == 2
    return project


def block(y: int, x: int, height: int, width: int, class_id: int, **more: Any) -> Block:
    return Block(0, Rect(y, x, height, width), class_id, **more)


def random_classes(item: Item, seed: int) -> np.ndarray[Any, Any]:
    """Blobs of classes 0 to 4 of the item's size."""
    random = np.random.default_rng(seed)
    shape = item.shape
    coarse = random.integers(0, 5, (shape.z, shape.y // 16 + 1, shape.x // 16 + 1))
    fine = np.kron(coarse, np.ones((1, 16, 16), int))
    return fine[:, : shape.y, : shape.x].astype(np.uint16)
