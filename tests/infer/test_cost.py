"""Measuring what a prediction costs."""

from __future__ import annotations

import pytest
import torch

from segcore.base import Cancelled
from segcore.infer import Predictor, choose_device
from segcore.infer.cost import PASSES, Tensors, held_by, measure_cost
from segcore.models import build


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    made = Predictor(build("enet", classes=2), "cpu")
    made.tile = 64
    return made


def test_the_three_figures_are_those_of_the_model(predictor: Predictor) -> None:
    cost = measure_cost(predictor)
    assert cost.parameters == sum(p.numel() for p in predictor.model.parameters())
    # Its largest map has 16 channels at half the size, of at least two bytes.
    assert cost.memory > held_by(predictor.model) + 32 * 32 * 16 * 2
    assert cost.memory < 3 * held_by(predictor.model) + 100 * 32 * 32 * 16 * 4
    assert cost.seconds > 0
    assert cost.tile == 64
    assert cost.weights == ""


def test_memory_grows_with_the_area_of_the_tile_and_parameters_do_not(
    predictor: Predictor,
) -> None:
    found = []
    for tile in (64, 128, 256):
        predictor.tile = tile
        found.append(measure_cost(predictor))
    predictor.tile = 64
    small, middle, large = (cost.memory for cost in found)
    # What does not depend on the picture (the numbers, and their copies of half the size) is gone
    # from the differences.
    assert (large - middle) / (middle - small) == pytest.approx(4, rel=0.2)
    assert len({cost.parameters for cost in found}) == 1


def test_a_cancelled_measurement_ends_before_the_next_pass(predictor: Predictor) -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 1

    with pytest.raises(Cancelled):
        measure_cost(predictor, cancelled)
    assert len(asked) == 2 < PASSES


def test_tensors_count_while_they_live_and_no_longer() -> None:
    with torch.no_grad(), Tensors() as tensors:
        a = torch.zeros(1000)
        b = torch.relu(a)
        del a
        c = b + 1  # as many at once as before
        del b
        view = c[:10]
        d = c * 2
    assert tensors.most == 2 * 1000 * 4
    assert view.numel() + d.numel() == 1010


def test_the_processor_is_named_with_its_threads() -> None:
    before = torch.get_num_threads()
    try:
        for count, name in ((1, "CPU, 1 thread"), (2, "CPU, 2 threads")):
            torch.set_num_threads(count)
            assert choose_device("cpu").title == name
    finally:
        torch.set_num_threads(before)
