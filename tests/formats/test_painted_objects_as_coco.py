"""Objects that a person painted, exported as COCO and decoded by pycocotools."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from segcore.base import ClassId, ClassSet, SegClass, Shape
from segcore.edits import OWN, Fill, Polygon, Stroke
from segcore.projects.exporting import export_project
from segcore.store import NewItem, Project

CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "background", 0, None),
        SegClass(ClassId(2), "nucleus", 1, "#E69F00", thing=True),
    )
)


def test_each_painted_object_is_one_annotation_also_where_they_touch(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    with Project.create(tmp_path / "p.maskwright", CLASSES, person="Ada") as project:
        (item,) = project.add_items([NewItem("cells", [], Shape(1, 200, 240))])
        common = {"class_id": 2, "instance": OWN, "origin": project.source("person")}
        for y, x in random.uniform(5, 195, (60, 2)):
            path = ((y, x), (y + random.uniform(-20, 20), x + random.uniform(-20, 20)))
            project.apply(item, Stroke(0, path, 5.5, **common))
        ring = ((150.0, 205.0), (150.0, 235.0), (190.0, 235.0), (190.0, 205.0))
        hole = ((160.0, 215.0), (160.0, 225.0), (180.0, 225.0), (180.0, 215.0))
        project.apply(item, Polygon(0, (ring, hole), **common))
        project.apply(item, Fill(0, (2, 239), 1, origin=common["origin"]))
        # Cut through everything: objects of several parts.
        project.apply(item, Stroke(0, ((0, 0), (200, 240)), 2, 0, origin=common["origin"]))
        export_project(project, tmp_path / "out", "coco", ["corrected"])
        objects = item.labels.read(plane="instance")
        rows = item.instances
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        coco = COCO(str(tmp_path / "out" / "annotations.json"))
    numbers = sorted(set(np.unique(objects)) - {0})
    assert len(numbers) > 30
    found = {a["instance_id"]: a for a in coco.anns.values()}
    assert sorted(found) == numbers
    assert len(coco.anns) == len(numbers)
    for number, annotation in found.items():
        np.testing.assert_array_equal(coco.annToMask(annotation), objects == number)
        assert annotation["attributes"]["class"] == rows[number].class_id == 2
