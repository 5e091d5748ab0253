"""From a card to a label: choose an architecture, train it on nuclei, predict, accept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hands import CTRL, SHIFT, Hands
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from segcore.projects.promotion import promoted

Open = Callable[[Path], Hands]
STEPS = 12


def accept_a_prediction(hands: Hands) -> None:
    """Predict and accept the open item: enough to learn from."""
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.item.state == "predicted", 180)
    hands.settle()
    hands.key(Qt.Key.Key_D, SHIFT)
    hands.settle()


@pytest.mark.slow(reason="measures a model, trains it and predicts, in three processes")
def test_a_card_is_chosen_trained_promoted_and_predicts(
    nuclei_project: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from app.dialogs import models

    monkeypatch.setattr(models, "_cost_file", lambda: tmp_path / "costs.json")
    hands = open_window(nuclei_project)
    accept_a_prediction(hands)
    hands.key(Qt.Key.Key_M, CTRL)
    dialog = hands.dialog()
    hands.wait(lambda: any(c.card.is_trained for c in dialog.grid.cards))
    hands.click(dialog.search)
    QTest.keyClicks(dialog.search, "enet asymmetric")
    (card,) = dialog.grid.cards
    hands.click(card)
    hands.wait(lambda: "px" in dialog.details.state.text(), 300)
    assert "0.36 M" in dialog._foot(card.card)[0]
    assert (tmp_path / "costs.json").is_file()
    hands.key(Qt.Key.Key_Return, on=card)
    sheet = hands.window._sheet
    hands.wait(sheet.start.isEnabled)
    sheet.before.recipe.steps.selectAll()
    QTest.keyClicks(sheet.before.recipe.steps, f"{STEPS}")
    hands.click(sheet.before.more_button)
    batch = sheet.before.more.fields["batch"]
    QTest.keyClicks(batch, "2")
    hands.click(sheet.start)
    runs = hands.workspace.runs
    hands.wait(lambda: runs.view is not None and runs.view.state == "done", 600)
    assert runs.view.step == STEPS
    assert len(runs.view.losses) >= 2, "the curve has its points"
    hands.wait(sheet.promote.isEnabled)
    hands.click(sheet.promote)
    project = hands.workspace.project
    hands.wait(lambda: promoted(project) == runs.view.name)
    item = hands.workspace.item
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.item.state == "predicted", 180)
    hands.settle()
    assert np.count_nonzero(hands.stored())
    hands.click(hands.window.tool_bar.accept)
    hands.wait(lambda: project.items.by_id(item.id).state == "accepted")
