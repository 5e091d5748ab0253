"""A run as the window follows it, and the sheet that shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QLabel, QWidget

from app.panels.curves import Curve, axis_texts, running_mean
from app.panels.jobs import JobsPanel
from app.panels.training import TrainingPanel
from app.workspace import Pending, Workspace
from app.workspace.preflight import look
from app.workspace.run_view import RunView, view_of
from app.workspace.runs import new_run
from segcore.base import CLASS_PRESETS
from segcore.edits import SetState, Stroke
from segcore.projects.training import NewRun, prepare_run
from segcore.store import Project
from segcore.train.preflight import Cost


def write(run: Path, *events: dict[str, Any], end: str = "\n") -> None:
    with (run / "events.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("\n".join(json.dumps(e) for e in events) + end)


def scored(step: int, old: float | None, new: float) -> dict[str, Any]:
    def row(value: float) -> dict[str, Any]:
        classes = [{"id": 1, "name": "Sky", "iou": value, "dice": value}]
        return {"classes": classes, "mean_iou": value, "items": 7}

    return {
        "kind": "scored",
        "step": step,
        "old": None if old is None else row(old),
        "new": row(new),
        "note": "",
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "fpn 2"
    folder.mkdir()
    about = {"name": "fpn 2", "base": {"name": "fpn 1"}, "recipe": {"steps": 200}}
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_a_run_is_read_piece_by_piece_and_half_lines_wait(run: Path) -> None:
    view = view_of(run)
    assert (view.name, view.parent, view.steps, view.state) == ("fpn 2", "fpn 1", 200, "preparing")
    assert not view.read_events()
    write(run, {"kind": "started", "steps": 200, "time": 1.0})
    write(run, {"kind": "step", "step": 1, "steps": 200, "loss": 0.8, "rate": 2.0}, end="")
    assert view.read_events()
    assert (view.state, view.step) == ("running", 0)
    write(run, {"kind": "scored"} | scored(1, 0.5, 0.4), end="\n")
    # The half line and the next were glued by the writer here, so both are lost, not the run.
    view.read_events()
    write(run, {"kind": "step", "step": 2, "steps": 200, "loss": 0.7, "seconds_left": 99})
    view.read_events()
    assert view.losses == [(2, 0.7)]
    assert view.seconds_left == 99


def test_a_run_that_goes_on_drops_the_points_that_it_does_again(run: Path) -> None:
    view = view_of(run)
    write(run, {"kind": "started", "step": 0, "steps": 200})
    write(run, *({"kind": "step", "step": s, "steps": 200, "loss": 1 / s} for s in range(1, 40)))
    write(run, {"kind": "started", "step": 30, "steps": 200, "resumed": True})
    write(run, {"kind": "step", "step": 31, "steps": 200, "loss": 0.5})
    view.read_events()
    assert [step for step, _ in view.losses] == [*range(1, 31), 31]
    assert view.losses[-1][1] == 0.5


def test_a_run_ends_with_the_scores_of_both_models(run: Path) -> None:
    view = view_of(run)
    write(run, {"kind": "step", "step": 200, "steps": 200, "loss": 0.3}, scored(200, 0.5, 0.6))
    write(run, {"kind": "done", "step": 200})
    view.read_events()
    assert (view.old_mean, view.new_mean, view.items) == (0.5, 0.6, 7)
    assert view.old == {"Sky": 0.5}
    assert not view.is_running
    assert view.share == 1.0


def test_a_step_without_a_loss_is_no_point_of_the_curve(run: Path) -> None:
    view = view_of(run)
    write(run, {"kind": "step", "step": 3, "note": "memory ran out: 2 parts a step"})
    view.read_events()
    assert view.losses == []


@pytest.fixture
def panel(open_workspace: Workspace, qtbot: Any) -> TrainingPanel:
    made = TrainingPanel(open_workspace)
    qtbot.addWidget(made)
    made.resize(400, 900)
    made.show()
    return made


def ended(old: float | None, new: float | None, state: str = "done") -> RunView:
    view = RunView(Path("run"), "fpn 2", "fpn 1", state, 200, 200)
    view.old_mean, view.new_mean = old, new
    view.old, view.new = {"Sky": old}, {"Sky": new}
    view.losses = [(s, 1 / s) for s in range(1, 200)]
    return view


def show(panel: TrainingPanel, view: RunView) -> None:
    panel._workspace.runs.view = view
    panel._workspace.run_changed.emit(view)


def test_promote_waits_for_the_end_and_says_why(panel: TrainingPanel) -> None:
    view = ended(0.5, 0.6, state="running")
    show(panel, view)
    assert not panel.promote.isEnabled()
    assert "Promote opens at step 200" in panel._note.text()
    assert panel.cancel.isVisible()


def test_cancelling_is_said_at_once_and_until_it_has_stopped(
    panel: TrainingPanel, run: Path, qtbot: Any
) -> None:
    view = view_of(run)
    show(panel, view)
    jobs = JobsPanel(panel._workspace)
    qtbot.addWidget(jobs)
    qtbot.mouseClick(panel.cancel, Qt.MouseButton.LeftButton)
    assert (run / "cancel").exists()
    for events in ([], [{"kind": "started", "steps": 200}], [scored(50, None, 0.5)]):
        if events:
            write(run, *events)
            view.read_events()
        show(panel, view)
        assert panel.cancel.text() == "Cancelling…"
        assert not panel.cancel.isEnabled()
        assert jobs.header.note == "Cancelling fpn 2…"
    write(run, {"kind": "cancelled", "step": 51})
    view.read_events()
    show(panel, view)
    assert not panel.cancel.isVisible()
    assert panel._title.text() == "Fine-tuning cancelled"


def test_a_run_on_screen_says_what_it_was_frozen_with_and_when_it_was_made(
    panel: TrainingPanel, run: Path, qtbot: Any
) -> None:
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(panel.start.isEnabled, timeout=20_000)
    qtbot.waitUntil(lambda: "1 accepted, 0 corrected" in texts(panel.before.learns))
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps(about | {"made": "2026-03-05T04:48:00+00:00"}))
    view = view_of(run)
    show(panel, view)
    made = panel._about.text()
    assert "Started 2026-03-0" in made
    item = project.items[0]
    project.apply(item, Stroke(0, ((9.5, 9.5),), 4, 11, origin=panel._workspace.person_origin()))
    panel._workspace.item_state_changed.emit(item)
    qtbot.wait(200)  # what counts anew would have done so by now
    assert "1 accepted, 0 corrected" in texts(panel.before.learns)
    started = {"kind": "started", "steps": 200, "time": 9e9, "items": 1, "replay": 0}
    write(run, started | {"held_out": 2})
    view.read_events()
    show(panel, view)
    assert panel._about.text() == made
    frozen = {"Pictures with corrections", "1", "none", "2"}
    qtbot.waitUntil(lambda: frozen <= set(texts(panel.before.learns)))


def test_a_run_with_too_few_held_out_items_shows_no_empty_plot_and_promises_no_score(
    panel: TrainingPanel, run: Path
) -> None:
    view = view_of(run)
    counted = {"kind": "started", "steps": 200, "items": 1, "replay": 0}
    write(run, counted | {"held_out": 4})
    view.read_events()
    show(panel, view)
    assert not panel._score.isVisible()
    assert panel._loss.isVisible()
    assert "final" not in panel._note.text()
    assert "Promote opens at step 200. With 4 held out, of 5 needed" in panel._note.text()
    write(run, counted | {"held_out": 5})
    view.read_events()
    show(panel, view)
    assert panel._score.isVisible()
    assert "when the held-out score is final" in panel._note.text()


def test_before_the_first_step_the_sheet_says_what_is_being_done(
    panel: TrainingPanel, run: Path
) -> None:
    view = view_of(run)
    show(panel, view)
    assert panel._step.text() == "The trainer is starting"
    write(run, {"kind": "started", "steps": 200, "items": 1, "held_out": 0})
    view.read_events()
    show(panel, view)
    assert panel._step.text() == "The first step is under way"
    write(run, {"kind": "step", "step": 1, "steps": 200, "loss": 1.0, "rate": 0.04})
    view.read_events()
    show(panel, view)
    assert (panel._step.text(), panel._rate.text()) == ("Step 1 of 200", "25.0 s/step")


def test_nothing_of_a_run_stays_on_screen_when_its_project_is_closed(
    make_window: Callable[..., Any], project_path: Path, run: Path
) -> None:
    window = make_window(project_path)
    space = window.workspace
    space.core_text = "Core ready, CPU"
    write(run, {"kind": "step", "step": 3, "steps": 200, "loss": 1.0, "seconds_left": 120})
    view = view_of(run)
    view.read_events()
    space.runs.view = view
    space.run_changed.emit(view)
    assert window.status.core.text() == "Core training, CPU"
    assert window.right.jobs.header.note == "Fine-tuning fpn 2, 2 min left"
    space.close_project()
    assert window.status.core.text() == "Core ready, CPU"
    assert window.right.jobs.header.note == "None running"


def test_the_sheet_on_screen_takes_the_primary_button_from_the_tool_bar(
    make_window: Callable[..., Any], project_path: Path
) -> None:
    window = make_window(project_path)
    assert window.tool_bar.fine_tune.main.property("tone") == "primary"
    window.show_training(True)
    assert window._sheet.start.property("tone") == "primary"
    assert window.tool_bar.fine_tune.main.property("tone") == ""
    workspace = window.workspace
    workspace.set_pending(Pending("GrabCut", "sprout", "9 px", "", lambda: None, lambda: None))
    assert window._sheet.start.property("tone") == ""  # what waits over the picture has it
    workspace.drop_pending()
    assert window._sheet.start.property("tone") == "primary"
    window.show_training(False)
    assert window.tool_bar.fine_tune.main.property("tone") == "primary"


def test_promote_names_the_model_only_where_there_is_room(panel: TrainingPanel) -> None:
    view = ended(0.5, 0.6)
    show(panel, view)
    assert panel.promote.text() == "Promote fpn 2"
    panel.resize(230, 700)
    assert panel.promote.text() == "Promote"
    assert "fpn 2" in panel._about.text()


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("base", "base's training pictures are not here"),
        ("base 2", "base 2 learned from no others that are still here"),
        ("", "a new model has learned nothing before"),
    ],
)
def test_a_share_of_earlier_pictures_cannot_be_chosen_where_there_are_none(
    panel: TrainingPanel, qtbot: Any, start: str, reason: str
) -> None:
    from segcore.models import build, save_model

    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    if start:
        save_model(build("fpn", classes=project.classes), project.models_dir / start)
    if start == "base 2":  # all that it learned from is learned from again
        prepare_run(project, NewRun({"steps": 1}, name="made"))
        (project.runs_dir / "made").rename(project.runs_dir / start)
    panel.before.look()
    field = panel.before.recipe.replay
    qtbot.waitUntil(lambda: reason in field.toolTip(), timeout=20_000)
    assert not field.isEnabled()
    if start:
        said = f"none, {reason}"
        qtbot.waitUntil(lambda: any(said in text for text in texts(panel.before.learns)))


def test_a_share_of_earlier_pictures_can_be_chosen_where_there_are_some(
    panel: TrainingPanel, qtbot: Any
) -> None:
    from segcore.models import build, save_model

    project = panel._workspace.project
    save_model(build("fpn", classes=project.classes), project.models_dir / "base 2")
    project.apply(project.items[1], SetState(state="accepted"))
    prepare_run(project, NewRun({"steps": 1}, name="made"))
    (project.runs_dir / "made").rename(project.runs_dir / "base 2")
    project.apply(project.items[1], SetState(state="rejected"))
    project.apply(project.items[0], SetState(state="accepted"))
    panel.before.look()
    qtbot.waitUntil(lambda: "50 %" in texts(panel.before.learns), timeout=20_000)
    assert panel.before.recipe.replay.isEnabled()


def test_a_better_model_makes_promote_the_primary_button(panel: TrainingPanel) -> None:
    show(panel, ended(0.5, 0.6))
    assert panel.promote.isEnabled()
    assert panel.promote.property("tone") == "primary"
    assert not panel.cancel.isVisible()


def test_a_better_model_waits_for_what_waits_over_the_picture(panel: TrainingPanel) -> None:
    show(panel, ended(0.5, 0.6))
    panel._workspace.set_pending(
        Pending("GrabCut", "sprout", "9 px", "", lambda: None, lambda: None)
    )
    assert panel.promote.property("tone") == ""
    panel._workspace.drop_pending()
    assert panel.promote.property("tone") == "primary"


def test_a_worse_model_can_be_promoted_but_is_not_recommended(panel: TrainingPanel) -> None:
    show(panel, ended(0.6, 0.5))
    assert panel.promote.isEnabled()
    assert panel.promote.property("tone") == ""
    assert "not better" in panel._note.text()


def test_what_was_not_measured_is_not_recommended(panel: TrainingPanel) -> None:
    show(panel, ended(None, None))
    assert panel.promote.property("tone") == ""
    assert "Not measured" in panel._note.text()


def test_a_promoted_model_can_be_taken_back(panel: TrainingPanel) -> None:
    view = ended(0.5, 0.6)
    view.promoted = True
    show(panel, view)
    assert panel.back.isVisible()
    assert not panel.promote.isVisible()


@pytest.mark.parametrize(
    ("old", "new", "tone"),
    [(0.5, 0.515, "success"), (0.5, 0.485, "danger"), (0.5, 0.505, "muted"), (None, 0.5, "muted")],
)
def test_a_change_is_coloured_only_where_it_is_worth_it(
    panel: TrainingPanel, old: float | None, new: float, tone: str
) -> None:
    show(panel, ended(old, new))
    assert panel._table._cells[1, 3].property("tone") == tone


def test_changes_are_signed_with_a_true_minus(panel: TrainingPanel) -> None:
    show(panel, ended(0.5, 0.4))
    assert panel._table._cells[1, 3].text() == "−0.100"


def test_preflight_says_what_is_learned_from(open_workspace: Workspace) -> None:
    project = open_workspace.project
    assert look(project).why_not
    project.apply(project.items[0], SetState(state="accepted"))
    brush = Stroke(0, ((9.5, 9.5),), 4, 11, origin=open_workspace.person_origin())
    project.apply(project.items[1], brush)
    found = look(project)
    assert (found.accepted, found.corrected, found.held_out) == (1, 1, 0)
    assert not found.why_not
    assert found.looked_at == 2


def test_start_is_off_until_there_is_something_to_learn(panel: TrainingPanel, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: panel.before.found is not None, timeout=20_000)
    assert not panel.start.isEnabled()
    assert "Correct or accept" in panel._note.text()
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(panel.start.isEnabled, timeout=20_000)


def test_the_sheet_tells_of_the_project_that_is_open(
    panel: TrainingPanel, tmp_path: Path, qtbot: Any
) -> None:
    w = panel._workspace
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(lambda: "1 accepted, 0 corrected" in texts(panel), timeout=20_000)
    other = Project.create(tmp_path / "other.maskwright", CLASS_PRESETS["binary"])
    other.close()
    w.open_project(other.path)
    assert "1 accepted, 0 corrected" not in texts(panel)
    assert not panel.start.isEnabled()
    qtbot.waitUntil(lambda: "0 accepted, 0 corrected" in texts(panel), timeout=20_000)
    assert "Correct or accept" in panel._note.text()


def test_what_a_run_of_another_project_learned_from_is_told_no_more(
    panel: TrainingPanel, tmp_path: Path, qtbot: Any
) -> None:
    w = panel._workspace
    view = ended(0.5, 0.6)
    view.learned, view.mixed, view.held_out = 4, 14, 6
    show(panel, view)
    qtbot.waitUntil(lambda: "Pictures with corrections" in texts(panel), timeout=20_000)
    other = Project.create(tmp_path / "other.maskwright", CLASS_PRESETS["binary"])
    other.close()
    w.open_project(other.path)
    qtbot.waitUntil(lambda: "0 accepted, 0 corrected" in texts(panel), timeout=20_000)
    assert "Pictures with corrections" not in texts(panel)


def test_a_start_that_failed_leaves_the_sheet_with_what_it_counted(
    panel: TrainingPanel, tmp_path: Path, qtbot: Any
) -> None:
    w = panel._workspace
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(panel.start.isEnabled, timeout=20_000)
    panel.hide()
    other = Project.create(tmp_path / "other.maskwright", CLASS_PRESETS["binary"])
    other.close()
    w.open_project(other.path)
    with qtbot.waitSignal(w.message_posted, timeout=20_000):
        w.fine_tune()
        panel.show()  # as the tool bar's button does
    qtbot.waitUntil(lambda: "0 accepted, 0 corrected" in texts(panel), timeout=20_000)
    assert not panel.start.isEnabled()


def test_truth_is_counted_where_it_is_to_be_learned_from(panel: TrainingPanel, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: panel.before.found is not None, timeout=20_000)
    assert not panel.start.isEnabled()
    box = panel.before.more.fields["targets"]
    box.setCurrentText("truth")
    qtbot.waitUntil(lambda: "3 with truth" in texts(panel), timeout=20_000)
    assert panel.start.isEnabled()
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    box.setCurrentText("all")
    qtbot.waitUntil(lambda: "3 with truth, 0 accepted, 0 corrected" in texts(panel), timeout=20_000)
    box.setCurrentText("reviewed")
    qtbot.waitUntil(lambda: "1 accepted, 0 corrected" in texts(panel), timeout=20_000)


def test_a_button_that_loses_its_blue_takes_the_icon_of_plain_ones(panel: TrainingPanel) -> None:
    def marks() -> tuple[Any, Any]:
        return tuple(b.icon().pixmap(16).toImage() for b in (panel.start, panel.resume))

    start, resume = marks()  # both are the same drawing
    assert start != resume
    panel._workspace.set_pending(
        Pending("GrabCut", "sprout", "9 px", "", lambda: None, lambda: None)
    )
    start, resume = marks()
    assert start == resume


def texts(widget: QWidget) -> list[str]:
    return [shown.text() for shown in widget.findChildren(QLabel) if shown.isVisibleTo(widget)]


COST = Cost(
    steps=200, seconds=0.9, once=30, scoring=6, memory=1_400_000_000, free=12_000_000_000,
    device="cpu", title="CPU, 1 thread", score_every=50,
)  # fmt: skip


class Measured:
    """A measurement that the test answers; it notes what became of it."""

    made: list[Measured]

    def __init__(self, prepare: Any, ended: Callable[[Any], None]) -> None:
        self.ended, self.prepare, self.cancelled, self.pid = ended, prepare, False, 0
        self.made.append(self)

    def start(self) -> None:
        pass

    def cancel(self, wait: float = 0.0) -> None:
        self.cancelled = True


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Measured]:
    """The measurements that were begun; no process is started."""
    from segcore.service import measuring

    monkeypatch.setattr(Measured, "made", [], raising=False)
    monkeypatch.setattr(measuring, "Measurement", Measured)
    return Measured.made


def test_the_sheet_says_minutes_and_memory_and_start_never_waits_for_them(
    panel: TrainingPanel, measured: list[Measured], qtbot: Any
) -> None:
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(lambda: len(measured) == 1, timeout=20_000)
    assert panel.start.isEnabled()
    assert any("Measuring three steps" in text for text in texts(panel.before.takes))
    measured[0].ended(COST)
    qtbot.waitUntil(lambda: "about 4 minutes" in texts(panel.before.takes))
    assert {"On this processor", "1.4 GB (12 GB free)"} <= set(texts(panel.before.takes))
    # Twice as long is told at once; nothing has to be measured for it.
    panel.before.recipe.steps.setValue(400)
    qtbot.waitUntil(lambda: "about 7 minutes" in texts(panel.before.takes))
    assert len(measured) == 1


def test_too_little_memory_is_a_warning_in_the_sheet(
    panel: TrainingPanel, measured: list[Measured], qtbot: Any
) -> None:
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(lambda: len(measured) == 1, timeout=20_000)
    measured[0].ended(replace(COST, free=900_000_000))
    qtbot.waitUntil(lambda: any("Close other programs" in t for t in texts(panel.before.takes)))
    assert panel.start.isEnabled()


def test_another_batch_is_measured_anew_and_the_newest_wins(
    panel: TrainingPanel, measured: list[Measured], qtbot: Any
) -> None:
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(lambda: len(measured) == 1, timeout=20_000)
    for size in (6, 4, 2):
        panel.before.more.fields["batch"].setText(str(size))
    assert measured[0].cancelled
    qtbot.waitUntil(lambda: len(measured) == 2)
    measured[0].ended(COST)  # too late: it answers a question that nobody asks any more
    measured[1].ended(replace(COST, seconds=18.0))
    qtbot.waitUntil(lambda: "about 61 minutes" in texts(panel.before.takes))


def test_a_measurement_ends_with_the_sheet_and_with_the_start(
    panel: TrainingPanel,
    measured: list[Measured],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    from segcore.service import trainer

    launched: list[Path] = []
    monkeypatch.setattr(trainer, "launch", launched.append)
    project = panel._workspace.project
    project.apply(project.items[0], SetState(state="accepted"))
    qtbot.waitUntil(lambda: len(measured) == 1, timeout=20_000)
    panel.hide()
    assert measured[0].cancelled
    panel.show()
    qtbot.waitUntil(lambda: len(measured) == 2, timeout=20_000)
    panel.start.click()
    assert measured[1].cancelled
    qtbot.waitUntil(lambda: bool(launched), timeout=30_000)
    panel._workspace.runs.forget()


def test_three_real_steps_are_measured_and_leave_no_run_behind(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    settings = {"steps": 100, "batch": 1, "weights": None, "crop_height": 64, "crop_width": 64}
    measuring = w.runs.measuring
    measuring.ask(w.project, lambda: new_run(w.project, settings), "small")
    assert measuring.is_running
    qtbot.waitUntil(lambda: not measuring.is_running, timeout=120_000)
    assert measuring.error is None
    assert measuring.cost is not None
    assert measuring.cost.steps == 100
    assert 1e8 < measuring.cost.memory < measuring.cost.free
    assert not any((Path(w.project.path) / "runs").glob("*"))


def test_closing_the_project_ends_the_process_that_measures(
    open_workspace: Workspace, qtbot: Any
) -> None:
    w = open_workspace
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    measuring = w.runs.measuring
    measuring.ask(w.project, lambda: new_run(w.project, {"steps": 100}), "any")
    qtbot.waitUntil(lambda: measuring.pid > 0, timeout=30_000)
    process = psutil.Process(measuring.pid)
    w.close_project()
    assert not process.is_running()
    assert not measuring.is_running


def test_fine_tune_freezes_the_data_and_starts_a_trainer(
    open_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from segcore.service import trainer

    launched: list[Path] = []
    monkeypatch.setattr(trainer, "launch", launched.append)
    w = open_workspace
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    w.fine_tune({"steps": 20})
    assert w.runs.is_running
    qtbot.waitUntil(lambda: bool(launched), timeout=30_000)
    recipe = json.loads((launched[0] / "run.json").read_text(encoding="utf-8"))["recipe"]
    assert recipe["steps"] == 20
    items = json.loads((launched[0] / "data" / "items.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in items["items"]] == [w.project.items[0].name]
    qtbot.waitUntil(lambda: w.runs.view is not None)
    w.runs.forget()


def test_fine_tune_with_nothing_to_learn_says_so(open_workspace: Workspace, qtbot: Any) -> None:
    with qtbot.waitSignal(open_workspace.message_posted, timeout=20_000) as posted:
        open_workspace.fine_tune()
    assert "nothing to train on" in posted.args[0].text
    assert not open_workspace.runs.is_running


def test_the_running_mean_has_no_bias_at_the_start() -> None:
    flat = [QPointF(i, 5.0) for i in range(20)]
    assert [p.y() for p in running_mean(flat)] == pytest.approx([5.0] * 20)


def test_the_numbers_of_an_axis_tell_its_ticks_apart() -> None:
    assert axis_texts([0.0, 0.5, 1.0], 1) == ["0.0", "0.5", "1.0"]
    assert axis_texts([4.38, 4.39, 4.4], 1) == ["4.38", "4.39", "4.40"]
    assert axis_texts([0.0, 20.0], 2) == ["0.00", "20.00"]


def test_an_axis_of_scores_does_not_go_below_nought(qtbot: Any) -> None:
    curve = Curve("Mean IoU")
    qtbot.addWidget(curve)
    curve.show_points([(0, 0.004), (10, 0.01)], 10)
    low, high, ticks = curve._scale()
    assert low == 0
    assert high >= 0.01
    assert len(ticks) >= 2


def test_a_curve_paints_with_no_one_and_many_points(qtbot: Any, make_image: Callable) -> None:
    blank = make_image([])
    one = make_image([(1, 0.5)])
    many = make_image([(i, 1 / i) for i in range(1, 100)])
    assert blank != one
    assert one != many


@pytest.fixture
def make_image(qtbot: Any) -> Callable[[list[tuple[int, float]]], Any]:
    def make(points: list[tuple[int, float]]) -> Any:
        curve = Curve("Loss", smooth=True)
        qtbot.addWidget(curve)
        curve.resize(300, 120)
        curve.show_points(points, 100)
        return curve.grab().toImage()

    return make


def test_a_run_that_lost_its_process_can_go_on(
    panel: TrainingPanel, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from segcore.service import trainer

    launched: list[Path] = []
    monkeypatch.setattr(trainer, "launch", launched.append)
    monkeypatch.setattr(trainer, "running", lambda _: True)
    show(panel, ended(None, None, state="lost"))
    assert panel.resume.isVisible()
    assert not panel.promote.isVisible()
    panel.resume.click()
    qtbot.waitUntil(lambda: bool(launched), timeout=20_000)
    qtbot.waitUntil(panel.cancel.isVisible, timeout=20_000)
    panel._workspace.runs.forget()
