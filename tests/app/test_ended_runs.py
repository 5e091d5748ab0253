"""Runs that ended while their project was not open: offered, among the models, decided once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.workspace import Workspace
from app.workspace.models import trained_models
from segcore.edits import SetState
from segcore.projects.modelling import known_models
from segcore.projects.promotion import promoted
from segcore.projects.training import NewRun, prepare_run
from segcore.service import trainer
from segcore.store import Project
from segcore.train import runs, state, train

SMALL = {"batch": 1, "weights": None, "crop_height": 64, "crop_width": 64, "steps": 1}


def ended_run(path: Path, name: str, kind: str = "done", *, when: float = 0.0) -> Path:
    """A run of the project that ended, with a model of random numbers."""
    from segcore.models import build, save_model

    with Project.open(path) as project:
        project.apply(project.items[0], SetState(state="accepted"))
        run = prepare_run(project, NewRun(SMALL, name=name))
        save_model(build("fpn", classes=project.classes), run / "result")
    (run / "result" / "report.json").write_text(json.dumps({"name": name}))
    at = when or time.time()
    events = [
        {"kind": "started", "time": at, "step": 0, "steps": 1, "items": 1, "held_out": 0},
        {"kind": "step", "time": at, "step": 1, "steps": 1, "loss": 0.5, "rate": 1.0},
        {"kind": kind, "time": at, "step": 1},
    ]
    with (run / "events.jsonl").open("w") as log:
        log.writelines(json.dumps(event) + "\n" for event in events)
    return run


def shown(widget: Any) -> list[str]:
    return [part.text() for part in widget.findChildren(QLabel) if part.isVisible()]


def click(widget: Any) -> None:
    assert widget.isVisible()
    assert widget.isEnabled()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=widget.rect().center())


def test_a_training_that_ends_while_nobody_is_there_lands_its_model_and_is_offered(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    with Project.open(project_path) as project:
        project.apply(project.items[0], SetState(state="accepted"))
        run = prepare_run(project, NewRun(SMALL, name="alone 1"))
    train(run)
    assert state(run) == "done"
    # Nobody promoted it and no window was there, and the command line knows it.
    assert "alone 1" in known_models(project_path / "models", built_in=False)
    window = make_window(project_path)
    banner = window.overlays.banner
    qtbot.waitUntil(lambda: any("alone 1 has finished" in t for t in shown(banner)), timeout=20_000)
    assert not runs.is_seen(run), "nobody has looked at it yet"


def test_the_banner_opens_the_sheet_with_promote_and_goes_when_it_was_looked_at(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    run = ended_run(project_path, "mine 1")
    window = make_window(project_path)
    space = window.workspace
    qtbot.waitUntil(lambda: space.runs.view is not None, timeout=20_000)
    # It landed, whoever wrote the result, and its card is there.
    assert "mine 1" in {model.name for model in trained_models(space.project)}
    assert window.overlays.banner.action.text() == "Show"
    click(window.overlays.banner.action)
    sheet = window._sheet
    assert sheet.isVisible()
    assert sheet.promote.isVisible()
    assert sheet.promote.text() == "Promote mine 1"
    qtbot.waitUntil(lambda: runs.is_seen(run), timeout=20_000)
    assert not any("has finished" in text for text in shown(window.overlays.banner))
    click(sheet.promote)
    qtbot.waitUntil(lambda: promoted(space.project) == "mine 1", timeout=20_000)


def test_what_was_looked_at_or_promoted_is_not_offered_again(
    workspace: Workspace, project_path: Path, qtbot: Any
) -> None:
    seen, chosen = ended_run(project_path, "seen 1"), ended_run(project_path, "chosen 1")
    runs.note_seen(seen)
    with Project.open(project_path) as project:
        from segcore.projects.promotion import promote

        promote(project, chosen)
    workspace.open_project(project_path)
    with qtbot.assertNotEmitted(workspace.run_changed, wait=2000):
        pass
    assert workspace.runs.view is None


def test_of_several_runs_the_last_to_end_comes_first_and_the_others_follow(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    now = time.time()
    older = ended_run(project_path, "older 1", when=now - 60)
    newer = ended_run(project_path, "newer 1", when=now)
    window = make_window(project_path)
    found = window.workspace.runs
    qtbot.waitUntil(lambda: found.view is not None, timeout=20_000)
    assert found.view.name == "newer 1"
    assert any("newer 1 and 1 more have finished" in t for t in shown(window.overlays.banner))
    window.show_training(True)
    qtbot.waitUntil(lambda: runs.is_seen(newer), timeout=20_000)
    assert not runs.is_seen(older)
    click(window._sheet.other)
    assert window._sheet.promote.text() == "Promote older 1"
    assert not window._sheet.other.isVisible()
    qtbot.waitUntil(lambda: runs.is_seen(older), timeout=20_000)


def test_a_run_that_was_killed_while_nobody_was_there_offers_to_go_on(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    run = ended_run(project_path, "killed 1")
    lines = (run / "events.jsonl").read_text().splitlines()
    (run / "events.jsonl").write_text("\n".join(lines[:2]) + "\n")
    window = make_window(project_path)
    qtbot.waitUntil(lambda: window.workspace.runs.view is not None, timeout=20_000)
    window.show_training(True)
    assert window._sheet.resume.isVisible()
    assert "killed 1" not in known_models(project_path / "models", built_in=False)


def test_a_window_that_only_reads_shows_the_result_and_decides_nothing(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    run = ended_run(project_path, "mine 1")
    with Project.open(project_path):  # the writer
        window = make_window(project_path)
        qtbot.waitUntil(lambda: window.workspace.runs.view is not None, timeout=20_000)
        window.show_training(True)
        assert window._sheet.promote.isVisible()
        assert not window._sheet.promote.isEnabled()
        assert "writing" in window._sheet.promote.toolTip()
        window.workspace.background.run(lambda: None, lambda _: None)
        window.close()
    assert not runs.is_seen(run)
    assert not (project_path / "models" / "mine 1").exists()


def test_what_predicts_goes_on_predicting_when_a_run_lands_its_model(
    project_path: Path, open_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    from segcore.models import build, save_model
    from segcore.projects.modelling import find_model
    from segcore.train.landing import bring_home

    w = open_workspace
    save_model(build("fpn", classes=w.project.classes), project_path / "models" / "first")
    launched: list[Path] = []
    monkeypatch.setattr(trainer, "launch", launched.append)
    w.project.apply(w.project.items[0], SetState(state="accepted"))
    w.fine_tune({"steps": 20})
    qtbot.waitUntil(lambda: bool(launched), timeout=30_000)
    save_model(build("fpn", classes=w.project.classes), launched[0] / "result")
    bring_home(launched[0])
    assert launched[0].name in known_models(project_path / "models")
    assert find_model(w.project, None).name == "first", "nothing is promoted by itself"
    w.runs.forget()
