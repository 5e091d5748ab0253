"""The scores panel where the truth has objects: as `evaluate` has them, and following a stroke."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.panels.scores import ScoresPanel
from app.workspace import Workspace
from app.workspace import scores as scores_module
from app.workspace.scores import ObjectScores
from segcore.projects.evaluating import evaluate_project
from segcore.projects.new import NewProject, create_project
from segcore.projects.splits import HoldOut
from segcore.store import Project

LEFT = Qt.MouseButton.LeftButton
STEM = "00071198d059ba7f"


@pytest.fixture
def nuclei(shared_data: Path, tmp_path: Path) -> Path:
    """One picture with 27 nuclei; the label is the truth moved by two pixels."""
    import cv2
    import numpy as np

    for name in ("images", "truth", "labels"):
        (tmp_path / name).mkdir()
    shutil.copy(shared_data / f"nuclei/images/{STEM}.png", tmp_path / "images")
    shutil.copy(shared_data / f"nuclei/labels/{STEM}.png", tmp_path / "truth")
    numbers = cv2.imread(str(tmp_path / f"truth/{STEM}.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(tmp_path / f"labels/{STEM}.png"), np.roll(numbers, 2, axis=1))
    plan = NewProject(
        path=tmp_path / "nuclei.maskwright",
        images=tmp_path / "images",
        truth=tmp_path / "truth",
        labels=tmp_path / "labels",
        instances="nucleus",
        hold_out=HoldOut(0.0),
    )
    return create_project(plan).path


def test_the_panel_shows_what_evaluate_says_and_follows_a_stroke(
    make_window: Any, nuclei: Path, qtbot: Any
) -> None:
    with Project.open(nuclei, write=False) as project:
        wanted = evaluate_project(project).to_json()
    window = make_window(nuclei)
    space: Workspace = window.workspace
    panel = window.findChild(ScoresPanel)
    qtbot.waitUntil(lambda: space.scores.objects is not None, timeout=20_000)
    assert panel._pq.isVisible()
    # Of the nuclei, which is what "found" counts; the ground around them is no object.
    things = wanted["panoptic"]["things"]["pq"]
    assert things < wanted["panoptic"]["all"]["pq"] - 0.05
    assert panel._pq.text() == f"{things:.3f}"
    assert "classes with objects" in panel._pq.toolTip()
    assert panel._pq.toolTip() == panel._found.toolTip()
    assert panel._ap50.text() == f"{wanted['instances']['ap50']:.3f}"
    found = wanted["panoptic"]["classes"][1]
    assert panel._found.text() == f"{found['matched']} of 27 found"

    # A stroke of the brush through the middle of the picture.
    before = space.scores.objects
    canvas = window.canvas
    qtbot.waitUntil(lambda: canvas.is_settled, timeout=20_000)
    QTest.keyClick(window, Qt.Key.Key_B)
    space.set_active_class(space.classes.by_value(0).id)
    start = canvas.rect().center()
    QTest.mousePress(canvas, LEFT, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(canvas, start + QPoint(20 * step, 30 * step))
    QTest.mouseRelease(canvas, LEFT, pos=start + QPoint(100, 150))
    qtbot.waitUntil(lambda: space.scores.objects != before, timeout=20_000)
    after = evaluate_project(space.project).to_json()
    assert after["panoptic"] != wanted["panoptic"]
    assert panel._pq.text() == f"{after['panoptic']['things']['pq']:.3f}"
    assert panel._ap50.text() == f"{after['instances']['ap50']:.3f}"


def test_without_objects_in_truth_the_panel_keeps_to_classes(
    open_workspace: Workspace, qtbot: Any
) -> None:
    panel = ScoresPanel(open_workspace)
    qtbot.addWidget(panel)
    panel.show()
    assert open_workspace.scores.objects is None
    assert not panel._pq.isVisible()
    assert not panel._ap50.isVisible()


def test_a_picture_that_would_take_long_is_not_compared(
    workspace: Workspace, nuclei: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores_module, "OBJECTS_UP_TO", 256 * 256 - 1)
    workspace.open_project(nuclei)
    qtbot.waitUntil(lambda: workspace.scores.has_truth, timeout=20_000)
    assert not scores_module.has_objects(workspace.item)
    monkeypatch.setattr(scores_module, "OBJECTS_UP_TO", 256 * 256)
    assert scores_module.has_objects(workspace.item)


def test_the_place_of_object_scores_is_kept_until_they_are_read(
    make_window: Any, nuclei: Path, qtbot: Any
) -> None:
    window = make_window(nuclei)
    space: Workspace = window.workspace
    panel = window.findChild(ScoresPanel)
    qtbot.waitUntil(lambda: space.scores.objects is not None, timeout=20_000)
    read = space.scores
    tall = panel.sizeHint().height()
    panel.refresh_scores(replace(read, objects=None))
    assert panel._pq.text() == panel._found.text() == ""
    assert panel.sizeHint().height() == tall
    panel.refresh_scores(read)
    assert panel._pq.text()


@pytest.mark.parametrize("text_size", [1.0, 1.3])
@pytest.mark.parametrize("width", [240, 280])
def test_no_score_is_cut_however_narrow_the_panel(
    make_window: Any, nuclei: Path, qtbot: Any, settings: Any, width: int, text_size: float
) -> None:
    settings.set("memory.panel_width", width)
    settings.set("look.text_size", text_size)
    window = make_window(nuclei)
    space: Workspace = window.workspace
    panel = window.findChild(ScoresPanel)
    qtbot.waitUntil(lambda: space.scores.objects is not None, timeout=20_000)
    changed = replace(space.scores, since_opened=-0.017, trend=(0.9, 0.883))
    panel.refresh_scores(replace(changed, objects=ObjectScores(0.7, 0.8, 1234, 1456)))
    assert panel._since.text() == "−0.017 since opened"
    shown = [part for part in panel.findChildren(QLabel) if part.isVisible() and part.text()]
    assert panel._since in shown
    assert panel._found in shown
    port = window.right._scroll.viewport()

    def cut() -> list[str]:
        return [
            part.text()
            for part in shown
            if part.width() < part.sizeHint().width()
            or part.mapTo(port, part.rect().topRight()).x() >= port.width()
        ]

    qtbot.waitUntil(lambda: not cut(), timeout=5_000)
