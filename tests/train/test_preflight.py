"""What a run will learn from and cost is told before it starts."""

from __future__ import annotations

from segcore.train import preflight, read_events, train
from tests.train.conftest import MakeRun


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
    cost = preflight.measure(run_dir, device="cpu")
    assert 0 < cost.seconds < 60
    assert abs(cost.minutes - cost.seconds * 300 / 60) < 1e-9
    assert 0 <= cost.memory < cost.free
    assert cost.device.startswith("CPU")
    assert sorted(p.relative_to(run_dir) for p in run_dir.rglob("*")) == before
    assert read_events(run_dir)[0] == []


def test_measuring_changes_nothing_of_the_run_that_follows(make: MakeRun) -> None:
    plain, measured = make("plain", steps=2), make("measured", steps=2)
    preflight.measure(measured, device="cpu")
    assert train(plain)["digest"] == train(measured)["digest"]


def test_the_clock_bounds_the_minutes(make: MakeRun) -> None:
    assert preflight.measure(make("c", steps=None, minutes=0.5), device="cpu").minutes == 0.5
