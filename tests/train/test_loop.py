"""The loop: exact resume, cancel, memory, held-out scores, frozen rows; on a tiny network."""

from __future__ import annotations

import json
import math
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from segcore.base import ClassId, ClassSet, MaskwrightError, SegClass
from segcore.models import ModelSpec, load_model
from segcore.train import (
    Recipe,
    loop,
    read_events,
    read_report,
    request_cancel,
    score,
    state,
    train,
    work,
)
from segcore.train.runs import read_run, write_run
from tests.train.conftest import CLASSES, TINY, MakeRun


class Killed(BaseException):
    """Ends a run in the middle of a step, as a kill would: nothing below may catch it."""


def losses(run_dir: Path) -> dict[int, float]:
    """Loss by step, of events written at every step."""
    events, _ = read_events(run_dir)
    return {e["step"]: e["loss"] for e in events if e["kind"] == "step" and "loss" in e}


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report every step and not only every half second."""
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)


def die_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    whole = work.Work.gradients
    calls = []

    def step(*arguments: Any) -> float:
        calls.append(1)
        if len(calls) > number:
            raise Killed
        return whole(*arguments)

    monkeypatch.setattr(work.Work, "gradients", step)


# -- resume ------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "ranger"])
def test_an_interrupted_run_goes_on_exactly_as_if_it_had_not_been(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch, every_step: None, optimiser: str
) -> None:
    whole = make("whole", optimiser=optimiser)
    train(whole)
    parts = make("parts", optimiser=optimiser, checkpoint_seconds=0.0)
    with monkeypatch.context() as patch:
        die_at(patch, 5)
        with pytest.raises(Killed):
            train(parts)
    assert read_report(parts) is None
    train(parts)
    assert losses(parts) == losses(whole)
    assert len(losses(whole)) == 8
    first, second = load_model(whole / "result"), load_model(parts / "result")
    for key, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[key], value), key
    started = [e for e in read_events(parts)[0] if e["kind"] == "started"]
    assert [e["resumed"] for e in started] == [False, True]
    assert started[1]["step"] == 5


def test_a_kill_while_a_checkpoint_is_written_loses_only_that_one(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch, every_step: None
) -> None:
    whole = make("whole")
    train(whole)
    parts = make("parts", checkpoint_seconds=0.0)
    replace = Path.replace
    seen = []

    def stop(self: Path, target: Path) -> Path:
        if target.name == "state.json":
            seen.append(target)
            if len(seen) == 4:
                raise Killed
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(Killed):
            train(parts)
    train(parts)
    started = [e for e in read_events(parts)[0] if e["kind"] == "started"]
    assert started[1]["step"] == 3
    assert losses(parts) == losses(whole)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(
    make: MakeRun, every_step: None
) -> None:
    runs = [make("a", steps=3), make("b", steps=3), make("c", steps=3, seed=1)]
    for run_dir in runs:
        train(run_dir)
    assert losses(runs[0]) == losses(runs[1])
    assert losses(runs[0]) != losses(runs[2])


# -- learning ----------------------------------------------------------------------------------


def test_a_network_learns_what_is_there_to_learn(make: MakeRun) -> None:
    run_dir = make("learns", steps=40, held_out=5, lr=0.03, half=True)
    report = train(run_dir)
    assert report["new"]["mean_iou"] > 0.8
    assert report["old"] is None
    assert report["items"] == 5
    spec = load_model(run_dir / "result").spec
    assert spec.name == "learns"
    assert spec.scores["held_out"]["mean_iou"] == report["new"]["mean_iou"]
    assert len(spec.digests) == 6, "held-out items are not among the training data"
    assert spec.seeds == (0,)
    assert read_report(run_dir) == json.loads(json.dumps(report))
    assert state(run_dir) == "done"


def test_the_clock_ends_a_run_and_its_schedule(make: MakeRun) -> None:
    run_dir = make("clock", steps=None, minutes=0.01)
    report = train(run_dir)
    assert 0 < report["step"] < 1_000_000
    assert report["minutes"] < 0.1
    assert not report["cancelled"]


# -- stopping ----------------------------------------------------------------------------------


def test_cancel_keeps_the_checkpoint_and_still_writes_a_result(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = make("cancelled", steps=1000)
    whole = work.Work.gradients
    calls = []

    def step(*arguments: Any) -> float:
        calls.append(1)
        if len(calls) == 3:
            request_cancel(run_dir)
        return whole(*arguments)

    monkeypatch.setattr(work.Work, "gradients", step)
    report = train(run_dir)
    assert report["cancelled"]
    assert report["step"] == 3
    assert state(run_dir) == "cancelled"
    assert (run_dir / "result" / "model.safetensors").is_file()
    monkeypatch.setattr(work.Work, "gradients", whole)
    monkeypatch.setattr(Recipe, "total_steps", lambda *_: 5)
    assert train(run_dir)["step"] == 5, "and the run can go on from there"
    assert state(run_dir) == "done"


def test_a_cancel_while_the_trainer_is_starting_stops_it_before_its_first_step(
    make: MakeRun,
) -> None:
    run_dir = make("early", steps=1000)
    request_cancel(run_dir)
    report = train(run_dir)
    assert report["cancelled"]
    assert report["step"] == 0
    assert state(run_dir) == "cancelled"


def test_a_cancel_that_asked_a_trainer_that_died_does_not_stop_the_next_one(
    make: MakeRun,
) -> None:
    run_dir = make("died")
    gone = {"pid": 999_999_999, "started": 1.0, "host": socket.gethostname()}
    write_run(run_dir, replace(read_run(run_dir), process=gone))
    request_cancel(run_dir)
    assert train(run_dir)["step"] == 8
    assert state(run_dir) == "done"


def test_a_cancel_takes_effect_between_the_tiles_of_the_scoring(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = make("scoring", steps=2, held_out=6, half=True)
    predicted = []
    read = score.read_values

    def look(item: Any) -> Any:
        predicted.append(item)
        if len(predicted) == 2:
            request_cancel(run_dir)
        return read(item)

    monkeypatch.setattr(score, "read_values", look)
    report = train(run_dir)
    assert len(predicted) == 2, "no further item is looked at, nor for the size of the numbers"
    assert report["cancelled"]
    assert report["step"] == 2
    assert report["new"] is None
    assert report["note"] == "not measured: cancelled"
    assert state(run_dir) == "cancelled"
    monkeypatch.setattr(score, "read_values", read)
    assert train(run_dir)["new"] is not None, "going on measures"


def test_a_paused_run_waits_and_a_cancel_ends_the_waiting(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segcore.train import request_pause

    run_dir = make("paused")
    naps = []

    def nap(_: float) -> None:
        naps.append(1)
        if len(naps) == 3:
            request_pause(run_dir, False)

    monkeypatch.setattr(loop.time, "sleep", nap)
    request_pause(run_dir, True)
    assert train(run_dir)["step"] == 8
    assert len(naps) == 3


# -- trouble -----------------------------------------------------------------------------------


def test_out_of_memory_halves_the_batch_and_accumulates(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = make("memory", steps=3)
    begin = work.start_model

    def limited(*arguments: Any) -> Any:
        model, old = begin(*arguments)
        forward = model.network.forward

        def small(images: Tensor) -> Tensor:
            if len(images) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            result: Tensor = forward(images)
            return result

        model.network.forward = small
        return model, old

    monkeypatch.setattr(work, "start_model", limited)
    report = train(run_dir)
    assert report["parts"] == 4
    assert report["step"] == 3
    notes = [e["note"] for e in read_events(run_dir)[0] if "note" in e and e["kind"] == "step"]
    assert len(notes) == 2


def test_parts_of_a_batch_give_the_gradient_of_the_whole(make: MakeRun) -> None:
    """Without norms and dropout the accumulated gradient is the same, item weights equal."""
    from segcore.infer.device import Device
    from segcore.train import read_frozen

    run_dir = make("parts")
    recipe = TINY.changed(freeze="norm", loss="ce", balance="none", scale_low=1.0, scale_high=1.0)
    exact = Device("cpu", False, "exact")
    ready = work.set_up(run_dir, recipe, read_frozen(run_dir), exact, continued=False)
    ready.model.network.dropout.p = 0.0
    batch = ready.batches.make(0)
    found = []
    for parts in (1, 4):
        value = ready.gradients(batch, parts)
        found.append((value, ready.model.head.weight.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    torch.testing.assert_close(found[0][1], found[1][1])


def test_a_batch_goes_through_in_as_many_parts_as_the_recipe_says(make: MakeRun) -> None:
    assert train(make("whole", steps=1))["parts"] == 1
    assert train(make("accumulated", steps=1, accumulate=2))["parts"] == 2
    assert train(make("single", steps=1, accumulate=99))["parts"] == 4, "a batch of four"


def test_auxiliary_heads_are_learned_by_their_share(make: MakeRun) -> None:
    """A coarse second output that is the first one: its loss comes on top, weighted."""
    from segcore.infer.device import Device
    from segcore.train import read_frozen

    run_dir = make("aux")
    exact = Device("cpu", False, "exact")
    values = []
    for share in (0.0, 0.4):
        recipe = TINY.changed(aux=share)
        ready = work.set_up(run_dir, recipe, read_frozen(run_dir), exact, continued=False)
        ready.model.network.dropout.p = 0.0
        forward = ready.model.network.forward

        def both(images: Tensor, forward: Any = forward) -> Any:
            result = forward(images)
            return result, {"coarse": torch.nn.functional.avg_pool2d(result, 2)}

        ready.model.network.forward = both
        values.append(ready.gradients(ready.batches.make(0), 1))
    assert values[1] > 1.2 * values[0]
    assert values[1] < 1.6 * values[0]


def test_a_loss_that_is_no_number_fails_with_a_sentence(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = make("nan")
    monkeypatch.setattr(work.Work, "gradients", lambda *_: float("nan"))
    with pytest.raises(MaskwrightError, match="no number any more at step 0"):
        train(run_dir)
    last = read_events(run_dir)[0][-1]
    assert last["kind"] == "failed"
    assert not last["bug"]
    assert state(run_dir) == "failed"


# -- training further --------------------------------------------------------------------------


def test_old_and_new_are_measured_on_what_neither_was_trained_on(
    make: MakeRun, tmp_path: Path
) -> None:
    first = make("first", steps=30, lr=0.03)
    train(first)
    second = make("second", base=first / "result", train=3, first=50, replay=4, held_out=6)
    report = train(second)
    assert report["items"] == 6
    assert report["old"]["items"] == report["new"]["items"] == 6
    assert report["old"]["mean_iou"] > 0.5
    spec = ModelSpec.read(second / "result")
    assert spec.seeds == (0, 0)
    assert spec.weights.startswith("model result (")
    earlier = ModelSpec.read(first / "result")
    assert earlier.digests < spec.digests, "what the first was trained on stays known"


def test_an_item_that_the_earlier_model_knew_is_no_held_out_item(make: MakeRun) -> None:
    import shutil

    first = make("first", steps=2)
    train(first)
    # Held-out pictures 0 .. 3 of the second run are training pictures of the first.
    second = make("second", base=first / "result", train=3, first=50, held_out=8)
    items = second / "data" / "items.json"
    content = json.loads(items.read_text())
    known = json.loads((first / "data" / "items.json").read_text())["items"]
    held = [row for row in content["items"] if row["role"] == "held_out"]
    for row, old in zip(held[:4], known, strict=False):
        row["digests"] = old["digests"]
    items.write_text(json.dumps(content))
    report = train(second)
    assert report["items"] == 4
    assert report["new"] is None
    assert report["note"].startswith("not measured")
    shutil.rmtree(second)


def test_absent_classes_are_kept_frozen_and_new_ones_learned(make: MakeRun) -> None:
    first = make("first", steps=10)
    train(first)
    old = load_model(first / "result")
    project = ClassSet(
        (
            SegClass(ClassId(1), "ground", 0, None),
            SegClass(ClassId(2), "Bright", 1, None, uuid=CLASSES[2].uuid),
        )
    )
    second = make("second", base=first / "result", classes=project, weight_decay=0.5, ema=0.0)
    train(second)
    new = load_model(second / "result")
    assert [c.name for c in new.spec.classes] == ["ground", "Bright", "dark"]
    assert new.spec.classes.by_name("dark").id == 3  # type: ignore[union-attr]
    assert torch.equal(new.head.weight[2], old.head.weight[0]), "frozen, and not decayed"
    assert not torch.equal(new.head.weight[1], old.head.weight[1])


@pytest.mark.parametrize("freeze", ["encoder", "norm"])
def test_what_the_recipe_freezes_stays(make: MakeRun, freeze: str) -> None:
    first = make("first", steps=4)
    train(first)
    old = load_model(first / "result").state_dict()
    second = make("second", base=first / "result", freeze=freeze, ema=0.0)
    train(second)
    new = load_model(second / "result").state_dict()
    changed = {key for key in old if not torch.equal(old[key], new[key])}
    assert not {key for key in changed if "running" in key or "tracked" in key}
    inside = {key for key in changed if "encoder" in key}
    assert inside if freeze == "norm" else not inside
    assert any("segmentation_head" in key for key in changed)


def test_rare_classes_weigh_more_and_within_bounds(make: MakeRun) -> None:
    from segcore.train import read_frozen

    data = read_frozen(make("weights"))
    model, _ = work.start_model(Path("nowhere"), Recipe(arch="test-tiny", weights=None), data)
    flat = work.class_weights(data.items, model, Recipe(balance="none"))
    root = work.class_weights(data.items, model, Recipe(balance="sqrt"))
    full = work.class_weights(data.items, model, Recipe(balance="inverse"))
    counts = [sum(item.counts[c] for item in data.items) for c in (1, 2)]
    effective = work.class_weights(data.items, model, Recipe(balance="effective"))
    saturated = [1 - math.exp(-2 * n / sum(counts)) for n in counts]  # the median is their mean
    assert effective[1] / effective[0] == pytest.approx(saturated[0] / saturated[1], rel=1e-4)
    assert flat.tolist() == [1, 1]
    assert 0.25 <= root[0] < root[1] <= 4
    assert full[1] / full[0] == pytest.approx(float(root[1] / root[0]) ** 2, rel=1e-4)


# -- a real one --------------------------------------------------------------------------------


def test_a_real_network_trains_on_real_pictures(shared_data: Path, tmp_path: Path) -> None:
    import cv2

    from segcore.base import CLASS_PRESETS
    from segcore.train import TrainItem, freeze, make_run

    folder = shared_data / "camvid" / "train"
    classes = CLASS_PRESETS["camvid"]
    items = []
    for path in sorted((folder / "images").glob("*.jpg"))[:2]:
        values = cv2.imread(str(folder / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
        items.append(TrainItem(path.stem, (path,), classes.value_to_id()[values]))
    recipe = Recipe(steps=2, batch=2, crop_height=64, crop_width=64, half=False)
    make_run(tmp_path / "real", recipe)
    freeze(items, tmp_path / "real", classes)
    report = train(tmp_path / "real")
    assert report["step"] == 2
    model = load_model(tmp_path / "real" / "result")
    assert model.spec.outputs == 11
    assert model.spec.weights.startswith("imagenet (package")


@pytest.mark.slow  # starts the trainer's process twice
def test_a_process_that_was_killed_half_way_is_resumed_by_starting_it_again(make: MakeRun) -> None:
    import subprocess
    import sys

    settings = {"arch": "fpn", "encoder": "resnet18", "steps": 6, "checkpoint_seconds": 0.0}
    whole, parts = make("whole", **settings), make("parts", **settings)
    command = [sys.executable, "-m", "segcore.train"]
    subprocess.run([*command, str(whole)], check=True)
    process = subprocess.Popen([*command, str(parts)])
    while process.poll() is None:
        if any(e["kind"] == "checkpoint" for e in read_events(parts)[0]):
            process.kill()
            break
    process.wait()
    assert state(parts) == "lost"
    subprocess.run([*command, str(parts)], check=True)
    assert state(parts) == "done"
    first, second = load_model(whole / "result"), load_model(parts / "result")
    for key, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[key], value), key
