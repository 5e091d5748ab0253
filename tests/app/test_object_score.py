"""The score slider: which predicted objects are shown, kept and taken, with mouse and keys."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QStyle, QStyleOptionSlider

from segcore.edits import Stroke
from segcore.projects.new import NewProject, create_project
from segcore.projects.splits import HoldOut
from segcore.store import ObjectFacts, Project

LEFT = Qt.MouseButton.LeftButton
STEM = "00071198d059ba7f"
DEFAULT = 0.5


class Desk:
    """A window on a picture of nuclei whose prediction is the truth's objects with scores."""

    def __init__(self, make_window: Callable[..., Any], path: Path, qtbot: Any) -> None:
        self.qtbot = qtbot
        with Project.open(path) as project:
            self.store(project, "finder")
        self.window = make_window(path)
        self.workspace = self.window.workspace
        self.panel = self.window.right.objects
        self.score = self.workspace.object_score

    def store(self, project: Project, name: str) -> Any:
        (item,) = project.items
        assert item.truth is not None
        numbers = item.truth.read(plane="instance")
        self.ids = np.unique(numbers)[1:].tolist()
        self.found: NDArray[np.uint32] = np.searchsorted([0, *self.ids], numbers).astype(np.uint32)
        self.scores = np.linspace(0.95, 0.1, len(self.ids)).round(4).tolist()
        thing = next(c.id for c in project.classes if c.thing)
        self.thing, self.ground = int(thing), int(item.truth.read()[numbers == 0][0])
        ground = np.full(numbers.shape, self.ground, np.uint16)
        classes, instances = self.expected(DEFAULT)
        facts = {
            k: ObjectFacts(score, class_id=self.thing) for k, score in enumerate(self.scores, 1)
        }
        layer = project.store_prediction(
            item, name, name, classes, instances=instances, found=self.found, ground=ground,
            facts=facts,
        )  # fmt: skip
        self.adopted = project.adopt(item, layer) is not None
        return layer

    def expected(self, least: float) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
        good = np.array([False, *(score >= least for score in self.scores)])
        numbers = np.where(good[self.found], self.found, np.uint32(0))
        return np.where(numbers > 0, self.thing, self.ground).astype(np.uint16), numbers

    def count(self, least: float) -> str:
        kept = sum(score >= least for score in self.scores)
        return f"{kept} of {len(self.scores)} objects from finder"

    def handle(self) -> QPoint:
        slider, option = self.panel.slider, QStyleOptionSlider()
        slider.initStyleOption(option)
        rect = slider.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider
        )
        return rect.center()

    def drag(self, by: int) -> None:
        """Take the handle and move it; it is not let go of."""
        at = self.handle()
        QTest.mousePress(self.panel.slider, LEFT, pos=at)
        QTest.mouseMove(self.panel.slider, at + QPoint(by, 0))

    def let_go(self) -> None:
        QTest.mouseRelease(self.panel.slider, LEFT, pos=self.handle())

    def shown(self) -> NDArray[np.uint16]:
        classes: NDArray[np.uint16] = self.workspace.shown_labels.read()
        return classes

    def wait_shown(self, least: float) -> None:
        wanted = self.expected(least)[0]
        self.qtbot.waitUntil(lambda: np.array_equal(self.shown(), wanted), timeout=20_000)

    def wait_stored(self, least: float) -> None:
        wanted = self.expected(least)[0]
        labels = self.workspace.item
        self.qtbot.waitUntil(lambda: np.array_equal(labels.labels.read(), wanted), timeout=20_000)
        self.qtbot.waitUntil(lambda: self.workspace.waiting_strokes == 0, timeout=20_000)

    def steps(self) -> list[str]:
        history = self.workspace.project.scribe.history(self.workspace.item.id)
        return [row.name for row in history if row.state == "done"]


@pytest.fixture
def path(shared_data: Path, tmp_path: Path) -> Path:
    for name in ("images", "truth"):
        (tmp_path / name).mkdir()
    shutil.copy(shared_data / f"nuclei/images/{STEM}.png", tmp_path / "images")
    numbers = cv2.imread(str(shared_data / f"nuclei/labels/{STEM}.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(tmp_path / f"truth/{STEM}.png"), numbers)
    plan = NewProject(
        path=tmp_path / "nuclei.maskwright",
        images=tmp_path / "images",
        truth=tmp_path / "truth",
        instances="nucleus",
        hold_out=HoldOut(0.0),
    )
    return create_project(plan).path


@pytest.fixture
def desk(make_window: Callable[..., Any], path: Path, qtbot: Any) -> Desk:
    made = Desk(make_window, path, qtbot)
    assert made.adopted
    return made


def test_a_drag_shows_at_once_and_is_one_step_when_it_is_let_go(desk: Desk) -> None:
    w = desk.workspace
    assert desk.panel.isVisible()
    assert desk.panel.count.text() == desk.count(DEFAULT)
    assert desk.panel.slider.value() == 50
    before = w.item.labels.read()
    desk.drag(20)
    first = desk.score.score
    assert first > DEFAULT
    desk.drag(10)
    least = desk.score.score
    assert least > first
    desk.wait_shown(least)
    assert desk.panel.count.text() == desk.count(least)
    assert np.array_equal(w.item.labels.read(), before), "nothing is changed while it moves"
    desk.let_go()
    desk.wait_stored(least)
    assert desk.steps()[1:] == [f"Objects from {least:.2f}"]
    assert w.item.state == "predicted"
    assert len(w.item.instances) == sum(score >= least for score in desk.scores)
    desk.qtbot.waitUntil(lambda: desk.score.shown is None, timeout=20_000)
    assert desk.panel.slider.value() == round(100 * least)
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.wait_stored(DEFAULT)
    desk.qtbot.waitUntil(lambda: desk.panel.slider.value() == 50, timeout=20_000)


def test_objects_that_were_left_out_by_the_model_come_with_a_lower_score(desk: Desk) -> None:
    desk.drag(-40)
    least = desk.score.score
    assert least < DEFAULT
    desk.let_go()
    desk.wait_stored(least)
    assert np.array_equal(
        desk.workspace.item.labels.read(plane="instance") > 0, desk.expected(least)[1] > 0
    )


def test_keys_move_it_and_are_one_step_once_they_rest(desk: Desk) -> None:
    desk.panel.slider.setFocus()
    for _ in range(3):
        QTest.keyClick(desk.panel.slider, Qt.Key.Key_PageUp)
    least = desk.score.score
    assert least == pytest.approx(0.65)
    desk.wait_stored(least)
    assert desk.steps()[1:] == ["Objects from 0.65"]


def test_a_choice_stands_though_an_earlier_ones_step_is_heard_later(desk: Desk) -> None:
    w = desk.workspace
    between = (desk.scores[3] + desk.scores[4]) / 2  # no round score tells these two apart
    for least in (0.2, between):
        desk.score.look(least)
        desk.score.settle()  # the second before the first one's step is heard of
    desk.wait_stored(between)
    desk.qtbot.waitUntil(lambda: len(w.history) == 3, timeout=20_000)
    assert desk.score.score == between
    assert desk.score.shown is None


def test_what_is_chosen_is_what_is_accepted_though_the_slider_has_not_rested(desk: Desk) -> None:
    desk.panel.slider.setFocus()
    QTest.keyClick(desk.panel.slider, Qt.Key.Key_PageUp)
    desk.window.actions_set.run("queue.accept")
    w = desk.workspace
    desk.qtbot.waitUntil(lambda: w.item.state == "accepted", timeout=20_000)
    desk.wait_stored(0.55)
    assert desk.steps()[1:] == ["Objects from 0.55", "Accept"]


def test_scores_against_truth_follow_the_choice(desk: Desk) -> None:
    w = desk.workspace
    desk.qtbot.waitUntil(lambda: w.scores.objects is not None, timeout=20_000)
    before = w.scores.objects.found
    desk.drag(-200)
    desk.let_go()
    desk.qtbot.waitUntil(lambda: w.scores.objects.found > before, timeout=20_000)
    assert w.scores.objects.found == len(desk.scores)
    assert w.scores.mean_iou == pytest.approx(1.0)


def test_after_a_stroke_it_says_why_it_stands_still(desk: Desk) -> None:
    w = desk.workspace
    assert desk.panel.slider.isEnabled()
    stroke = Stroke(0, ((20.5, 20.5),), 4, desk.thing, origin=w.person_origin(), name="Brush")
    w.submit(stroke)
    desk.qtbot.waitUntil(lambda: not desk.panel.slider.isEnabled(), timeout=20_000)
    assert "You have worked on this mask" in desk.panel.slider.toolTip()
    w.undo()
    desk.qtbot.waitUntil(desk.panel.slider.isEnabled, timeout=20_000)


def test_a_proposal_is_taken_with_the_objects_of_the_chosen_score(desk: Desk) -> None:
    w = desk.workspace
    stroke = Stroke(0, ((20.5, 20.5),), 4, desk.thing, origin=w.person_origin(), name="Brush")
    w.submit(stroke)
    desk.qtbot.waitUntil(lambda: w.waiting_strokes == 0, timeout=20_000)
    layer = desk.store(w.project, "finder")
    assert not desk.adopted
    w.show_prediction(layer, proposal=True)
    assert desk.panel.slider.isEnabled()
    desk.drag(25)
    least = desk.score.score
    desk.let_go()
    assert w.view_mode == "model"
    desk.wait_shown(least)
    assert desk.panel.count.text() == desk.count(least)
    assert desk.steps()[-1] == "Brush", "a proposal is changed by nothing but taking it"
    QTest.mouseClick(desk.window.overlays.bar.take.main, LEFT)
    desk.wait_stored(least)
    drawn = np.unique(w.item.labels.read(plane="instance"))[1:]
    assert len(drawn) == sum(score >= least for score in desk.scores)
    assert all((w.item.instances[int(number)].score or 0) >= least for number in drawn)


def test_without_objects_of_a_model_there_is_no_slider(
    make_window: Callable[..., Any], project_path: Path
) -> None:
    window = make_window(project_path)
    assert not window.right.objects.isVisible()
