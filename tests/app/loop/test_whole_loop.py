"""The whole loop by mouse and keys: predict, correct, score, undo, reopen, refine, accept, learn,
export. What is asserted is what the store holds and what the screen shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hands import CTRL, RIGHT, SHIFT, Hands
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

Open = Callable[[Path], Hands]


def predict(hands: Hands) -> None:
    """Press Predict and wait until the mask is in the store and its score on the screen."""
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.item.state == "predicted", seconds=120)
    hands.settle()
    hands.wait(lambda: hands.shown_score() > 0)


def paint_the_largest_error(hands: Hands) -> None:
    """Choose the true class and brush over the middle of the largest wrong spot."""
    class_id, y, x, radius = hands.largest_error()
    assert class_id, "the prediction has no error to mend"
    hands.key(Qt.Key.Key_B)
    hands.choose_class(class_id)
    hands.set_brush(max(1.0, 2 * radius - 1))
    hands.drag([(y, x), (y, x + 0.2)])
    hands.settle()


def test_predicting_puts_a_mask_into_the_store_and_onto_the_screen(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    before = hands.screen()
    predict(hands)
    assert set(np.unique(hands.stored())) == {1, 2}
    assert (hands.screen() != before).any()
    assert hands.shown_score() > 0.6


def test_predicting_again_says_that_nothing_is_new_and_is_no_step(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    predict(hands)
    said: list[str] = []
    hands.workspace.message_posted.connect(lambda message: said.append(message.text))
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: "nuclei predicted the same as before" in said, seconds=120)
    hands.settle()
    item = hands.workspace.item
    assert len(item.predictions) == 1
    assert hands.workspace.proposal is None
    hands.key(Qt.Key.Key_Z, CTRL)  # the one step that there is
    hands.settle()
    assert item.state == "new"
    assert not hands.stored().any()


def test_a_dropped_proposal_that_is_predicted_again_waits_again(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    w = hands.workspace
    predict(hands)
    paint_the_largest_error(hands)
    first = w.item.id

    def ask() -> None:
        hands.click(hands.window.tool_bar.predict)
        hands.wait(lambda: w.proposal is not None, seconds=120)
        hands.settle()

    ask()
    w.drop_proposal()
    assert w.proposal is None
    ask()
    assert len(w.item.predictions) == 1
    w.step(1)
    hands.wait(lambda: w.item.id != first)
    w.step(-1)
    hands.wait(lambda: w.item.id == first)
    assert w.proposal is not None


def test_a_stroke_raises_the_score_and_undo_brings_the_old_one_back(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    predict(hands)
    before, score = hands.stored(), hands.shown_score()
    paint_the_largest_error(hands)
    hands.wait(lambda: hands.shown_score() > score)
    corrected = hands.stored()
    assert (corrected != before).any()
    hands.key(Qt.Key.Key_Z, CTRL)
    hands.settle()
    assert (hands.stored() == before).all()
    hands.wait(lambda: hands.shown_score() == pytest.approx(score, abs=1e-12))
    hands.key(Qt.Key.Key_Z, CTRL | SHIFT)
    hands.settle()
    assert (hands.stored() == corrected).all()


def test_undo_goes_on_where_it_was_after_closing_and_reopening(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    predict(hands)
    before, item = hands.stored(), hands.workspace.item.id
    paint_the_largest_error(hands)
    corrected = hands.stored()
    hands.close()
    again = open_window(nuclei_project)
    assert again.workspace.item.id == item
    assert (again.stored() == corrected).all()
    again.key(Qt.Key.Key_Z, CTRL)
    again.settle()
    assert (again.stored() == before).all()


def grabcut_a_nucleus(hands: Hands, wanted: str = "enter") -> np.ndarray:
    """Mark a nucleus and its surroundings with one stroke each; Enter takes what was found."""
    truth = hands.truth()
    instances = hands.workspace.item.truth.read(plane="instance")
    sizes = np.bincount(instances[truth == 2])
    nucleus = instances == int(sizes[1:].argmax()) + 1
    rows, columns = np.nonzero(nucleus)
    y, x = rows.mean(), columns.mean()
    half_y, half_x = np.ptp(rows) / 2, np.ptp(columns) / 2
    hands.key(Qt.Key.Key_Q)
    hands.choose_class(2)
    hands.set_brush(3)
    hands.drag([(y, x - half_x / 2), (y, x), (y, x + half_x / 2)])
    # Around it goes the second stroke, as far out as the picture allows.
    height, width = truth.shape
    ring = [
        (
            min(max(y + (half_y + 6) * np.sin(turn), 2), height - 2),
            min(max(x + (half_x + 6) * np.cos(turn), 2), width - 2),
        )
        for turn in np.linspace(0, 2 * np.pi, 25)
    ]
    hands.drag(ring, button=RIGHT)
    hands.wait(
        lambda: hands.workspace.pending is not None and not hands.workspace.jobs._solving,
        seconds=30,
    )
    hands.key(Qt.Key.Key_Return if wanted == "enter" else Qt.Key.Key_Escape)
    hands.settle()
    return nucleus


def test_grabcut_with_two_strokes_finds_the_nucleus(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    nucleus = grabcut_a_nucleus(hands)
    found = hands.stored() == 2
    overlap = (found & nucleus).sum() / (found | nucleus).sum()
    assert overlap > 0.6
    assert hands.workspace.item.state == "corrected"


def test_escape_drops_what_grabcut_found(nuclei_project: Path, open_window: Open) -> None:
    hands = open_window(nuclei_project)
    grabcut_a_nucleus(hands, wanted="escape")
    assert not hands.stored().any()
    assert hands.workspace.item.state == "new"


def test_accepting_marks_the_item_and_goes_on(nuclei_project: Path, open_window: Open) -> None:
    hands = open_window(nuclei_project)
    predict(hands)
    first = hands.workspace.item.id
    hands.key(Qt.Key.Key_D, SHIFT)
    hands.wait(lambda: hands.workspace.item.id != first)
    hands.settle()
    assert hands.workspace.project.items.by_id(first).state == "accepted"


def fine_tune(hands: Hands, steps: int) -> None:
    """Set few steps in the sheet behind the arrow, start, and wait for the end."""
    hands.workspace.settings.set("model.steps", steps)
    hands.click(hands.window.tool_bar.fine_tune)
    runs = hands.workspace.runs
    hands.wait(lambda: runs.view is not None and not runs.is_running, seconds=300)
    assert runs.view is not None
    assert runs.view.state == "done", runs.view.reason
    # The end is read beside the GUI thread, and shown a moment later.
    hands.wait(hands.window._sheet.promote.isEnabled)


def test_fine_tuning_learns_from_what_was_accepted_and_is_promoted_by_hand(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    predict(hands)
    hands.key(Qt.Key.Key_D, SHIFT)
    hands.settle()
    fine_tune(hands, steps=2)
    view = hands.workspace.runs.view
    assert view is not None
    assert [step for step, _ in view.losses][-1] == 2
    sheet = hands.window._sheet
    hands.click(sheet.promote)
    hands.wait(lambda: view.promoted)
    assert list((nuclei_project / "models").glob("*/model.safetensors"))


def export(hands: Hands, out: Path) -> dict:
    """Export what was corrected and accepted as PNG through the dialog."""
    hands.key(Qt.Key.Key_E, CTRL)
    dialog = hands.dialog()
    folder = next(f for f in dialog.findChildren(QLineEdit) if f.isVisible())
    folder.selectAll()
    from PySide6.QtTest import QTest

    QTest.keyClicks(folder, str(out))
    hands.click(hands.button(dialog, "Export"))
    hands.wait((out / "manifest.json").is_file, seconds=60)
    return dict(json.loads((out / "manifest.json").read_text(encoding="utf-8")))


def test_export_writes_the_corrected_masks_with_a_manifest(
    nuclei_project: Path, open_window: Open, tmp_path: Path
) -> None:
    hands = open_window(nuclei_project)
    grabcut_a_nucleus(hands)
    manifest = export(hands, tmp_path / "out")
    assert len(manifest["items"]) == 1
    assert "research use" in json.dumps(manifest)


def test_the_whole_loop_in_one_sitting(
    nuclei_project: Path, open_window: Open, tmp_path: Path
) -> None:
    hands = open_window(nuclei_project)
    predict(hands)
    score = hands.shown_score()
    paint_the_largest_error(hands)
    hands.wait(lambda: hands.shown_score() > score)
    corrected = hands.stored()
    hands.key(Qt.Key.Key_Z, CTRL)
    hands.settle()
    hands.key(Qt.Key.Key_Z, CTRL | SHIFT)
    hands.settle()
    assert (hands.stored() == corrected).all()
    hands.close()

    hands = open_window(nuclei_project)
    hands.key(Qt.Key.Key_Z, CTRL)
    hands.settle()
    assert (hands.stored() != corrected).any()
    grabcut_a_nucleus(hands)
    first = hands.workspace.item.id
    hands.key(Qt.Key.Key_D, SHIFT)
    hands.wait(lambda: hands.workspace.item.id != first)
    fine_tune(hands, steps=2)
    manifest = export(hands, tmp_path / "out")
    assert len(manifest["items"]) == 1
