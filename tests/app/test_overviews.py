"""Large pictures in the window: something at once, levels beside, and a way to stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from segcore.base import CLASS_PRESETS, Shape
from segcore.images import PyramidSource, pyramid
from segcore.images.raster import RasterSource
from segcore.store import NewItem, Project

Make = Callable[..., Any]
SHAPE = Shape(1, 600, 900)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which a test picture counts as large."""
    monkeypatch.setattr(pyramid, "_LARGE_PIXELS", 1 << 14)
    monkeypatch.setattr(pyramid, "_COARSE_PIXELS", 1 << 12)
    monkeypatch.setattr(pyramid, "_BAND_BYTES", 1 << 16)


class Gate:
    """Holds a thread until the test lets it go on."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.open.wait(30)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def make_project(folder: Path, suffix: str, dtype: type = np.uint8) -> Path:
    """A project with one picture: bright in its left half, dark in its right one."""
    pixels = np.full((600, 900), 40, dtype)
    pixels[:, :450] = 200
    file = folder / f"large{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(file, pixels, tile=(128, 128), compression="zlib")
    else:
        cv2.imwrite(str(file), pixels)
    with Project.create(folder / "large.maskwright", CLASS_PRESETS["binary"]) as project:
        project.add_items([NewItem("large", [file], SHAPE)])
    return folder / "large.maskwright"


def opened(make_window: Make, path: Path, qtbot: Any) -> Any:
    window = make_window()
    window.workspace.open_project(path)
    qtbot.waitUntil(lambda: window.workspace.image is not None, timeout=20_000)
    return window


def grey_at(canvas: Any, y: float, x: float) -> int:
    """The grey value on screen of a pixel of the picture."""
    place = canvas.view.to_screen(y, x)
    shot = canvas.grab().toImage()
    return int(shot.pixelColor(round(place[1]), round(place[0])).red())


def is_shown(canvas: Any) -> bool:
    return (
        canvas.is_settled and grey_at(canvas, 300, 225) == 200 and grey_at(canvas, 300, 675) == 40
    )


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_a_large_picture_is_shown_and_gets_its_levels_once(
    make_window: Make, tmp_path: Path, qtbot: Any, suffix: str
) -> None:
    path = make_project(tmp_path, suffix)
    window = opened(make_window, path, qtbot)
    workspace = window.workspace
    assert isinstance(workspace.image, PyramidSource)
    qtbot.waitUntil(workspace.image.is_built, timeout=20_000)
    qtbot.waitUntil(lambda: workspace.overviews.row is None, timeout=20_000)
    qtbot.waitUntil(lambda: is_shown(window.canvas), timeout=20_000)
    files = sorted((path / "cache" / "levels").iterdir())
    assert len(files) == len(workspace.image.levels) - 1
    before = [file.stat().st_mtime_ns for file in files]
    workspace.close_project()
    workspace.open_project(path)
    qtbot.waitUntil(lambda: workspace.image is not None, timeout=20_000)
    assert workspace.overviews.row is None
    qtbot.waitUntil(lambda: is_shown(window.canvas), timeout=20_000)
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_tiled_picture_is_on_screen_before_it_has_levels(
    make_window: Make, tmp_path: Path, qtbot: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PyramidSource._write
    monkeypatch.setattr(PyramidSource, "_write", lambda *a: (gate.wait(), real(*a)))
    window = opened(make_window, make_project(tmp_path, ".tif"), qtbot)
    assert gate.reached.wait(20)
    qtbot.waitUntil(lambda: is_shown(window.canvas), timeout=20_000)
    assert not window.workspace.image.is_built()
    rows = window.workspace.jobs.rows
    assert [row.title for row in rows] == ["Overview of large"]
    serial = window.canvas.picture.serial
    with qtbot.waitSignal(window.workspace.image_refined, timeout=20_000):
        gate.open.set()
    assert window.canvas.picture.serial > serial
    assert window.workspace.jobs.rows == []


def test_while_a_picture_is_decoded_the_canvas_says_so_and_painting_works(
    make_window: Make, tmp_path: Path, qtbot: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RasterSource._decode
    monkeypatch.setattr(RasterSource, "_decode", lambda *a: (gate.wait(), real(*a))[1])
    window = opened(make_window, make_project(tmp_path, ".png", np.uint16), qtbot)
    workspace, canvas = window.workspace, window.canvas
    assert gate.reached.wait(20)
    assert canvas._sentence() == ("Decoding the picture", "900 x 600 pixels")
    assert workspace.window == (0, 65535)
    workspace.set_active_class(2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    qtbot.waitUntil(lambda: workspace.item.labels.counts().get(2, 0) > 0, timeout=20_000)
    gate.open.set()
    qtbot.waitUntil(lambda: workspace.window == (40, 200), timeout=20_000)
    assert canvas._sentence() == ("", "")
    qtbot.waitUntil(lambda: workspace.overviews.row is None, timeout=20_000)
    qtbot.waitUntil(
        lambda: (
            canvas.is_settled and grey_at(canvas, 30, 30) == 255 and grey_at(canvas, 30, 870) == 0
        ),
        timeout=20_000,
    )


def test_a_window_that_a_person_chose_meanwhile_stays(
    make_window: Make, tmp_path: Path, qtbot: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RasterSource._decode
    monkeypatch.setattr(RasterSource, "_decode", lambda *a: (gate.wait(), real(*a))[1])
    window = opened(make_window, make_project(tmp_path, ".png", np.uint16), qtbot)
    workspace = window.workspace
    workspace.set_window(10, 1000)
    with qtbot.waitSignals([workspace.image_refined] * 2, timeout=20_000):
        gate.open.set()
    assert workspace.window == (10, 1000)


def test_building_is_stopped_from_the_jobs_panel(
    make_window: Make, tmp_path: Path, qtbot: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PyramidSource._write
    monkeypatch.setattr(PyramidSource, "_write", lambda *a: (gate.wait(), real(*a)))
    path = make_project(tmp_path, ".tif")
    window = opened(make_window, path, qtbot)
    workspace = window.workspace
    assert gate.reached.wait(20)
    workspace.jobs.cancel(workspace.jobs.rows[0].number)
    assert workspace.jobs.rows[0].state == "cancelling"
    gate.open.set()
    qtbot.waitUntil(lambda: workspace.overviews.row is None, timeout=20_000)
    assert list((path / "cache" / "levels").iterdir()) == []
    qtbot.waitUntil(lambda: is_shown(window.canvas), timeout=20_000)


def test_a_cache_that_cannot_be_written_is_said_and_the_picture_shown(
    make_window: Make, tmp_path: Path, qtbot: Any
) -> None:
    path = make_project(tmp_path, ".tif")
    (path / "cache" / "levels").write_text("in the way", encoding="utf-8")
    said: list[Any] = []
    window = make_window()
    window.workspace.message_posted.connect(said.append)
    window.workspace.open_project(path)
    qtbot.waitUntil(lambda: any("could not be kept" in m.text for m in said), timeout=20_000)
    qtbot.waitUntil(lambda: is_shown(window.canvas), timeout=20_000)


def test_closing_the_window_does_not_wait_for_levels(
    make_window: Make, tmp_path: Path, qtbot: Any
) -> None:
    path = make_project(tmp_path, ".tif")
    window = opened(make_window, path, qtbot)
    window.workspace.close_project()
    assert window.workspace.overviews.row is None
