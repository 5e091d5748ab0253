"""Fixtures of the window's tests: settings in memory, a small real project, an open window."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

from app.settings import Settings
from app.workspace import Workspace
from segcore.base import CLASS_PRESETS

FRAMES = ("0016E5_07959", "0016E5_07961", "0016E5_07963")


@pytest.fixture(scope="session")
def camvid_project(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Three street scenes: truth, and for the first two a prediction that misses some of it."""
    import cv2
    import numpy as np

    from segcore.projects.new import NewProject, create_project
    from segcore.projects.splits import HoldOut

    folder = tmp_path_factory.mktemp("camvid")
    source = shared_data / "camvid" / "val"
    for name in ("images", "truth", "predictions"):
        (folder / name).mkdir()
    for frame in FRAMES:
        shutil.copy(source / "images" / f"{frame}.jpg", folder / "images")
        shutil.copy(source / "labels" / f"{frame}.png", folder / "truth")
    for frame in FRAMES[:2]:
        truth = cv2.imread(str(source / "labels" / f"{frame}.png"), cv2.IMREAD_UNCHANGED)
        moved = np.roll(truth, 6, axis=1)
        moved[moved == 11] = 1
        cv2.imwrite(str(folder / "predictions" / f"{frame}.png"), moved)
    made = create_project(
        NewProject(
            path=folder / "streets.maskwright",
            images=folder / "images",
            truth=folder / "truth",
            predictions=folder / "predictions",
            classes=CLASS_PRESETS["camvid"],
            hold_out=HoldOut(0.0),
        )
    )
    return made.path


@pytest.fixture
def project_path(camvid_project: Path, tmp_path: Path) -> Path:
    """A copy of the project that a test may change."""
    copy = tmp_path / "streets.maskwright"
    shutil.copytree(camvid_project, copy)
    shutil.copytree(camvid_project.parent / "images", tmp_path / "images")
    return copy


@pytest.fixture
def settings() -> Settings:
    return Settings(None)


@pytest.fixture
def workspace(qapp: Any, settings: Settings) -> Iterator[Workspace]:
    made = Workspace(settings)
    yield made
    made.shut_down()


@pytest.fixture
def open_workspace(workspace: Workspace, project_path: Path, qtbot: Any) -> Workspace:
    """A workspace with the project open, and its scores and history read."""
    with qtbot.waitSignals([workspace.scores_changed, workspace.labels_changed], timeout=20_000):
        workspace.open_project(project_path)
    qtbot.waitUntil(lambda: workspace.scores.has_truth, timeout=20_000)
    qtbot.waitUntil(lambda: bool(workspace.history), timeout=20_000)
    return workspace


@pytest.fixture
def copy_model() -> Callable[[Path, str], Path]:
    """Copies the model of nuclei to a folder, with another name for what it finds."""
    from segcore.models.built_in import BUILT_IN

    def copy(folder: Path, found: str) -> Path:
        shutil.copytree(BUILT_IN / "nuclei", folder)
        about = folder / "model.json"
        told = json.loads(about.read_text(encoding="utf-8"))
        told["classes"][-1]["name"] = found
        about.write_text(json.dumps(told), encoding="utf-8")
        return folder

    return copy


@pytest.fixture
def make_window(qtbot: Any, settings: Settings) -> Iterator[Callable[..., Any]]:
    """Makes windows that are closed at the end; no core is started."""
    from app.window import start
    from app.window.main_window import MainWindow

    made: list[MainWindow] = []

    def make(project: Path | None = None, size: tuple[int, int] = (1600, 900)) -> MainWindow:
        window = start.make_window(settings=settings)
        space = window.workspace
        window._core_started = True
        window.resize(*size)
        made.append(window)
        with qtbot.waitExposed(window):
            window.show()
        if project is not None:
            space.open_project(project)
            qtbot.waitUntil(lambda: space.scores.has_truth, timeout=20_000)
            qtbot.waitUntil(lambda: bool(space.history), timeout=20_000)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()
    # Now, not at some later wait: the next theme would dress what is left as well.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
