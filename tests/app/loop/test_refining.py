"""A dense CRF by mouse and keys: preview, before and after, sliders, taking and dropping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import CTRL, LEFT, NONE, Hands
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import app.workspace.refine as refine_module
from app.workspace.messages import Message
from app.workspace.refine_work import Answer, Question
from segcore import metrics
from segcore.base import Rect
from segcore.edits import Stroke
from segcore.projects.crf_params import LABELS, keep_params
from segcore.projects.refining import refine_slice
from segcore.projects.witnesses import LabelWitness, confidence_layer
from segcore.refine import CrfParams

Open = Callable[[Path], Hands]


def ask(hands: Hands) -> None:
    """Ctrl+R, and wait for the answer."""
    hands.workspace.options_of("crf")["source"] = "labels"
    hands.key(Qt.Key.Key_R, CTRL)
    answered(hands)


def answered(hands: Hands, but: Any = None) -> None:
    refining = hands.workspace.refining
    hands.wait(lambda: refining.result not in (None, but) and not refining.is_working)
    hands.settle()


def origin_of_mine(hands: Hands) -> int:
    return int(hands.workspace.person_origin())


def by_hand(hands: Hands) -> np.ndarray:
    """What the library says to the same question."""
    workspace = hands.workspace
    item, labels = workspace.item, workspace.labels
    witness = LabelWitness(workspace.project.classes, labels, confidence_layer(item), 0)
    with item.open_image() as image:
        return refine_slice(image, 0, workspace.window, labels, witness, CrfParams())


def said(hands: Hands) -> list[Message]:
    """Messages from now on."""
    heard: list[Message] = []
    hands.workspace.message_posted.connect(heard.append)
    return heard


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that make jobs and edits, as they do."""
    seen: list[threading.Thread] = []
    for kind, name in ((Question, "job"), (Answer, "result")):
        real = getattr(kind, name)

        def beside(self: Any, real: Any = real) -> Any:
            seen.append(threading.current_thread())
            return real(self)

        monkeypatch.setattr(kind, name, beside)
    return seen


def test_what_is_previewed_is_what_enter_takes_in_one_step_that_undo_brings_back(
    rough_project: Path, open_window: Open, threads: list[threading.Thread]
) -> None:
    hands = open_window(rough_project)
    stored, steps = hands.stored(), len(hands.workspace.history)
    ask(hands)
    result = hands.workspace.refining.result
    shown = hands.workspace.shown_labels.read()
    assert (shown != stored).sum() == result.pixels > 500
    assert (hands.stored() == stored).all()  # nothing is taken yet
    assert len(threads) == 2
    assert threading.main_thread() not in threads
    # As the command line would: but for half floats on the way.
    assert (shown == by_hand(hands)).mean() > 0.999
    truth = hands.truth()
    ids = [1, 2]
    for change, score in ((result.dice, metrics.dice), (result.iou, metrics.iou)):
        for value, mask in ((change.before, stored), (change.after, shown)):
            wanted = metrics.mean(score(metrics.confusion_matrix(truth, mask, ids)))[0]
            assert value == pytest.approx(wanted)
    detail = hands.canvas.bar.detail.text()
    assert f"{result.pixels:,} px" in detail
    assert f"{result.dice.before:.3f}" in detail
    assert f"{result.dice.after:.3f}" in detail
    hands.key(Qt.Key.Key_Return)
    hands.wait(lambda: len(hands.workspace.history) == steps + 1)
    hands.settle()
    assert (hands.stored() == shown).all()
    assert hands.workspace.shown_labels is hands.workspace.labels
    origins = hands.workspace.labels.read(plane="origin")
    assert (origins[shown != stored] == hands.workspace.project.source("refined")).all()
    assert hands.workspace.history[-1].name == "Dense CRF"
    hands.key(Qt.Key.Key_Z, CTRL)
    hands.wait(lambda: bool((hands.stored() == stored).all()))


def test_escape_drops_the_preview_and_c_shows_the_mask_before(
    rough_project: Path, open_window: Open
) -> None:
    hands = open_window(rough_project)
    hands.canvas.cursor_painter.leave()
    stored = hands.stored()
    ask(hands)
    hands.canvas.cursor_painter.leave()
    after = hands.screen()
    QTest.keyPress(hands.canvas, Qt.Key.Key_C)
    hands.settle()
    before = hands.screen()
    assert (before != after).any()
    assert (hands.workspace.shown_labels.read() == stored).all()
    assert hands.window.right.refine.before.isChecked()
    QTest.keyRelease(hands.canvas, Qt.Key.Key_C)  # a tap: it stays
    assert hands.workspace.refining.compared
    hands.click(hands.window.right.refine.before)
    hands.settle()
    hands.canvas.cursor_painter.leave()
    assert (hands.screen() == after).all()
    hands.key(Qt.Key.Key_Escape)
    hands.settle()
    assert not hands.workspace.refining.is_open
    assert hands.workspace.pending is None
    assert hands.workspace.shown_labels is hands.workspace.labels
    assert (hands.stored() == stored).all()


def test_sliders_ask_again_when_they_rest_and_only_the_newest_answer_counts(
    rough_project: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = open_window(rough_project)
    ask(hands)
    jobs: list[Any] = []
    real = hands.workspace.jobs.ask_refiner
    monkeypatch.setattr(
        hands.workspace.jobs, "ask_refiner", lambda job: (jobs.append(job), real(job))[1]
    )
    first = hands.workspace.refining.result
    slider = hands.window.right.refine.sliders["smoothness"]
    slider.setFocus()
    for _ in range(12):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    answered(hands, but=first)
    assert 1 <= len(jobs) <= 3
    assert jobs[-1].params["smooth_weight"] == 15
    assert hands.workspace.tool_options["smoothness"] == 15
    assert hands.workspace.refining.result.pixels != first.pixels
    hands.click(hands.window.right.refine.reset)
    answered(hands, but=hands.workspace.refining.result)
    assert jobs[-1].params["smooth_weight"] == 3


def test_a_rectangle_is_refined_and_nothing_beside_it_and_nothing_of_mine(
    rough_project: Path, open_window: Open
) -> None:
    hands = open_window(rough_project)
    hands.key(Qt.Key.Key_B)
    hands.choose_class(2)
    hands.set_brush(3)
    hands.drag([(80, 60), (80, 180)])
    hands.settle()
    mine = hands.workspace.labels.read(plane="origin") == origin_of_mine(hands)
    painted = hands.stored()
    assert mine.sum() > 200
    hands.key(Qt.Key.Key_R)
    hands.workspace.options_of("crf")["source"] = "labels"
    hands.drag([(40.5, 50.5), (100, 120), (159.5, 199.5)])
    answered(hands)
    region = hands.workspace.refining.region
    assert region == Rect(40, 50, 120, 150)
    shown = hands.workspace.shown_labels.read()
    outside = np.ones(shown.shape, bool)
    outside[region.slices] = False
    assert (shown[outside] == painted[outside]).all()
    assert (shown[~outside] != painted[~outside]).any()
    assert (shown[mine] == painted[mine]).all()
    # A step of somewhere else under the preview: it is made anew, and keeps that, too.
    stroke = Stroke(0, ((128.0, 60.0), (128.0, 190.0)), 4.0, 2, origin=origin_of_mine(hands))
    first = hands.workspace.refining.result
    hands.workspace.submit(stroke)
    answered(hands, but=first)
    more = hands.workspace.labels.read(plane="origin") == origin_of_mine(hands)
    assert more.sum() > mine.sum() + 500
    assert (hands.workspace.shown_labels.read()[more] == 2).all()
    hands.workspace.set_tool_option("keep_mine", False)
    answered(hands, but=hands.workspace.refining.result)
    assert (hands.workspace.shown_labels.read()[mine] != painted[mine]).any()
    # A new rectangle takes the place of the one before, also when Esc ends it half drawn.
    QTest.mousePress(hands.canvas, LEFT, NONE, hands.place(60, 60))
    QTest.mouseMove(hands.canvas, hands.place(90, 90))
    hands.wait(lambda: not hands.workspace.refining.is_open)
    hands.key(Qt.Key.Key_Escape)
    QTest.mouseRelease(hands.canvas, LEFT, NONE, hands.place(90, 90))
    QApplication.processEvents()
    assert not hands.workspace.refining.is_open
    assert hands.workspace.pending is None


def test_a_model_is_asked_once_for_a_region_however_sliders_move(
    nuclei_project: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = open_window(nuclei_project)
    heard = said(hands)
    hands.key(Qt.Key.Key_R, CTRL)
    assert not hands.workspace.refining.is_open
    assert heard[-1].hint == "Predict it first."
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.item.state == "predicted", seconds=120)
    hands.settle()
    asked: list[Any] = []
    real = hands.workspace.jobs.ask_core
    monkeypatch.setattr(
        hands.workspace.jobs, "ask_core", lambda job: (asked.append(job), real(job))[1]
    )
    hands.key(Qt.Key.Key_R, CTRL)
    answered(hands)
    assert "from nuclei" in hands.canvas.bar.title.text()
    first = hands.workspace.refining.result
    assert first.pixels > 0
    hands.workspace.set_tool_option("appearance", 30)
    answered(hands, but=first)
    assert len(asked) == 1
    assert hands.workspace.refining.result.edit != first.edit


def test_parameters_that_were_found_are_used_until_a_slider_moves(
    rough_project: Path, open_window: Open
) -> None:
    hands = open_window(rough_project)
    found = CrfParams(appearance_weight=1.5, smooth_weight=0.5)
    keep_params(hands.workspace.project.models_dir, LABELS, found, {})
    jobs: list[Any] = []
    real = hands.workspace.jobs.ask_refiner
    hands.workspace.jobs.ask_refiner = lambda job: (jobs.append(job), real(job))[1]
    ask(hands)
    assert "tuned" in hands.canvas.bar.title.text()
    assert CrfParams.from_json(jobs[-1].params) == found
    hands.workspace.set_tool_option("appearance", 12)
    answered(hands, but=hands.workspace.refining.result)
    assert hands.workspace.tool_options["tuned"] is False
    assert jobs[-1].params["appearance_weight"] == 12
    assert "tuned" not in hands.canvas.bar.title.text()


def test_undo_another_tool_and_another_item_drop_the_preview_first(
    rough_project: Path, open_window: Open
) -> None:
    hands = open_window(rough_project)
    stored = hands.stored()
    for leave in (
        lambda: hands.key(Qt.Key.Key_Z, CTRL),
        lambda: hands.key(Qt.Key.Key_B),
        lambda: hands.key(Qt.Key.Key_D),
    ):
        ask(hands)
        leave()
        hands.settle()
        hands.wait(lambda: not hands.workspace.refining.is_open)
        assert hands.workspace.pending is None
        assert hands.workspace.shown_labels is hands.workspace.labels
    hands.key(Qt.Key.Key_A)
    hands.settle()
    hands.wait(lambda: bool((hands.stored() == stored).all()))


def test_what_cannot_be_refined_is_said_with_its_remedy(
    rough_project: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = open_window(rough_project)
    heard = said(hands)
    with monkeypatch.context() as patched:
        patched.setattr(refine_module.importlib.util, "find_spec", lambda _: None)
        hands.key(Qt.Key.Key_R, CTRL)
    assert not hands.workspace.refining.is_open
    assert "pip install pydensecrf2" in heard[-1].hint
    with monkeypatch.context() as patched:
        patched.setattr(refine_module, "MOST_PIXELS", 10_000)
        hands.key(Qt.Key.Key_R, CTRL)
    assert not hands.workspace.refining.is_open
    assert "Zoom in" in heard[-1].text
    assert hands.workspace.pending is None
    # One that takes too long is given up, and the next one answers.
    heard.clear()
    jobs = hands.workspace.jobs
    real = jobs.ask_refiner
    jobs.ask_refiner = lambda job: jobs._start_refiner().submit(job, budget_s=0.001)
    hands.workspace.options_of("crf")["source"] = "labels"
    hands.workspace.options_of("crf")["rounds"] = 20
    hands.key(Qt.Key.Key_R, CTRL)
    hands.wait(lambda: bool(heard))
    assert "took longer" in heard[-1].text
    assert not hands.workspace.refining.is_open
    QApplication.processEvents()
    jobs.ask_refiner = real
    ask(hands)
    assert hands.workspace.refining.result.pixels > 0
    # Where no model knows the classes it starts from the mask, and says why.
    monkeypatch.setattr(refine_module, "current_model", lambda _: None)
    hands.workspace.refining.drop()
    hands.workspace.options_of("crf")["source"] = "model"
    hands.key(Qt.Key.Key_R, CTRL)
    answered(hands)
    assert "from mask (no model here)" in hands.workspace.pending.title
