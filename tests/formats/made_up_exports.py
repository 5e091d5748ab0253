"""Labels to export, made up by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from segcore.base import ClassId, ClassSet, SegClass
from segcore.formats import ExportItem
from segcore.labels import Labels


def class_set(values):
    """Classes of these values, of which every second is a thing."""
    return ClassSet(
        tuple(
            SegClass(ClassId(number), f"class {number}", value, "#E69F00", thing=number % 2 == 0)
            for number, value in enumerate(values, 1)
        )
    )


@st.composite
def exports(draw, volumes=True):
    """Classes and an item: holes, single pixels, touching objects, nothing, large numbers."""
    values = draw(st.lists(st.sampled_from([0, 1, 2, 77, 255, 256, 40_000]), min_size=1,
                           max_size=5, unique=True))  # fmt: skip
    classes = class_set(values)
    depth = draw(st.sampled_from([1, 1, 3] if volumes else [1]))
    shape = (depth, draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    block = draw(st.sampled_from([1, 2, 7]))
    size = (depth, -(-shape[1] // block), -(-shape[2] // block))
    present = rng.integers(0, len(values) + 1, rng.integers(1, 4))
    ids = rng.choice(present, size).repeat(block, 1).repeat(block, 2)[:, : shape[1], : shape[2]]
    planes = {}
    if draw(st.booleans()):
        top = draw(st.sampled_from([3, 70_000, 2**32 - 1]))
        numbers = rng.integers(0, 4, size).repeat(block, 1).repeat(block, 2)
        numbers = numbers[:, : shape[1], : shape[2]] * np.array(top // 3)
        planes["instance"] = np.where(ids > 0, numbers, 0).astype(np.uint32)
    return classes, ExportItem("item", (), Labels.from_array(ids, **planes))
