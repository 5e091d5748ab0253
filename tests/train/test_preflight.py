"""What a run will learn from and cost is told before it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from segcore.base import MaskwrightError
from segcore.service.process import module_environment
from segcore.train import preflight, read_events, train
from segcore.train.measure import measure
from segcore.train.preflight import SAMPLE_OF, Cost
from tests.train.conftest import MakeRun

COST = Cost(
    steps=200, seconds=0.9, once=30, scoring=6, memory=1_400_000_000, free=12_000_000_000,
    device="cpu", title="CPU, 1 thread", score_every=50,
)  # fmt: skip


def test_items_steps_and_scarce_classes_are_counted(make: MakeRun) -> None:
    few = preflight.look(make("few", train=2, replay=1, held_out=3))
    assert (few.train, few.replay, few.held_out) == (2, 1, 3)
    assert few.steps == 8
    assert not few.measured
    assert [(row.name, row.items) for row in few.scarce] == [("bright", 3)]
    assert few.scarce[0].pixels == 3 * 22 * 16
    enough = preflight.look(make("enough", train=8, held_out=5, steps=None, epochs=3))
    assert enough.steps == 6
    assert enough.measured
    assert not enough.scarce
    assert preflight.look(make("clock", steps=None, minutes=2.0)).steps is None


def test_three_steps_tell_the_minutes_and_leave_no_trace(make: MakeRun) -> None:
    run_dir = make("cost", steps=300)
    before = sorted(p.relative_to(run_dir) for p in run_dir.rglob("*"))
    cost = measure(run_dir, device="cpu")
    assert 0 < cost.seconds < 60
    assert cost.minutes == pytest.approx((cost.seconds * 300 + cost.once) / 60)
    assert cost.scoring == 0
    assert cost.device == "cpu"
    assert sorted(p.relative_to(run_dir) for p in run_dir.rglob("*")) == before
    assert read_events(run_dir)[0] == []


def test_the_memory_is_that_of_the_whole_process(make: MakeRun) -> None:
    import psutil

    cost = measure(make("cost"), device="cpu")
    assert psutil.Process().memory_info().rss * 0.5 < cost.memory < cost.free


def test_measuring_changes_nothing_of_the_run_that_follows(make: MakeRun) -> None:
    plain, measured = make("plain", steps=2), make("measured", steps=2)
    measure(measured, device="cpu")
    assert train(plain)["digest"] == train(measured)["digest"]


def test_the_clock_bounds_the_minutes_of_the_steps(make: MakeRun) -> None:
    cost = measure(make("c", steps=None, minutes=0.5), device="cpu")
    assert cost.minutes == pytest.approx(0.5 + cost.once / 60)


def test_a_sample_costs_what_the_whole_costs(make: MakeRun) -> None:
    """Reading and scoring are counted for all the pictures, not for those of the sample."""
    run_dir = make("sample", train=3, held_out=1)
    small = measure(run_dir, device="cpu")
    listed = run_dir / "data" / "items.json"
    content = json.loads(listed.read_text(encoding="utf-8"))
    content["notes"] = {SAMPLE_OF: {"train": 30_000, "replay": 0, "held_out": 40}}
    listed.write_text(json.dumps(content), encoding="utf-8")
    whole = measure(run_dir, device="cpu")
    assert small.scoring == 0
    assert whole.scoring > 0
    assert whole.once > small.once
    # 30,000 pictures of 48 x 40 with a target of two bytes a pixel are kept decoded.
    assert whole.memory - small.memory > 30_000 * 48 * 40 * 2


def test_a_run_that_goes_on_costs_only_what_is_left(make: MakeRun) -> None:
    assert measure(make("c", steps=300), device="cpu", done=280).steps == 20


def test_minutes_follow_the_length_without_measuring_again() -> None:
    assert COST.minutes == pytest.approx((200 * 0.9 + 30 + 4 * 6) / 60)
    assert COST.minutes_of(400, 100) == pytest.approx((400 * 0.9 + 30 + 4 * 6) / 60)
    assert replace(COST, limit=1.0).minutes_of(10_000) == pytest.approx(1.0 + 0.5)


def test_memory_that_does_not_suffice_is_said_with_both_figures() -> None:
    assert COST.warning == ""
    short = replace(COST, free=900_000_000).warning
    assert "1.4 GB" in short
    assert "900 MB" in short
    assert "4 parts" in replace(COST, parts=4).warning
    assert "graphics card" in replace(COST, device="cuda", free=1).warning


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0.1, "less than a minute"), (1.2, "about a minute"), (3.2, "about 3 minutes"),
     (89, "about 89 minutes"), (150, "about 2.5 hours")],
)  # fmt: skip
def test_a_time_is_said_no_more_exactly_than_it_is_known(minutes: float, said: str) -> None:
    assert preflight.roughly(minutes) == said


def test_a_process_of_its_own_answers_in_one_line(make: MakeRun) -> None:
    """The run is damaged, so that no network has to be set up for it."""
    run_dir = make("damaged")
    (run_dir / "data" / "items.json").unlink()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "segcore.train.measure", str(run_dir)],
        env=module_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "items.json cannot be read" in json.loads(done.stdout)["error"]


def test_a_cost_comes_back_from_json_as_it_was() -> None:
    assert Cost.from_json(json.loads(json.dumps(COST.to_json()))) == COST


def test_a_run_without_items_is_refused_with_a_sentence(make: MakeRun) -> None:
    with pytest.raises(MaskwrightError, match="no item to train on"):
        measure(make("none", train=0, held_out=1), device="cpu")
