"""Real labels to export, and awkward masks to read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from segcore.base import CLASS_PRESETS
from segcore.formats import ExportItem, read_mask
from segcore.labels import Labels


@pytest.fixture(scope="session")
def camvid_items(shared_data):
    """Some street scenes with their pictures."""
    folder = shared_data / "camvid/val"
    return [
        ExportItem(
            path.stem,
            (folder / "images" / f"{path.stem}.jpg",),
            Labels.from_array(read_mask(path, CLASS_PRESETS["camvid"]).classes),
            state="accepted",
            split="train",
            group="0016E5",
        )
        for path in sorted((folder / "labels").glob("*.png"))[:5]
    ]


@pytest.fixture(scope="session")
def nuclei_items(shared_data):
    """Microscopy with numbered objects, some above 255."""
    folder = shared_data / "nuclei"
    largest = sorted((folder / "labels").glob("*.png"), key=lambda p: -p.stat().st_size)[:2]
    items = []
    for path in largest:
        mask = read_mask(path, CLASS_PRESETS["binary"], instances_of=2)
        labels = Labels.from_array(mask.classes, instance=mask.instances)
        items.append(ExportItem(path.stem, (folder / "images" / path.name,), labels))
    return items


@pytest.fixture(scope="session")
def odd(shared_data):
    return shared_data / "odd"


@pytest.fixture(scope="session")
def plain(odd):
    """Class ids of the scene that every mask of the folder shows."""
    mask = cv2.imread(str(odd / "plain_mask.png"), cv2.IMREAD_UNCHANGED)
    return (mask + 1).astype(np.uint16)
