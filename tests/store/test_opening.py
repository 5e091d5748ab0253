"""How an item's image is opened again: as a stack where that was chosen, with all its channels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from store_kit import CLASSES, block

from segcore import images
from segcore.base import BadFile, Shape
from segcore.store import NewItem, Project, check


@pytest.fixture
def tilted(shared_data: Path, tmp_path: Path) -> Path:
    """A project with the tilted head, opened as a stack."""
    folder = shared_data / "ct_dicom_odd" / "series_gap_tilt"
    with images.open(folder, as_stack=True) as source:
        shape = source.shape
    path = tmp_path / "head.maskwright"
    with Project.create(path, CLASSES) as project:
        (item,) = project.add_items([NewItem("head", [folder], shape, as_stack=True)])
        project.apply(item, block(10, 10, 50, 60, 2, origin=project.source("person")))
    return path


def test_a_tilted_series_is_opened_again_as_the_stack_that_it_was(tilted: Path) -> None:
    with Project.open(tilted) as project:
        item = project.items[0]
        assert item.as_stack
        with item.open_image() as image:
            assert image.shape == item.shape
            assert (image.spacing, image.affine) == (None, None)
            assert image.read(2).any()
        assert item.labels.counts()[2] == 3000
    assert check(tilted).problems == ()


def test_a_copy_elsewhere_remembers_it_too(tilted: Path, tmp_path: Path) -> None:
    with Project.open(tilted) as project:
        project.save_elsewhere(tmp_path / "other" / "copy.maskwright")
    with Project.open(tmp_path / "other" / "copy.maskwright") as project:
        assert project.items[0].as_stack
        assert project.items[0].open_image().shape.z == 5


def test_an_even_series_keeps_its_distances(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ct_dicom"
    with Project.create(tmp_path / "ct.maskwright", CLASSES) as project:
        with images.open(folder) as source:
            (item,) = project.add_items([NewItem("ct", [folder], source.shape)])
        assert not item.as_stack
        assert item.open_image().spacing is not None


def test_an_attribute_of_nobody_is_found_by_check(tilted: Path) -> None:
    with Project.open(tilted) as project, project.database.transaction() as connection:
        connection.execute("INSERT INTO attribute VALUES ('nobody', 'a', 'b')")
    assert [p.text for p in check(tilted, images=False).damage] == [
        "1 rows of attribute name a item that is not there."
    ]


def test_an_item_without_a_group_is_in_no_group(tmp_path: Path) -> None:
    # From tables of other programs a missing group comes as None.
    with Project.create(tmp_path / "plain.maskwright", CLASSES) as project:
        (item,) = project.add_items([NewItem("one", [], Shape(1, 4, 5), group=None)])
        assert item.group == ""
    with Project.open(tmp_path / "plain.maskwright") as project:
        assert project.items[0].group == ""


def test_several_files_are_the_channels_of_one_item(shared_data: Path, tmp_path: Path) -> None:
    grey = tmp_path / "a.png"
    shutil.copyfile(shared_data / "odd" / "plain.png", grey)
    with Project.create(tmp_path / "two.maskwright", CLASSES) as project:
        with images.open(grey) as source:
            plain, shape = source.read(), source.shape
        (item,) = project.add_items([NewItem("both", [grey, grey], shape)])
        with item.open_image() as image:
            assert np.array_equal(image.read(), np.concatenate([plain, plain], axis=-1))
        (empty,) = project.add_items([NewItem("none", [], shape)])
        with pytest.raises(BadFile, match="none has no image"):
            empty.open_image()
