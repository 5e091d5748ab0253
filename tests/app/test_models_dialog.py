"""Models as cards: chosen by mouse and keys, measured one at a time, and trained."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QWidget

from app.dialogs import models as dialog_file
from app.dialogs.model_cards import CardWidget
from app.dialogs.model_facts import architecture_cards, model_card
from app.dialogs.models import ModelsDialog
from app.workspace.job import JobRow
from app.workspace.models import Beginning, TrainedModel, trained_models
from segcore.base import MaskwrightError
from segcore.edits import SetState
from segcore.models import architecture, architectures
from segcore.models.built_in import BUILT_IN
from segcore.models.costs import ModelCost
from segcore.models.spec import TENSORS
from segcore.projects.modelling import describe_model
from segcore.projects.promotion import prefer, promoted
from segcore.service.protocol import JobChanged, ModelMeasured
from segcore.train.recipe import describe

LEFT = Qt.MouseButton.LeftButton
Make = Callable[..., Any]
COST = ModelCost(5_198_306, 75_766_936, 4.04, 512, "CPU, 2 threads", "At hand")


class Core:
    """Stands for the core: takes questions and is told by the test what to answer."""

    def __init__(self, jobs: Any) -> None:
        self.jobs = jobs
        self.asked: list[Any] = []
        self.cancelled: list[int] = []

    def ask(self, job: Any) -> int:
        self.asked.append(job)
        return len(self.asked)

    def answer(self, cost: ModelCost = COST) -> None:
        number, job = len(self.asked), self.asked[-1]
        known = {json.dumps(job.question, sort_keys=True): cost.to_json()}
        self.jobs.heard.emit(ModelMeasured(number, job.key, cost.to_json(), known))
        self.jobs.heard.emit(JobChanged(number, job.key, "done", 1.0))

    def fail(self, reason: str) -> None:
        self.jobs.heard.emit(JobChanged(len(self.asked), "measure-model", "failed", 0.0, reason))


@pytest.fixture
def window(make_window: Make, project_path: Path) -> Any:
    shutil.copytree(BUILT_IN / "nuclei", project_path / "models" / "mine 1")
    return make_window(project_path)


@pytest.fixture
def core(window: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Core:
    made = Core(window.workspace.jobs)
    monkeypatch.setattr(made.jobs, "ask_core", made.ask)
    monkeypatch.setattr(made.jobs, "forget_question", made.cancelled.append)
    monkeypatch.setattr(dialog_file, "_cost_file", lambda: tmp_path / "costs.json")
    return made


@pytest.fixture
def dialog(window: Any, core: Core, qtbot: Any) -> Iterator[ModelsDialog]:
    window.actions_set.run("model.cards")
    (made,) = window.findChildren(ModelsDialog)
    qtbot.waitUntil(lambda: any(c.card.is_trained for c in made.grid.cards), timeout=20_000)
    yield made
    if window.findChildren(ModelsDialog):
        made.close()


def card(dialog: ModelsDialog, key: str) -> CardWidget:
    return next(c for c in dialog.grid.cards if c.card.key == key)


def texts(widget: QWidget) -> list[str]:
    return [shown.text() for shown in widget.findChildren(QLabel) if shown.isVisibleTo(widget)]


def click(dialog: ModelsDialog, key: str) -> None:
    found = card(dialog, key)
    dialog.area.ensureWidgetVisible(found)
    QTest.mouseClick(found, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(20, 20))


def test_there_is_a_card_for_every_architecture_and_every_trained_model(
    dialog: ModelsDialog,
) -> None:
    keys = [c.card.key for c in dialog.grid.cards]
    assert {f"architecture:{name}" for name in architectures()} < set(keys)
    assert keys[:3] == ["model:mine 1", "model:nuclei", "model:retina"]


def test_a_click_shows_what_an_architecture_is(dialog: ModelsDialog) -> None:
    click(dialog, "architecture:deeplabv3plus")
    row = architecture("deeplabv3plus")
    said = texts(dialog.details)
    assert {"DeepLabv3+", row.idea, "2018", "Semantic", row.licence} <= set(said)
    assert any(row.paper in text for text in said)
    assert dialog.details.encoder.value == row.encoder
    assert dialog.main_button.text() == "Train this"


def test_a_trained_model_shows_its_own_description(dialog: ModelsDialog) -> None:
    click(dialog, "model:mine 1")
    said = texts(dialog.details)
    assert {"0.893 on 71 held-out items", "background, nucleus", "150 items"} <= set(said)
    assert any(text.startswith("BSD-3-Clause") for text in said)
    digest = dialog.card.model.digest
    assert len(digest) == 64
    assert digest[:12] in said
    assert not dialog.details.encoder.isVisible()


def test_arrows_go_as_the_cards_lie_and_enter_opens_the_sheet_with_the_card(
    window: Any, dialog: ModelsDialog
) -> None:
    click(dialog, "architecture:unet")
    order = [c.card.key for c in dialog.grid.cards]
    QTest.keyClick(dialog.grid.current, Qt.Key.Key_Right)
    assert dialog.card.key == order[order.index("architecture:unet") + 1]
    here = dialog.grid.current
    QTest.keyClick(here, Qt.Key.Key_Down)
    assert dialog.grid.current.x() == here.x()
    assert dialog.grid.current.y() > here.y()
    QTest.keyClick(dialog.grid.current, Qt.Key.Key_Up)
    assert dialog.grid.current is here
    QTest.keyClick(here, Qt.Key.Key_Home)
    assert dialog.card.key == order[0]
    QTest.keyClick(dialog.grid.current, Qt.Key.Key_End)
    last = dialog.card
    assert last.key == order[-1]
    QTest.keyClick(dialog.grid.current, Qt.Key.Key_Return)
    assert not dialog.isVisible()
    assert window._sheet.isVisible()
    begun = window._sheet.before.beginning.value()
    assert begun == Beginning(architecture=last.architecture, encoder=last.encoder)


def test_train_this_takes_the_encoder_along(window: Any, dialog: ModelsDialog) -> None:
    click(dialog, "architecture:fpn")
    line = dialog.details.encoder.line
    line.selectAll()
    QTest.keyClicks(line, "resnet18")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert dialog.details.encoder.value == "resnet18"
    assert dialog.isVisible(), "Enter in the field is no press on the main button"
    QTest.mouseClick(dialog.main_button, LEFT)
    begun = window._sheet.before.beginning.value()
    assert begun == Beginning(architecture="fpn", encoder="resnet18")


def test_words_and_tasks_narrow_the_cards(dialog: ModelsDialog) -> None:
    QTest.mouseClick(dialog.search, LEFT)
    QTest.keyClicks(dialog.search, "pyramid")
    found = {c.card.key for c in dialog.grid.cards}
    assert "architecture:upernet" in found
    assert "architecture:enet" not in found
    dialog.search.clear()
    QTest.keyClicks(dialog.search, "zebra")
    assert dialog.grid.cards == []
    assert dialog.none.isVisible()
    assert not dialog.main_button.isEnabled()
    dialog.search.clear()
    QTest.keyClick(dialog.task, Qt.Key.Key_Right)
    QTest.keyClick(dialog.task, Qt.Key.Key_Right)
    tasks = {c.card.tasks for c in dialog.grid.cards}
    assert tasks
    assert all("instances" in held for held in tasks)


def test_only_the_chosen_card_is_measured_and_only_once_it_has_rested(
    dialog: ModelsDialog, core: Core, qtbot: Any
) -> None:
    for key in ("architecture:fcn", "architecture:unet", "architecture:enet"):
        click(dialog, key)
    assert "Measuring…" in texts(dialog.details)
    qtbot.waitUntil(lambda: bool(core.asked))
    (job,) = core.asked
    assert job.question["architecture"] == "enet"
    assert job.question["classes"] == len(dialog._workspace.classes.scored)
    core.answer()
    said = texts(dialog.details)
    assert {"5.2 M", "76 MB", "4.0 s", "At hand."} <= set(said)
    assert "Measuring…" not in said
    assert dialog._foot(card(dialog, "architecture:enet").card)[0] == "5.2 M   76 MB   4.0 s/MP"
    click(dialog, "architecture:unet")
    click(dialog, "architecture:enet")
    assert "5.2 M" in texts(dialog.details), "what is known is not asked again"


def test_a_measurement_is_cancelled_by_its_button_and_taken_up_again(
    dialog: ModelsDialog, core: Core, qtbot: Any
) -> None:
    click(dialog, "architecture:unet")
    qtbot.waitUntil(lambda: bool(core.asked))
    assert dialog.details.cancel.isVisible()
    QTest.mouseClick(dialog.details.cancel, LEFT)
    assert core.cancelled == [1]
    assert "Not measured" in texts(dialog.details)
    core.jobs.heard.emit(JobChanged(1, "measure-model", "cancelled", 0.0, "Cancelled."))
    QTest.mouseClick(dialog.details.again, LEFT)
    qtbot.waitUntil(lambda: len(core.asked) == 2)
    core.fail("The memory is too small.")
    assert "Not measured. The memory is too small." in texts(dialog.details)


def test_another_card_and_the_end_of_the_dialog_cancel_what_is_measured(
    dialog: ModelsDialog, core: Core, qtbot: Any
) -> None:
    click(dialog, "architecture:unet")
    qtbot.waitUntil(lambda: bool(core.asked))
    click(dialog, "architecture:enet")
    assert core.cancelled == [1]
    qtbot.waitUntil(lambda: len(core.asked) == 2)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert core.cancelled == [1, 2]


def test_a_trained_models_card_says_which_engines_agree(
    dialog: ModelsDialog, core: Core, qtbot: Any
) -> None:
    click(dialog, "model:nuclei")
    said = texts(dialog.details)
    verdict = said[said.index("OpenVINO float32") + 1]
    assert verdict.startswith("Agrees: 0.00% of pixels differ, mIoU moves 0.00")
    qtbot.waitUntil(lambda: bool(core.asked))
    core.answer(replace(COST, engine="openvino-f32"))
    assert "CPU, 2 threads, OpenVINO float32, tile of 512 px" in texts(dialog.details)


def test_a_model_that_was_never_compared_is_computed_by_torch(project_path: Path) -> None:
    about = describe_model(BUILT_IN / "nuclei") | {"engines": {}}
    made = model_card(TrainedModel("old", project_path, about))
    assert [f.value for f in made.facts if f.name == "Computed by"] == ["torch float32"]


def test_a_prediction_goes_before_a_measurement(
    dialog: ModelsDialog, core: Core, qtbot: Any
) -> None:
    click(dialog, "architecture:unet")
    qtbot.waitUntil(lambda: bool(core.asked))
    core.jobs._rows[99] = JobRow(99, "Predict a street", "1", "running", started=1.0)
    dialog._workspace.jobs_changed.emit()
    assert core.cancelled == [1]
    assert "Measured when the predictions are done" in texts(dialog.details)
    del core.jobs._rows[99]
    dialog._workspace.jobs_changed.emit()
    qtbot.waitUntil(lambda: len(core.asked) == 2)


def test_a_refused_pair_is_grey_and_says_its_sentence(window: Any, dialog: ModelsDialog) -> None:
    click(dialog, "architecture:pspnet")
    sentence = architecture("pspnet").refuses("densenet121")
    assert sentence

    def check(box: Any) -> None:
        refused = box.rows.index(box.rows.place("densenet121"))
        assert not refused.flags() & Qt.ItemFlag.ItemIsEnabled
        assert refused.data(Qt.ItemDataRole.ToolTipRole) == sentence
        before = box.value
        box.line.selectAll()
        QTest.keyClicks(box.line, "densenet121")
        QTest.keyClick(box.line, Qt.Key.Key_Return)
        assert box.value == before
        allowed = box.rows.index(box.rows.place("resnet50"))
        assert allowed.flags() & Qt.ItemFlag.ItemIsEnabled
        assert allowed.data(Qt.ItemDataRole.ToolTipRole) is None

    check(dialog.details.encoder)
    QTest.mouseClick(dialog.main_button, LEFT)
    check(window._sheet.before.beginning.encoder)


def test_a_model_is_preferred_on_its_card_and_gone_back_from(
    window: Any, dialog: ModelsDialog, qtbot: Any, copy_model: Callable[[Path, str], Path]
) -> None:
    project = window.workspace.project
    copy_model(project.models_dir / "roads", "Road")
    os.utime(project.models_dir / "mine 1" / TENSORS)  # the newest predicts
    window.workspace.models_changed.emit()
    qtbot.waitUntil(lambda: any(c.card.key == "model:roads" for c in dialog.grid.cards))
    click(dialog, "model:roads")
    QTest.mouseClick(dialog.use, LEFT)
    qtbot.waitUntil(lambda: promoted(project) == "roads", timeout=20_000)
    qtbot.waitUntil(lambda: card(dialog, "model:roads").card.model.predicts, timeout=20_000)
    assert dialog.card.key == "model:roads"
    assert not dialog.use.isEnabled()
    assert dialog.use.toolTip() == "It predicts already."
    QTest.mouseClick(dialog.back, LEFT)
    qtbot.waitUntil(lambda: promoted(project) == "mine 1", timeout=20_000)
    qtbot.waitUntil(lambda: card(dialog, "model:mine 1").card.model.predicts, timeout=20_000)


def test_a_model_that_knows_no_class_of_the_project_cannot_be_preferred(
    window: Any, dialog: ModelsDialog
) -> None:
    project = window.workspace.project
    click(dialog, "model:retina")
    assert dialog.use.isVisible()
    assert not dialog.use.isEnabled()
    assert dialog.use.toolTip() == "It knows no class of this project; train it further first."
    assert dialog.main_button.isEnabled()
    with pytest.raises(MaskwrightError, match="retina knows no class of this project"):
        prefer(project, "retina")
    assert promoted(project) is None


def test_letters_find_a_model_wherever_the_focus_is(dialog: ModelsDialog) -> None:
    assert not dialog.search.hasFocus()
    QTest.keyClick(dialog.focusWidget(), "p")
    assert dialog.search.hasFocus()
    QTest.keyClicks(dialog.search, "an")
    assert dialog.search.text() == "pan"
    names = [c.card.key for c in dialog.grid.cards if c.isVisible()]
    assert "architecture:panet" in names
    assert "architecture:unet" not in names


def test_a_model_that_cannot_be_read_says_so_and_cannot_be_trained(
    window: Any, dialog: ModelsDialog, qtbot: Any
) -> None:
    (window.workspace.project.models_dir / "mine 1" / "model.json").write_text("{")
    window.workspace.models_changed.emit()
    qtbot.waitUntil(lambda: bool(card(dialog, "model:mine 1").card.model.error), timeout=20_000)
    click(dialog, "model:mine 1")
    assert not dialog.main_button.isEnabled()
    assert "model.json cannot be read" in dialog.main_button.toolTip()


def test_nothing_reaches_a_dialog_that_was_closed(
    window: Any, dialog: ModelsDialog, qtbot: Any
) -> None:
    dialog.look()
    with qtbot.waitSignal(dialog.destroyed, timeout=20_000):
        dialog.close()
    # A test fails where an exception ends in the event loop.
    window.workspace.run_changed.emit(None)
    window.workspace.models_changed.emit()
    window.workspace.background.run_latest("trained-models", lambda: None, lambda _: None)
    done: list[bool] = []
    window.workspace.background.run(lambda: None, lambda _: done.append(True))
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)


def test_without_a_project_cards_are_shown_and_training_says_what_is_missing(
    make_window: Make,
) -> None:
    window = make_window()
    dialog = ModelsDialog(window)
    dialog.open()
    assert len(dialog.grid.cards) >= len(architectures())
    assert not dialog.main_button.isEnabled()
    assert "Open a project first" in dialog.main_button.toolTip()
    dialog.close()


def test_the_oldest_architecture_comes_first() -> None:
    years = [int(c.side) for c in architecture_cards()]
    assert years == sorted(years)


def test_models_that_come_along_are_listed_without_a_project() -> None:
    found = trained_models(None)
    assert {"nuclei", "retina"} <= {model.name for model in found}
    assert all(model.built_in and not model.predicts for model in found)


# -- the sheet ------------------------------------------------------------------------------------


@pytest.fixture
def sheet(window: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The sheet of a project with something to learn from; nothing is measured or started."""
    project = window.workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    monkeypatch.setattr(window.workspace.runs.measuring, "ask", lambda *_: None)
    window.show_training(True)
    made = window._sheet
    qtbot.waitUntil(made.start.isEnabled, timeout=20_000)
    return made


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    from segcore.service import trainer

    found: list[Path] = []
    monkeypatch.setattr(trainer, "launch", found.append)
    return found


def choose(box: QComboBox, text: str) -> None:
    """Choose an entry as the arrow keys do."""
    box.setFocus()
    at = box.findText(text)
    assert at >= 0, [box.itemText(i) for i in range(box.count())]
    while box.currentIndex() != at:
        down = box.currentIndex() < at
        QTest.keyClick(box, Qt.Key.Key_Down if down else Qt.Key.Key_Up)


def recipe_of(run: Path) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return row


def test_the_sheet_begins_with_the_model_that_predicts(
    sheet: Any, launched: list[Path], qtbot: Any
) -> None:
    fields = sheet.before.beginning
    assert fields.begin.currentText() == "mine 1"
    assert not fields.architecture.isVisible()
    QTest.mouseClick(sheet.start, LEFT)
    qtbot.waitUntil(lambda: bool(launched), timeout=30_000)
    assert recipe_of(launched[0])["base"]["name"] == "mine 1"
    sheet._workspace.runs.forget()


def test_a_new_model_of_the_chosen_kind_is_what_starts(
    sheet: Any, launched: list[Path], qtbot: Any
) -> None:
    fields = sheet.before.beginning
    choose(fields.begin, "A new model")
    choose(fields.architecture, "FCN")
    QTest.keyClicks(fields.options, "stride=16")
    QTest.mouseClick(sheet.before.more_button, LEFT)
    QTest.keyClicks(sheet.before.more.fields["batch"], "2")
    choose(sheet.before.more.fields["optimiser"], "sgd")
    assert not sheet.before.recipe.replay.isEnabled(), "a new model has no earlier items"
    QTest.mouseClick(sheet.start, LEFT)
    qtbot.waitUntil(lambda: bool(launched), timeout=30_000)
    run = recipe_of(launched[0])
    assert run["base"] is None
    recipe = run["recipe"]
    assert (recipe["arch"], recipe["encoder"]) == ("fcn", architecture("fcn").encoder)
    assert recipe["options"] == "stride=16"
    assert (recipe["batch"], recipe["optimiser"]) == (2, "sgd")
    sheet._workspace.runs.forget()


def test_an_option_that_the_family_has_not_is_said_and_start_waits(sheet: Any) -> None:
    fields = sheet.before.beginning
    choose(fields.begin, "A new model")
    choose(fields.architecture, "FCN")
    QTest.keyClicks(fields.options, "stride=5")
    assert "cannot be 5" in fields.why_not
    assert fields.why_not in texts(fields)
    assert not sheet.start.isEnabled()
    choose(fields.architecture, "ENet")
    assert fields.options.text() == ""
    assert not fields.encoder.isVisible(), "it has an encoder of its own"
    assert sheet.start.isEnabled()


def test_an_encoder_that_the_next_architecture_refuses_gives_way_to_its_own(sheet: Any) -> None:
    fields = sheet.before.beginning
    choose(fields.begin, "A new model")
    choose(fields.architecture, "FPN")
    fields.choose(Beginning(architecture="fpn", encoder="densenet121"))
    assert fields.encoder.value == "densenet121"
    choose(fields.architecture, "PSPNet")
    assert fields.encoder.value == architecture("pspnet").encoder


def test_more_settings_are_the_rows_of_the_recipe(sheet: Any) -> None:
    QTest.mouseClick(sheet.before.more_button, LEFT)
    more = sheet.before.more
    assert more.isVisible()
    elsewhere = {"arch", "encoder", "options", "steps", "replay", "seed"}
    assert set(more.fields) == {row.name for row in describe()} - elsewhere
    for row in more.rows:
        assert row.help in more.fields[row.name].toolTip()
    assert more.values() == {}


def test_a_setting_out_of_range_is_said_under_its_field(sheet: Any) -> None:
    QTest.mouseClick(sheet.before.more_button, LEFT)
    more = sheet.before.more
    field: QLineEdit = more.fields["ema"]
    QTest.keyClicks(field, "3")
    assert "Give a number from 0 to below 1." in more.why_not
    assert not sheet.start.isEnabled()
    field.selectAll()
    QTest.keyClicks(field, "x")
    assert more.why_not == "x is no number."
    field.selectAll()
    QTest.keyClicks(field, "0.9")
    assert more.values() == {"ema": 0.9}
    assert sheet.start.isEnabled()
    field.clear()
    assert more.values() == {}
    QTest.keyClicks(more.fields["weights"], "none")
    assert more.values() == {"weights": None}


def test_what_is_measured_is_what_is_chosen(sheet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, Any]] = []
    runs = sheet._workspace.runs
    monkeypatch.setattr(
        runs.measuring, "ask", lambda _project, wanted, key: asked.append((wanted(), key))
    )
    fields = sheet.before.beginning
    choose(fields.begin, "A new model")
    choose(fields.architecture, "ENet")
    new, key = asked[-1]
    assert new.start is None
    assert new.settings["arch"] == "enet"
    QTest.keyClicks(sheet.before.more.fields["loss"], "focal")
    again, other = asked[-1]
    assert again.settings["loss"] == "focal"
    assert other != key, "another question, so it is measured anew"


def test_arrows_go_from_card_to_card_from_the_beginning(dialog: ModelsDialog, qtbot: Any) -> None:
    dialog.activateWindow()
    qtbot.waitUntil(lambda: dialog.focusWidget() is dialog.grid.current)
    first, second = dialog.grid.cards[:2]
    assert dialog.grid.current is first
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Right)
    assert dialog.grid.current is second
    assert dialog.search.text() == ""


def test_the_dialog_takes_the_height_of_the_window(window: Any, dialog: ModelsDialog) -> None:
    assert dialog.height() == window.height() - 64
