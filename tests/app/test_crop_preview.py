"""The preview in the sheet: crops as the network will see them, for the settings as they stand."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QToolTip

from app.panels.crops import CropGrid
from app.panels.training import TrainingPanel
from app.workspace import Workspace
from app.workspace.crops import COUNT
from segcore.base import MaskwrightError
from segcore.edits import SetState
from segcore.service.protocol import CropsMade, JobChanged, MakeCrops

LEFT = Qt.MouseButton.LeftButton


class Core:
    """Takes questions as the core does; the test answers them."""

    def __init__(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace = workspace
        self.asked: list[MakeCrops] = []
        self.forgotten: list[int] = []
        monkeypatch.setattr(workspace.jobs, "ask_core", self._ask)
        monkeypatch.setattr(workspace.jobs, "forget_question", self.forgotten.append)

    def _ask(self, job: Any) -> int:
        assert isinstance(job, MakeCrops)
        assert (Path(job.run_dir) / "data" / "items.json").is_file()
        self.asked.append(job)
        return 1000 + len(self.asked)

    def answer(self, level: int = 100, number: int = 0, size: tuple[int, int] = (32, 40)) -> None:
        """Answer a question, the last one unless told: crops half of which are not learned."""
        number = number or 1000 + len(self.asked)
        classes = np.ones((COUNT, *size), np.uint16)
        classes[:, : size[0] // 2] = 0
        made = CropsMade(
            number, "crops", np.full((COUNT, *size, 3), level, np.uint8), classes,
            np.zeros((0, 0, 0), np.int32),
            tuple(f"scene {n}" for n in range(COUNT)), (False, True) * (COUNT // 2),
        )  # fmt: skip
        self.workspace.jobs.heard.emit(made)
        self.workspace.jobs.heard.emit(JobChanged(number, "crops", "done", 1.0))


@pytest.fixture
def core(open_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Core:
    from segcore.service import measuring

    class Still:
        def __init__(self, *_: Any) -> None: ...
        def start(self) -> None: ...
        def cancel(self, wait: float = 0.0) -> None: ...

    monkeypatch.setattr(measuring, "Measurement", Still)
    return Core(open_workspace, monkeypatch)


@pytest.fixture
def panel(open_workspace: Workspace, core: Core, qtbot: Any) -> TrainingPanel:
    project = open_workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    made = TrainingPanel(open_workspace)
    qtbot.addWidget(made)
    made.resize(400, 900)
    made.show()
    qtbot.waitUntil(lambda: len(core.asked) == 1, timeout=60_000)
    return made


def grid(panel: TrainingPanel) -> CropGrid:
    return panel.before.crops.grid


def grey(panel: TrainingPanel, share: float) -> int:
    """The red of a pixel in the first crop, so far down."""
    shown = grid(panel).grab().toImage()
    place = grid(panel).places()[0]
    ratio = shown.width() / grid(panel).width()
    y = int((place.top() + share * place.height()) * ratio)
    return shown.pixelColor(int(place.center().x() * ratio), y).red()


def test_the_sheet_shows_crops_with_the_settings_as_they_stand(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    asked = core.asked[0]
    assert asked.settings["seed"] == 0
    assert (asked.first, asked.count) == (0, COUNT)
    assert not grid(panel).places(), "words first"
    core.answer()
    assert len(grid(panel).places()) >= 4
    assert panel.before.crops.legend.isVisible()
    assert panel.before.crops.legend.text() == "40 x 32 px; hatched: not learned from"
    places = grid(panel).places()
    assert all(place.right() <= grid(panel).width() for place in places)
    assert places[-1].bottom() <= grid(panel).height()


def test_without_anything_to_learn_the_preview_is_one_line(
    open_workspace: Workspace, core: Core, qtbot: Any
) -> None:
    made = TrainingPanel(open_workspace)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.before.found is not None, timeout=20_000)
    assert not made.before.crops.grid.isVisible()
    assert "something to learn from" in made.before.crops.legend.text()
    assert not made.before.crops.others.isEnabled()
    assert "No crops are shown yet" in made.before.crops.others.toolTip()
    assert not core.asked


def test_the_preview_follows_the_fields_and_keeps_the_old_crops_meanwhile(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    core.answer()
    qtbot.mouseClick(panel.before.more_button, LEFT)
    fields = panel.before.more.fields
    rotate, colour = fields["rotate"], fields["colour"]
    assert isinstance(rotate, QLineEdit)
    assert isinstance(colour, QComboBox)
    qtbot.keyClicks(rotate, "15")
    assert grid(panel).places(), "the crops stay until there are others"
    qtbot.waitUntil(lambda: len(core.asked) == 2)
    assert core.asked[1].settings["rotate"] == 15.0
    assert core.asked[1].run_dir == core.asked[0].run_dir, "one sample for all settings"
    core.answer()
    colour.setCurrentText("none")
    qtbot.waitUntil(lambda: len(core.asked) == 3)
    assert core.asked[2].settings["colour"] == "none"
    panel.before.recipe.steps.setValue(777)
    QTest.qWait(300)
    assert len(core.asked) == 3, "the length changes no crop"


def test_show_others_draws_anew(panel: TrainingPanel, core: Core, qtbot: Any) -> None:
    core.answer(50)
    before = grey(panel, 0.9)
    button = panel.before.crops.others
    qtbot.mouseClick(button, LEFT)
    assert core.asked[1].first == 1
    core.answer(150)
    assert grey(panel, 0.9) != before
    panel.before.more.fields["batch"].setText("2")
    qtbot.waitUntil(lambda: len(core.asked) == 3)
    core.answer()
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert core.asked[3].first == core.asked[2].first + COUNT // 2, "past all that were shown"


def test_a_late_answer_to_an_older_question_is_dropped(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    panel.before.more.fields["flip"].setText("1")
    qtbot.waitUntil(lambda: len(core.asked) == 2)
    core.answer(10, number=1001)
    assert not panel._workspace.runs.crops.rows
    core.answer(200)
    assert panel._workspace.runs.crops.rows[0].image[0, 0, 0] == 200


def test_the_fill_of_the_look_is_that_of_the_crops(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    core.answer()
    workspace = panel._workspace
    colour = next(c for c in workspace.classes.active if int(c.id) == 1).rgb
    for fill in (0.0, 1.0):
        workspace.set_fill(fill)
        expected = 100 + fill * (colour[0] - 100)
        assert abs(grey(panel, 0.9) - expected) <= 1


def test_an_error_is_one_sentence_and_the_next_setting_may_be_right(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    core.answer()
    panel.before.more.fields["flip"].setText("1")
    qtbot.waitUntil(lambda: len(core.asked) == 2)
    reason = "The picture has changed. Make the run again."
    core.workspace.jobs.heard.emit(JobChanged(1002, "crops", "failed", 0.0, reason))
    assert not grid(panel).places()
    assert grid(panel).accessibleDescription() == reason
    assert panel.start.isEnabled(), "Start never waits for a preview"
    panel.before.more.fields["flip"].setText("0.2")
    qtbot.waitUntil(lambda: len(core.asked) == 3)
    core.answer()
    assert grid(panel).places()


def test_nothing_is_asked_where_a_field_is_wrong(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    core.answer()
    panel.before.more.fields["blur"].setText("99")
    QTest.qWait(300)
    assert len(core.asked) == 1
    assert grid(panel).places()


def test_a_folded_preview_costs_nothing_and_stays_folded(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    core.answer()
    sample = Path(core.asked[0].run_dir)
    qtbot.mouseClick(panel.before.crops.header, LEFT, pos=QPoint(12, 12))
    assert not grid(panel).isVisible()
    assert not sample.exists(), "its sample is gone"
    panel.before.more.fields["flip"].setText("1")
    QTest.qWait(300)
    assert len(core.asked) == 1
    assert "crops" in panel._workspace.settings.get("memory.folded")
    qtbot.mouseClick(panel.before.crops.header, LEFT, pos=QPoint(12, 12))
    qtbot.waitUntil(lambda: len(core.asked) == 2, timeout=60_000)


def test_closing_the_sheet_gives_up_the_question_and_the_sample(
    panel: TrainingPanel, core: Core, qtbot: Any
) -> None:
    sample = Path(core.asked[0].run_dir)
    panel.hide()
    assert core.forgotten == [1001]
    assert not sample.parent.exists()
    core.answer()
    assert not panel._workspace.runs.crops.rows


def test_closing_the_project_waits_for_the_thread_that_reads_it(
    open_workspace: Workspace, core: Core, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from segcore.projects import training

    reading, ended = threading.Event(), threading.Event()
    folders: list[Path] = []

    def slowly(project: Any, wanted: Any, folder: Path, most: int) -> None:
        folders.append(folder)
        reading.set()
        threading.Event().wait(0.3)
        ended.set()

    monkeypatch.setattr(training, "prepare_sample", slowly)
    preview = open_workspace.runs.crops
    preview.ask(open_workspace.project, lambda: None, "key", {})  # type: ignore[arg-type, return-value]
    qtbot.waitUntil(reading.is_set)
    open_workspace.close_project()
    assert ended.is_set()
    assert not preview.is_running
    qtbot.waitUntil(lambda: not folders[0].parent.exists())
    assert not core.asked


def test_what_cannot_be_frozen_is_said(
    open_workspace: Workspace, core: Core, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from segcore.projects import training

    def refuse(*_: Any) -> None:
        raise MaskwrightError("i7 is missing.", "Find the file.")

    monkeypatch.setattr(training, "prepare_sample", refuse)
    preview = open_workspace.runs.crops
    preview.ask(open_workspace.project, lambda: None, "key", {})  # type: ignore[arg-type, return-value]
    qtbot.waitUntil(lambda: preview.error == "i7 is missing. Find the file.")
    assert not preview.is_running


def test_the_tooltip_of_a_crop_names_its_item(panel: TrainingPanel, core: Core) -> None:
    core.answer()
    at = grid(panel).places()[1].center().toPoint()
    event = QHelpEvent(QEvent.Type.ToolTip, at, grid(panel).mapToGlobal(at))
    QApplication.sendEvent(grid(panel), event)
    assert QToolTip.text() == "scene 1, learned before"


@pytest.mark.parametrize(("width", "height"), [(280, 640), (400, 1000)])
@pytest.mark.parametrize("size", [(256, 320), (288, 288), (96, 512), (512, 96)])
def test_crops_of_any_shape_lie_within_the_sheet(
    panel: TrainingPanel, core: Core, width: int, height: int, size: tuple[int, int], qtbot: Any
) -> None:
    panel.resize(width, height)
    core.answer(size=size)
    QApplication.processEvents()
    places = grid(panel).places()
    assert places
    assert panel.width() == width, "nothing pushes the sheet wider"
    for place in places:
        assert grid(panel).rect().contains(place.toAlignedRect())
        assert abs(place.width() / place.height() - size[1] / size[0]) < 0.1 * size[1] / size[0]
    assert grid(panel).height() <= height / 3


def test_real_crops_come_from_the_real_core(open_workspace: Workspace, qtbot: Any) -> None:
    w = open_workspace
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    from app.workspace.runs import new_run

    settings = {"batch": 2, "crop_height": 64, "crop_width": 96, "scale_low": 1.0}
    settings |= {"scale_high": 1.0, "flip": 0.0, "colour": "none"}
    preview = w.runs.crops
    preview.ask(w.project, lambda: new_run(w.project, settings), "small", settings)
    qtbot.waitUntil(lambda: not preview.is_running, timeout=120_000)
    assert preview.error == ""
    assert len(preview.rows) == COUNT
    truth = w.project.items[0].labels.read()
    for row in preview.rows:
        assert row.image.shape == (64, 96, 3)
        assert row.name == w.project.items[0].name
        windows = np.lib.stride_tricks.sliding_window_view(truth, (64, 96))
        first = windows[..., 0, 0] == row.classes[0, 0]
        assert any((windows[y, x] == row.classes).all() for y, x in np.argwhere(first)), (
            "a crop's classes are a part of the item's"
        )
