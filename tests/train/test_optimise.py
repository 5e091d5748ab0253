"""Optimiser groups, schedules, and the running mean."""

from __future__ import annotations

import itertools

import pytest
import torch

from segcore.models import build
from segcore.train import Recipe
from segcore.train.optimise import SCHEDULES, RunningMean, make_optimiser, rate_factor


@pytest.mark.parametrize("name", sorted(set(SCHEDULES) - {"one-cycle"}))
def test_a_schedule_starts_at_one_and_never_rises(name: str) -> None:
    values = [SCHEDULES[name](k / 100) for k in range(101)]
    assert values[0] == 1
    assert all(a >= b for a, b in itertools.pairwise(values))
    assert values[-1] == (1 if name == "constant" else pytest.approx(0, abs=1e-9))


def test_the_rate_rises_to_its_highest_and_falls() -> None:
    recipe = Recipe(schedule="poly", warmup=0.1)
    factors = [rate_factor(recipe, k / 1000) for k in range(1001)]
    assert 0 < factors[0] < 0.02
    assert max(factors) == pytest.approx(1, abs=0.01)
    assert factors.index(max(factors)) == 100
    assert factors[-1] == 0
    assert rate_factor(recipe, 1.7) == 0, "the clock may run over"


def test_one_cycle_is_torchs() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    peer = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1.0, total_steps=1001, pct_start=0.3003, cycle_momentum=False
    )
    recipe = Recipe(schedule="one-cycle", warmup=0.5)
    for k in range(1001):
        assert rate_factor(recipe, k / 1000) == pytest.approx(peer.get_last_lr()[0], abs=2e-3)
        if k < 1000:
            optimiser.step()
            peer.step()


def test_ranger_draws_the_weights_back_every_sixth_step() -> None:
    model = build("unet", classes=2, encoder="resnet18")
    optimiser = make_optimiser(model, Recipe(optimiser="ranger", encoder_lr=1.0), 1e-2)
    weight = model.head.weight
    places = []
    for _ in range(12):
        weight.grad = torch.ones_like(weight)
        optimiser.step()
        places.append(float(weight.detach().mean()))
    steps = [b - a for a, b in itertools.pairwise(places)]
    assert all(step < 0 for step in steps[:10])
    assert steps[10] > 0, "the twelfth step ends half-way back to the sixth"
    assert places[11] == pytest.approx((places[5] + places[10] + steps[9]) / 2, rel=1e-3)


def test_norms_and_biases_do_not_decay_and_the_encoder_is_slower() -> None:
    model = build("unet", classes=2, encoder="resnet18")
    optimiser = make_optimiser(model, Recipe(encoder_lr=0.1, weight_decay=0.05), 1e-3)
    encoder = {id(p) for p in model.encoder_parameters()}
    seen = 0
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            seen += 1
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0)
            assert group["lr"] == pytest.approx(1e-4 if id(parameter) in encoder else 1e-3)
    assert seen == len(list(model.parameters()))


def test_the_running_mean_forgets_the_start_and_follows() -> None:
    model = torch.nn.BatchNorm1d(3)
    mean = RunningMean(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(5.0)
        model.num_batches_tracked.fill_(7)
    mean.update(model)
    assert float(mean.of(model)["weight"][0]) == pytest.approx(1 + 4 * (1 - 2 / 11))
    for _ in range(200):
        mean.update(model)
    assert float(mean.of(model)["weight"][0]) == pytest.approx(5, abs=1e-4)
    assert int(mean.of(model)["num_batches_tracked"]) == 7


def test_without_a_running_mean_the_model_itself_is_kept() -> None:
    model = torch.nn.Linear(2, 2)
    mean = RunningMean(model, 0.0)
    mean.update(model)
    assert torch.equal(mean.of(model)["weight"], model.weight)
