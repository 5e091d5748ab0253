"""The core is a step ahead: what it is asked before the person asks, and what stops it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.workspace import Workspace
from app.workspace.ahead import SETTING
from segcore.base import CLASS_PRESETS, Rect, digest_file
from segcore.edits import Stroke
from segcore.projects.new import NewProject, create_project
from segcore.projects.splits import HoldOut
from segcore.service.protocol import (
    JobChanged,
    Measure,
    Predict,
    PredictionDone,
    TilePredicted,
    Warm,
)

COUNT = 6


class Core:
    """Stands for the core's client: notes what it is asked, and does what the test says."""

    def __init__(self, jobs: Any) -> None:
        self.jobs = jobs
        self.asked: dict[int, Any] = {}
        self.going: list[int] = []
        self.cancelled: list[int] = []

    def submit(self, job: Any, *, urgent: bool = False) -> int:
        number = len(self.asked) + 1
        self.asked[number] = job
        self.going.append(number)
        return number

    def cancel(self, number: int) -> None:
        if number in self.going:
            self.going.remove(number)
            self.cancelled.append(number)
            self.end(number, "cancelled")

    def end(self, number: int, state: str) -> None:
        self.jobs._listen(JobChanged(number, self.asked[number].key, state))

    def finish(self, number: int, digest: str) -> None:
        """The model says "road" (class 4) everywhere."""
        self.going.remove(number)
        job = self.asked[number]
        planes = [np.full((360, 480), value, dtype) for value, dtype in ((4, "u2"), (200, "u1"))]
        where = Rect(0, 0, 360, 480)
        self.jobs._listen(TilePredicted(number, job.key, where, 0, planes[0], planes[1], planes[1]))
        self.jobs._listen(PredictionDone(number, job.key, "mine", digest, 0.1, ()))
        self.end(number, "done")

    def close(self) -> None:
        self.going.clear()

    @property
    def predicted(self) -> list[str]:
        """Ids of the items that are being predicted, in order."""
        jobs = [self.asked[number] for number in self.going]
        return [job.item for job in jobs if isinstance(job, Predict)]

    def number_of(self, item_id: str) -> int:
        return next(n for n in self.going if getattr(self.asked[n], "item", "") == item_id)


@pytest.fixture
def project(tmp_path: Path, shared_data: Path) -> Path:
    """Six street scenes that nobody has looked at, and a model of the project."""
    (tmp_path / "images").mkdir()
    for image in sorted((shared_data / "camvid" / "val" / "images").iterdir())[:COUNT]:
        shutil.copy(image, tmp_path / "images")
    made = create_project(
        NewProject(
            path=tmp_path / "streets.maskwright",
            images=tmp_path / "images",
            classes=CLASS_PRESETS["camvid"],
            hold_out=HoldOut(0.0),
        )
    )
    model = made.path / "models" / "mine"
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"numbers")
    (model / "model.json").write_text("{}")
    return made.path


@pytest.fixture
def digest(project: Path) -> str:
    return digest_file(project / "models" / "mine" / "model.safetensors")


@pytest.fixture
def core(workspace: Workspace, project: Path, qtbot: Any) -> Iterator[Core]:
    """The stand-in, started a moment after the first picture is on screen."""
    made = Core(workspace.jobs)
    with qtbot.waitSignal(workspace.item_opened, timeout=20_000):
        workspace.open_project(project)
    workspace.jobs._core = made
    workspace.jobs.warm_up()
    qtbot.waitUntil(lambda: len(made.predicted) == 2, timeout=20_000)
    yield made
    workspace.jobs._core = None


def rest(workspace: Workspace, qtbot: Any) -> None:
    """Wait until it has looked once more at what comes next."""
    seen: list[int] = []
    workspace.ahead.consider()
    qtbot.waitUntil(lambda: not workspace.ahead._timer.isActive(), timeout=20_000)
    workspace.idle.run(lambda: None, lambda _: seen.append(1))
    qtbot.waitUntil(lambda: bool(seen), timeout=20_000)


def test_the_model_is_loaded_first_and_then_the_next_items_are_predicted(
    workspace: Workspace, core: Core
) -> None:
    first, *others = core.asked.values()
    assert isinstance(first, Warm)
    assert Path(first.model_path).name == "mine"
    assert [job.item for job in others] == workspace.queue.order[1:3]
    assert not workspace.jobs.running
    assert workspace.jobs.progress()[1] == 0, "nobody is told of progress nobody waits for"


def test_what_was_predicted_ahead_is_the_label_when_its_item_opens(
    workspace: Workspace, core: Core, digest: str, qtbot: Any
) -> None:
    following = workspace.queue.order[1]
    core.finish(core.number_of(following), digest)
    qtbot.waitUntil(lambda: workspace.queue.state(following) == "predicted", timeout=20_000)
    with qtbot.waitSignal(workspace.item_opened, timeout=20_000):
        workspace.step(1)
    assert workspace.labels is not None
    assert (workspace.labels.read() == 4).all()
    # On the second item the third is under way and the fourth follows; the second is done.
    qtbot.waitUntil(lambda: core.predicted == workspace.queue.order[2:4], timeout=20_000)


def test_a_persons_own_request_goes_first_and_the_rest_follows_it(
    workspace: Workspace, core: Core, digest: str, qtbot: Any
) -> None:
    workspace.predict()
    assert core.predicted == [workspace.item.id]
    assert len(core.cancelled) == 2
    rest(workspace, qtbot)
    assert core.predicted == [workspace.item.id], "nothing else while somebody waits"
    core.finish(core.number_of(workspace.item.id), digest)
    qtbot.waitUntil(lambda: core.predicted == workspace.queue.order[1:3], timeout=20_000)


def test_an_item_that_is_being_predicted_ahead_is_not_begun_again_when_asked_for(
    workspace: Workspace, core: Core
) -> None:
    following = workspace.queue.order[1]
    number = core.number_of(following)
    workspace.jobs.predict([following])
    assert core.going[-1:] == [number]
    assert [row.number for row in workspace.jobs.running] == [number]
    assert number not in core.cancelled


def test_a_question_to_the_core_does_not_wait_for_what_nobody_asked(
    workspace: Workspace, core: Core
) -> None:
    workspace.jobs.ask_core(Measure(key="measure-model", question={}))
    assert core.predicted == []
    assert len(core.cancelled) == 2


def test_the_newest_place_in_the_queue_wins(workspace: Workspace, core: Core, qtbot: Any) -> None:
    with qtbot.waitSignal(workspace.item_opened, timeout=20_000):
        workspace.open_item(workspace.queue.order[3])
    qtbot.waitUntil(lambda: core.predicted == workspace.queue.order[4:6], timeout=20_000)
    assert len(core.cancelled) == 2


def test_where_a_person_painted_or_this_model_predicted_nothing_is_done(
    workspace: Workspace, core: Core, digest: str, qtbot: Any
) -> None:
    w = workspace
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.open_item(w.queue.order[5])  # nothing follows it
    qtbot.waitUntil(lambda: not core.predicted, timeout=20_000)
    painted, predicted, other = w.queue.order[1:4]
    stroke = Stroke(0, ((9.0, 9.0), (9.0, 40.0)), 6, 4, origin=w.person_origin())
    w.project.apply(painted, stroke)
    whole = np.full((1, 360, 480), 4, np.uint16)
    w.project.store_prediction(w.project.items.by_id(predicted), "mine", digest, whole)
    w.project.store_prediction(w.project.items.by_id(other), "older", "0" * 64, whole)
    assert not w.project.is_untouched(painted)
    w.settings.set(SETTING, 3)
    with qtbot.waitSignal(w.item_opened, timeout=20_000):
        w.open_item(w.queue.order[0])
    qtbot.waitUntil(lambda: core.predicted == [other], timeout=20_000)


def test_none_ahead_is_none_and_the_model_is_loaded_all_the_same(
    workspace: Workspace, core: Core, qtbot: Any
) -> None:
    workspace.settings.set(SETTING, 0)
    rest(workspace, qtbot)
    assert core.predicted == []
    assert sum(isinstance(job, Warm) for job in core.asked.values()) == 1


def test_what_failed_or_was_stopped_by_hand_is_not_begun_again(
    workspace: Workspace, core: Core, qtbot: Any
) -> None:
    said: list[Any] = []
    workspace.message_posted.connect(said.append)
    failing, stopped = (core.number_of(i) for i in workspace.queue.order[1:3])
    core.going.remove(failing)
    core.end(failing, "lost")
    workspace.jobs.cancel(stopped)
    rest(workspace, qtbot)
    assert core.predicted == []
    assert not said, "nobody asked, so nobody is told"


def test_a_training_is_neither_paused_nor_disturbed(
    workspace: Workspace, core: Core, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    busy = workspace.jobs._courtesy
    assert busy is None or not busy._busy
    core.end(core.number_of(workspace.queue.order[1]), "running")
    assert workspace.jobs._courtesy is None or not workspace.jobs._courtesy._busy
    monkeypatch.setattr(workspace.runs, "starting", True)
    rest(workspace, qtbot)
    assert core.predicted == []


def test_a_project_that_is_only_read_is_not_written_to(
    workspace: Workspace, core: Core, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    monkeypatch.setattr(Workspace, "read_only", property(lambda _: True))
    rest(workspace, qtbot)
    assert core.predicted == []
