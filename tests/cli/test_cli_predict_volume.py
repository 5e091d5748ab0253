"""A predicted volume has objects that go on from slice to slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from calling import Command, take
from scipy import ndimage

from segcore.base import ClassId, ClassSet, SegClass
from segcore.store import Project

HEAD, REST = 1, 2


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small network with random numbers, which sees many small things."""
    import torch

    from segcore.models import build, save_model

    classes = ClassSet(
        (
            SegClass(ClassId(HEAD), "head", 1, "#E69F00", thing=True),
            SegClass(ClassId(REST), "rest", 0, None),
        )
    )
    torch.manual_seed(1)
    made = build("unet", classes=classes, channels=1, decoder_channels=[32, 16, 16, 8, 8])
    made.spec = made.spec.changed(name="heads", tile=64, overlap=16)
    save_model(made, tmp_path / "heads")
    return tmp_path / "heads"


def test_objects_of_a_predicted_volume_are_those_of_scipy_and_have_rows(
    done: Command, tmp_path: Path, shared_data: Path, model: Path
) -> None:
    take(shared_data / "hippocampus" / "images", tmp_path / "images", ["hippocampus_003"])
    classes = tmp_path / "classes.json"
    classes.write_text(
        '{"classes": [{"id": 1, "name": "head", "value": 1, "colour": "#E69F00", "thing": true},'
        ' {"id": 2, "name": "rest", "value": 0}]}'
    )
    path = tmp_path / "p.maskwright"
    done("new", path, "--images", tmp_path / "images", "--classes", classes)
    done("predict", path, "--model", model)
    with Project.open(path) as project:
        item = project.items[0]
        found = item.labels.read_volume()
        objects = item.labels.read_volume("instance")
        expected, count = ndimage.label(found == HEAD, np.ones((3, 3, 3)))
        assert count > 1
        assert ((objects > 0) == (found == HEAD)).all()
        assert len(np.unique(np.stack([objects, expected]).reshape(2, -1), axis=1).T) == count + 1
        assert sorted(item.instances) == sorted(set(np.unique(objects)) - {0})
        assert all(0 < row.score <= 1 for row in item.instances.values() if row.score is not None)
        assert all(row.score is not None for row in item.instances.values())
        deep = [r for r in item.instances.values() if r.bounds and r.bounds[3] - r.bounds[0] > 1]
        assert deep, "no object goes through several slices"
