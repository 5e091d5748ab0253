"""A small project of real nuclei with truth, and windows on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hands import CLASSES, Hands

from segcore.projects.new import NewProject, create_project
from segcore.projects.splits import HoldOut

# Six pictures of 256 x 256, fluorescence, with some tens of nuclei each.
COUNT = 6


@pytest.fixture(scope="session")
def nuclei_folders(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """images/ and labels/ with six small pictures of the data set."""
    folder = tmp_path_factory.mktemp("nuclei")
    rows = (shared_data / "nuclei" / "index.csv").read_text().splitlines()
    names = rows[0].split(",")
    small = []
    for row in rows[1:]:
        cells = dict(zip(names, row.split(","), strict=True))
        if cells["kind"] == "grey_dark" and cells["width"] == cells["height"] == "256":
            small.append((abs(int(cells["nuclei"]) - 30), Path(cells["file"]).stem))
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
        for _, stem in sorted(small)[:COUNT]:
            shutil.copy(shared_data / "nuclei" / kind / f"{stem}.png", folder / kind)
    return folder


@pytest.fixture
def nuclei_project(tmp_path: Path, nuclei_folders: Path) -> Path:
    """A project with truth and without labels."""
    path = tmp_path / "nuclei.maskwright"
    create_project(
        NewProject(
            path=path,
            images=nuclei_folders / "images",
            truth=nuclei_folders / "labels",
            classes=CLASSES,
            instances="nucleus",
            hold_out=HoldOut.parse("none"),
        )
    )
    return path


@pytest.fixture
def rough_project(tmp_path: Path, nuclei_folders: Path) -> Path:
    """Nuclei with a prediction that lies three pixels beside the truth."""
    (tmp_path / "rough").mkdir()
    for file in (nuclei_folders / "labels").iterdir():
        mask = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        cv2.imwrite(str(tmp_path / "rough" / file.name), np.roll(mask, 3, axis=1))
    path = tmp_path / "rough.maskwright"
    create_project(
        NewProject(
            path=path,
            images=nuclei_folders / "images",
            truth=nuclei_folders / "labels",
            predictions=tmp_path / "rough",
            classes=CLASSES,
            instances="nucleus",
            hold_out=HoldOut.parse("none"),
        )
    )
    return path


@pytest.fixture
def open_window(qtbot, tmp_path: Path) -> Iterator[Callable[[Path], Hands]]:
    """Opens windows; every one is closed at the end, whatever happened."""
    opened: list[Hands] = []

    def open_one(project: Path) -> Hands:
        opened.append(Hands(qtbot, project, tmp_path / "settings.json"))
        return opened[-1]

    yield open_one
    for hands in opened:
        hands.close()
