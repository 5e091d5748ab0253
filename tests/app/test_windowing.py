"""Window and level follow the picture's values, and the right button says what it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.tools import BY_ID
from app.workspace.windowing import RightDrag, decimals, is_windowed, right_drag, value_text
from segcore import images
from segcore.base import CLASS_PRESETS
from segcore.store import NewItem, Project

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
FLOAT = "odd/float32_nan.tif"
BRIGHT, DARK = "odd/plain.png", "nuclei/images/b6edad733399c83c.png"


@pytest.fixture
def open_pictures(
    shared_data: Path, tmp_path: Path, make_window: Callable[..., Any], qtbot: Any
) -> Callable[..., Any]:
    """Opens a project of these pictures; the first is on screen."""

    def opened(*names: str) -> Any:
        with Project.create(tmp_path / "p.maskwright", CLASS_PRESETS["binary"]) as project:
            for name in names:
                file = tmp_path / Path(name).name
                shutil.copyfile(shared_data / name, file)
                with images.open(file) as source:
                    project.add_items([NewItem(file.stem, [file], source.shape)])
        window = make_window()
        window.workspace.open_project(tmp_path / "p.maskwright")
        qtbot.waitUntil(lambda: window.workspace.image is not None, timeout=20_000)
        qtbot.waitUntil(lambda: window.canvas.is_settled, timeout=20_000)
        return window

    return opened


def drag(window: Any, button: Any) -> None:
    middle = window.canvas.rect().center()
    QTest.mousePress(window.canvas, button, pos=middle)
    for step in range(1, 5):
        QTest.mouseMove(window.canvas, middle + QPoint(9 * step, 6 * step))
    QTest.mouseRelease(window.canvas, button, pos=middle + QPoint(36, 24))


def test_a_window_of_small_numbers_is_read_and_typed(open_pictures: Any) -> None:
    window = open_pictures(FLOAT)
    w, panel = window.workspace, window.right.window_level
    low, high = w.window
    assert high - low < 2
    assert panel.isVisible()
    assert panel.width_field.text() == f"{high - low:.3f}"
    assert panel.level_field.text() == f"{(low + high) / 2:.3f}"
    assert f"W {high - low:.3f}" in window.status.window_text.text()
    field = panel.width_field
    QTest.mouseClick(field.lineEdit(), LEFT)
    QTest.keyClicks(field.lineEdit(), "0.25")
    QTest.keyClick(field.lineEdit(), Qt.Key.Key_Return)
    assert w.window[1] - w.window[0] == pytest.approx(0.25)
    assert sum(w.window) / 2 == pytest.approx((low + high) / 2, abs=1e-4)
    assert field.text() == "0.250"


def test_a_drag_of_the_histogram_moves_a_window_of_small_numbers(
    open_pictures: Any, qtbot: Any
) -> None:
    window = open_pictures(FLOAT)
    w, histogram = window.workspace, window.right.window_level.histogram
    qtbot.waitUntil(lambda: histogram._counts is not None, timeout=20_000)
    before = w.window
    at = QPoint(round(histogram._x(before[1])) - 2, 20)
    QTest.mousePress(histogram, LEFT, pos=at)
    QTest.mouseMove(histogram, at - QPoint(60, 0))
    QTest.mouseRelease(histogram, LEFT, pos=at - QPoint(60, 0))
    assert w.window[0] == before[0]
    assert before[0] < w.window[1] < before[1] - 0.05


def test_the_right_button_erases_flat_bytes_and_says_so(open_pictures: Any, qtbot: Any) -> None:
    window = open_pictures(BRIGHT)
    w = window.workspace
    assert window.status.right_drag.text() == "Right drag: erase"
    drag(window, LEFT)
    qtbot.waitUntil(lambda: bool((w.item.labels.read() > 0).any()), timeout=20_000)
    before = w.window
    drag(window, RIGHT)
    qtbot.waitUntil(lambda: not (w.item.labels.read() > 0).any(), timeout=20_000)
    assert w.window == before
    w.set_tool("fill")
    assert window.status.right_drag.text() == ""
    w.set_tool("grabcut")
    assert window.status.right_drag.text() == "Right drag: background"


def test_the_right_button_windows_what_opened_brightened_and_goes_on_doing_so(
    open_pictures: Any, qtbot: Any
) -> None:
    window = open_pictures(DARK, BRIGHT)
    w, panel = window.workspace, window.right.window_level
    for _ in range(2):
        assert panel.isVisible()
        assert window.status.right_drag.text() == "Right drag: window and level"
        before = w.window
        drag(window, RIGHT)
        assert w.window != before
        assert not (w.item.labels.read() > 0).any()
        # Also once the window is a person's, and after another item was open.
        first, other = w.queue.order
        for item in (other, first):
            w.open_item(item)
            qtbot.waitUntil(lambda item=item: w.item.id == item, timeout=20_000)


def test_volumes_are_windowed_whatever_their_depth(tmp_path: Path) -> None:
    import nibabel

    for dtype in (np.uint8, np.float32):
        values = np.linspace(0, 255, 5 * 6 * 7).reshape(7, 6, 5).astype(dtype)
        path = tmp_path / f"{np.dtype(dtype).name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
        with images.open(path) as source:
            assert is_windowed(source, images.default_window(source, automatic_contrast=True))
    cv2.imwrite(str(tmp_path / "flat.png"), values[:, :, 0].astype(np.uint8))
    with images.open(tmp_path / "flat.png") as source:
        assert not is_windowed(source, (0.0, 255.0))
        assert is_windowed(source, (3.0, 40.0))
        assert right_drag(BY_ID["brush"], windowed=False) is RightDrag.ERASE
        assert right_drag(BY_ID["pan"], windowed=False) is RightDrag.NOTHING
        assert right_drag(BY_ID["pan"], windowed=True) is RightDrag.WINDOW
        # Whole numbers get decimals only where a window is narrower than ten of them.
        assert [decimals(source, width) for width in (4000.0, 80.0, 1.5)] == [0, 0, 2]


@pytest.mark.parametrize(
    ("width", "text"), [(1.04, "−0.33"), (0.0104, "−0.3300"), (104.0, "0"), (0.0, "0")]
)
def test_values_have_the_digits_that_their_range_is_worth(
    shared_data: Path, width: float, text: str
) -> None:
    with images.open(shared_data / FLOAT) as source:
        assert value_text(-0.33, decimals(source, width)) == text
    assert value_text(-1024, 0, "HU") == "−1,024 HU"


def test_a_field_is_scrubbed_by_a_drag_and_typed_into_after_a_click(
    open_pictures: Any,
) -> None:
    window = open_pictures(FLOAT)
    w, field = window.workspace, window.right.window_level.width_field
    edit = field.lineEdit()
    for _ in range(2):
        width = w.window[1] - w.window[0]
        at = edit.rect().center()
        QTest.mousePress(edit, LEFT, pos=at)
        QTest.mouseMove(edit, at + QPoint(20, 0))
        QTest.mouseRelease(edit, LEFT, pos=at + QPoint(20, 0))
        assert w.window[1] - w.window[0] == pytest.approx(width + 0.010, abs=0.002)
    QTest.mouseClick(edit, LEFT)
    assert edit.selectedText() == field.text()
