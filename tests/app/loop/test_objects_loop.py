"""From the card of a model that finds objects to accepted objects, chosen by score and refined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hands import CTRL, LEFT, SHIFT, Hands
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from segcore.projects.promotion import promoted

Open = Callable[[Path], Hands]
STEPS = 4
OPTIONS = "pyramid_channels=32 box_features=64 proposals=60 sampled=32 detections=40"


def predict(hands: Hands) -> None:
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.item.state == "predicted", 300)
    hands.settle()


def accept(hands: Hands) -> None:
    item = hands.workspace.item
    hands.key(Qt.Key.Key_D, SHIFT)
    hands.wait(lambda: item.state == "accepted")
    hands.settle()


@pytest.mark.slow(reason="trains a model that finds objects and predicts, in three processes")
def test_objects_are_trained_predicted_chosen_by_score_accepted_and_refined(
    nuclei_project: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("pydensecrf")
    from app.dialogs import models

    monkeypatch.setattr(models, "_cost_file", lambda: tmp_path / "costs.json")
    hands = open_window(nuclei_project)
    for _ in range(2):
        predict(hands)
        accept(hands)

    hands.key(Qt.Key.Key_M, CTRL)
    dialog = hands.dialog()
    hands.wait(lambda: any(c.card.is_trained for c in dialog.grid.cards))
    hands.click(dialog.search)
    QTest.keyClicks(dialog.search, "mask r-cnn")
    card = next(c for c in dialog.grid.cards if c.card.key == "architecture:mask_rcnn")
    hands.click(card)
    hands.key(Qt.Key.Key_Return, on=card)
    sheet = hands.window._sheet
    hands.wait(sheet.start.isEnabled)
    beginning = sheet.before.beginning
    hands.click(beginning.options)
    QTest.keyClicks(beginning.options, OPTIONS)
    sheet.before.recipe.steps.selectAll()
    QTest.keyClicks(sheet.before.recipe.steps, f"{STEPS}")
    hands.click(sheet.before.more_button)
    for name, value in (("batch", "2"), ("crop_height", "128"), ("crop_width", "128")):
        QTest.keyClicks(sheet.before.more.fields[name], value)
    hands.click(sheet.start)
    runs = hands.workspace.runs
    hands.wait(lambda: runs.view is not None and runs.view.state == "done", 600)
    assert len(runs.view.losses) >= 2, "the curve has its points"
    hands.wait(sheet.promote.isEnabled)
    hands.click(sheet.promote)
    project = hands.workspace.project
    hands.wait(lambda: promoted(project) == runs.view.name)

    # The item may stand as predicted already: the model before was asked ahead.
    predict(hands)
    item, panel = hands.workspace.item, hands.window.right.objects
    hands.wait(panel.isVisible, 300)
    hands.settle()
    score = hands.workspace.object_score
    assert score.total > 0
    # So few steps are sure of nothing: the objects are there, and a lower score brings them.
    panel.slider.setFocus()
    for _ in range(20):
        hands.key(Qt.Key.Key_PageDown, on=panel.slider)
    hands.wait(lambda: len(item.instances) == score.kept == score.total)
    assert len(np.unique(item.labels.read(plane="instance"))) - 1 == score.total
    QTest.mouseClick(panel.slider, LEFT)
    hands.wait(lambda: len(item.instances) == score.kept < score.total)
    # Keys are heard by the window that is active, which was the dialog.
    hands.window.activateWindow()
    hands.wait(hands.window.isActiveWindow)
    accept(hands)
    assert all((row.score or 0) >= score.score for row in item.instances.values())

    hands.workspace.open_item(item.id)
    hands.wait(lambda: hands.workspace.item.id == item.id)
    hands.settle()
    hands.workspace.options_of("crf")["source"] = "labels"
    before = hands.stored()
    hands.key(Qt.Key.Key_R, CTRL)
    refining = hands.workspace.refining
    hands.wait(lambda: refining.result is not None and not refining.is_working)
    changed = refining.result.pixels
    hands.key(Qt.Key.Key_Return)
    hands.settle()
    assert np.count_nonzero(hands.stored() != before) == changed
