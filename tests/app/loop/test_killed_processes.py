"""Core, refiner and trainer killed at work: the window lives, says so, and works on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from hands import CLASSES, CTRL, RIGHT, Hands
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from segcore.projects.new import NewProject, create_project
from segcore.projects.splits import HoldOut
from segcore.service.protocol import JobChanged
from segcore.train import read_run

Open = Callable[[Path], Hands]


@pytest.fixture
def large_project(tmp_path: Path, nuclei_folders: Path) -> Path:
    """One picture of 1024 x 1024, sixteen times the same: its jobs take long enough to be met."""
    for kind in ("images", "labels"):
        (tmp_path / "large" / kind).mkdir(parents=True)
        picture = np.asarray(Image.open(min((nuclei_folders / kind).iterdir())))
        many = np.tile(picture, (4, 4, *[1] * (picture.ndim - 2)))
        Image.fromarray(many).save(tmp_path / "large" / kind / "many.png")
    path = tmp_path / "large.maskwright"
    create_project(
        NewProject(
            path=path,
            images=tmp_path / "large" / "images",
            truth=tmp_path / "large" / "labels",
            classes=CLASSES,
            instances="nucleus",
            hold_out=HoldOut.parse("none"),
        )
    )
    return path


def on_screen(hands: Hands, text: str) -> bool:
    """Whether a label that a person can see now says this."""
    labels = hands.window.findChildren(QLabel)
    return any(text in shown.text() for shown in labels if shown.isVisible())


def paint_a_spot(hands: Hands, y: float, x: float) -> None:
    """Paint with the brush at once, and see it in the store."""
    hands.key(Qt.Key.Key_B)
    hands.choose_class(2)
    hands.drag([(y, x - 6), (y, x), (y, x + 6)])
    hands.settle()
    assert hands.stored()[int(y), int(x)] == 2


def test_a_core_killed_in_the_middle_of_a_prediction_is_told_of_and_replaced(
    large_project: Path, open_window: Open
) -> None:
    hands = open_window(large_project)
    jobs = hands.workspace.jobs
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: 0 < jobs.rows[0].progress < 1, seconds=120)
    killed = jobs._core.pids[0]
    psutil.Process(killed).kill()
    hands.wait(lambda: jobs.rows[0].state == "lost")
    assert on_screen(hands, "Predict many did not finish.")
    assert on_screen(hands, "The core was ended")
    # The person goes on at once, whatever the core does.
    paint_a_spot(hands, 512, 512)
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.proposal is not None, seconds=180)
    assert jobs.rows[0].state == "done"
    assert killed not in jobs._core.pids
    assert on_screen(hands, "Core ready")
    # What the person painted meanwhile is still theirs; the prediction waits beside it.
    assert hands.stored()[512, 512] == 2


def test_a_refiner_killed_in_the_middle_of_a_grabcut_is_told_of_and_replaced(
    large_project: Path, open_window: Open
) -> None:
    hands = open_window(large_project)
    jobs = hands.workspace.jobs
    hands.key(Qt.Key.Key_Q)
    hands.choose_class(2)
    killed: list[int] = []

    def kill_at_work(event: object) -> None:
        if isinstance(event, JobChanged) and event.state == "running" and not killed:
            killed.append(jobs._refiner.pids[0])
            psutil.Process(killed[0]).kill()

    jobs.heard.connect(kill_at_work)
    # Long enough that its region is not solved at once, and far below the budget of a solve.
    hands.drag([(y, 400 + y / 3) for y in range(400, 480, 10)])
    hands.wait(lambda: bool(killed))
    hands.wait(lambda: on_screen(hands, "The refiner was ended"))
    # The seeds wait; the next stroke asks the spare refiner.
    hands.drag([(y, 500) for y in range(400, 480, 10)], button=RIGHT)
    hands.wait(lambda: hands.workspace.pending is not None and not jobs._solving, seconds=90)
    assert killed[0] not in jobs._refiner.pids
    hands.key(Qt.Key.Key_Return)
    hands.settle()
    assert (hands.stored() == 2).any()
    hands.key(Qt.Key.Key_Z, CTRL)
    hands.settle()
    paint_a_spot(hands, 60, 60)


@pytest.mark.slow(reason="starts the trainer twice, at the lowest priority, until it makes steps")
def test_a_killed_trainer_is_told_of_and_resumed_from_the_window(
    nuclei_project: Path, open_window: Open
) -> None:
    hands = open_window(nuclei_project)
    paint_a_spot(hands, 128, 128)
    hands.click(hands.window.tool_bar.fine_tune)
    runs = hands.workspace.runs
    hands.wait(lambda: runs.view is not None and bool(runs.view.losses), seconds=300)
    view = runs.view
    assert view is not None
    process = read_run(view.path).process
    assert process is not None
    psutil.Process(int(process["pid"])).kill()
    hands.wait(lambda: view.state == "lost")
    assert on_screen(hands, f"{view.name} did not finish.")
    assert on_screen(hands, "Fine-tuning stopped")
    assert on_screen(hands, "Resume goes on with it")
    paint_a_spot(hands, 60, 60)
    sheet = hands.window._sheet
    hands.click(sheet.resume)
    hands.wait(lambda: view.state == "running" and view.step > 0, seconds=300)
    assert read_run(view.path).process != process
    hands.click(sheet.cancel)
    hands.wait(lambda: view.state == "cancelled", seconds=300)
