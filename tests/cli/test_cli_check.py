"""``maskwright check`` and ``maskwright export`` on projects made from real data."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from calling import Command, take
from PIL import Image

from segcore.base import Rect
from segcore.edits import Region
from segcore.store import Project


@pytest.fixture
def project(done: Command, street: Path, tmp_path: Path) -> Path:
    done(
        "new", tmp_path / "p", "--images", street / "images", "--labels", street / "labels",
        "--truth", street / "labels", "--classes", "camvid",
    )  # fmt: skip
    return tmp_path / "p.maskwright"


def test_a_fresh_project_is_whole(done: Command, project: Path) -> None:
    told = done("check", project, "--json").json
    assert told["ok"]
    assert told["items"] == told["files"] == 6
    assert told["tiles"] > 0


def test_a_flipped_bit_in_a_tile_is_found(maskwright: Command, project: Path) -> None:
    with closing(sqlite3.connect(project / "project.db")) as database:
        number, data = database.execute("SELECT id, data FROM blob LIMIT 1").fetchone()
        damaged = bytes([*data[:-1], data[-1] ^ 1])
        database.execute("UPDATE blob SET data = ? WHERE id = ?", (damaged, number))
        database.commit()
    result = maskwright("check", project)
    assert result.code == 1
    assert "tile" in result.out


def test_an_image_that_has_changed_is_named(
    maskwright: Command, project: Path, street: Path
) -> None:
    done_first = maskwright("check", project)
    assert done_first.code == 0
    Image.new("RGB", (480, 360)).save(street / "images" / "0016E5_07959.jpg")
    result = maskwright("check", project)
    assert result.code == 1
    assert "0016E5_07959" in result.out


def test_png_export_gives_the_very_masks_back(
    done: Command, project: Path, street: Path, tmp_path: Path
) -> None:
    done("export", project, tmp_path / "out", "--format", "png")
    for file in (street / "labels").iterdir():
        written = next((tmp_path / "out").rglob(file.name))
        assert (np.asarray(Image.open(written)) == np.asarray(Image.open(file))).all()
    scores = done(
        "evaluate", "--prediction", written.parent, "--truth", street / "labels",
        "--classes", "camvid", "--json",
    ).json  # fmt: skip
    assert scores["pixel_accuracy"] == 1.0


def test_export_says_how_many_items_it_left_out_and_keeps_rejected_ones_back(
    done: Command, maskwright: Command, project: Path, tmp_path: Path
) -> None:
    from segcore.edits import SetState

    with Project.open(project) as opened:
        for name, state in (("0016E5_07959", "accepted"), ("0016E5_07961", "rejected")):
            opened.apply(opened.items.by_name(name), SetState(state))
    result = done("export", project, tmp_path / "a", "--format", "coco", "--states", "accepted")
    assert "1 item as coco" in result.out
    assert "5 left out" in result.out
    assert "research use" in result.out
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert [row["name"] for row in manifest["items"]] == ["0016E5_07959"]
    assert len(manifest["left_out"]) == 5
    result = done("export", project, tmp_path / "b", "--format", "png", "--states", "all")
    assert "5 items as png" in result.out
    result = maskwright("export", project, tmp_path / "c", "--format", "png", "--states", "new")
    assert result.code == 1
    assert not (tmp_path / "c").exists()


def test_nifti_export_has_the_affine_of_the_image(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    for part in ("images", "labels"):
        take(shared_data / "hippocampus" / part, tmp_path / part, ["hippocampus_004"])
    done("new", tmp_path / "h", "--images", tmp_path / "images", "--labels", tmp_path / "labels")
    done("export", tmp_path / "h.maskwright", tmp_path / "out", "--format", "nifti")
    written = nibabel.load(next((tmp_path / "out").rglob("*.nii.gz")))
    image = nibabel.load(tmp_path / "images" / "hippocampus_004.nii.gz")
    label = nibabel.load(tmp_path / "labels" / "hippocampus_004.nii.gz")
    assert (written.affine == image.affine).all()
    assert (np.asarray(written.dataobj) == np.asarray(label.dataobj)).all()


@pytest.mark.parametrize("form", ["gif", "dicom"])
def test_an_unknown_format_names_those_there_are(
    maskwright: Command, project: Path, tmp_path: Path, form: str
) -> None:
    result = maskwright("export", project, tmp_path / "out", "--format", form)
    assert result.code == 1
    assert "png, coco, coco_panoptic, nifti, tiff" in result.err


def test_an_unknown_state_names_those_there_are(
    maskwright: Command, project: Path, tmp_path: Path
) -> None:
    result = maskwright(
        "export", project, tmp_path / "out", "--format", "png", "--states", "finished"
    )
    assert result.code == 1
    assert "corrected" in result.err


def test_a_dicom_series_is_painted_and_exported_where_its_voxels_are(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    done("new", tmp_path / "ct", "--images", shared_data / "ct_dicom", "--classes", "binary")
    rect = Rect(100, 200, 30, 50)
    with Project.open(tmp_path / "ct.maskwright") as opened:
        (item,) = opened.items
        for z in (0, 7, 15):
            mask = np.ones((rect.height, rect.width), bool)
            opened.apply(item, Region.of(z, rect, mask, 2, origin=opened.source("person")))
    done("export", tmp_path / "ct.maskwright", tmp_path / "out", "--format", "nifti")
    written = next((tmp_path / "out").rglob("*.nii.gz"))
    # The same voxels at the same millimetres, by a reader that knows nothing of ours.
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(shared_data / "ct_dicom")))
    series = reader.Execute()
    label = SimpleITK.ReadImage(str(written))
    assert label.GetSize() == series.GetSize()
    for corner in ((0, 0, 0), (511, 0, 0), (0, 511, 0), (0, 0, 15), (200, 100, 7)):
        assert np.allclose(
            label.TransformIndexToPhysicalPoint(corner),
            series.TransformIndexToPhysicalPoint(corner),
            atol=1e-3,
        )
    values = SimpleITK.GetArrayFromImage(label)
    # 0 is the background's value, which nobody painted: what is unlabelled is written as 255.
    expected = np.full_like(values, 255)
    expected[[0, 7, 15], 100:130, 200:250] = 1
    assert (values == expected).all()
