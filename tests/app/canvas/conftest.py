"""A real project of small pictures, a real workspace, a real canvas; nothing is pretended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from canvas_stage import Stage

from segcore.base import ClassId, ClassSet, SegClass, Shape

CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "ground", 0, None),
        SegClass(ClassId(2), "car", 1, "#E69F00", thing=True),
        SegClass(ClassId(3), "tree", 2, "#56B4E9"),
    )
)


@pytest.fixture
def stage(qtbot, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes a stage: `stage(shape=(y, x), labels=array, size=(w, h))`; closed by itself."""
    made: list[Stage] = []

    def make(
        shape: tuple[int, ...] = (48, 64),
        labels: np.ndarray | None = None,
        size: tuple[int, int] = (400, 300),
        dtype: type = np.uint8,
        items: int = 1,
        missing: int | None = None,
    ) -> Stage:
        grid = Shape(*shape) if len(shape) == 3 else Shape(1, *shape)
        made.append(Stage(qtbot, tmp_path, CLASSES, grid, labels, size, dtype, items, missing))
        return made[-1]

    yield make
    for one in made:
        one.close()
