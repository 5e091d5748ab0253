"""Losses beside the main one: what auxiliary heads and single points are compared with."""

from __future__ import annotations

import pytest
import torch

from segcore.models import build, load_model
from segcore.models.output import SegOutput
from segcore.train import train
from segcore.train.losses import IGNORE, combined
from segcore.train.sides import at_places, sides
from tests.train.conftest import MakeRun


def test_a_place_takes_the_pixel_it_lies_in_and_none_outside() -> None:
    target = torch.arange(12).reshape(1, 3, 4)
    places = torch.tensor([[[0.0, 0.0], [3.9, 0.5], [1.2, 2.9], [4.0, 1.0], [0.5, 3.0]]])
    assert at_places(target, places, IGNORE).tolist() == [[0, 3, 9, IGNORE, IGNORE]]


def test_a_head_beside_counts_by_its_factor_and_a_point_fully() -> None:
    torch.manual_seed(0)
    target = torch.randint(3, (2, 8, 8))
    small = torch.randn(2, 3, 4, 4)
    points, places = torch.randn(2, 3, 5), 8 * torch.rand(2, 5, 2)
    output = SegOutput(
        torch.zeros(2, 3, 8, 8),
        aux={"deep_coarse": small, "rend_points": points, "rend_places": places},
    )
    head, point = sides(output, target, None, {"ce": 1.0, "boundary": 0.5}, 0.4)
    assert (head.factor, dict(head.terms)) == (0.4, {"ce": 1.0, "boundary": 0.5})
    assert head.logits.shape == (2, 3, 8, 8)
    assert (point.factor, dict(point.terms)) == (1.0, {"ce": 1.0})
    expected = [
        [int(target[b, int(places[b, n, 1]), int(places[b, n, 0])]) for n in range(5)]
        for b in range(2)
    ]
    assert point.target.tolist() == expected


@pytest.mark.parametrize("loss", [{"ce": 1.0, "dice": 1.0}, {"boundary": 1.0}])
def test_the_loss_at_points_teaches_the_point_head(loss: dict[str, float]) -> None:
    """A fixed picture of two halves: the head learns what the coarse network is not told."""
    torch.manual_seed(0)
    model = build(
        "pointrend", classes=2, encoder="", base="naive", base_options={"widths": [8, 16, 32]}
    )
    images = torch.randn(1, 3, 37, 50)
    images[..., 25:] += 2
    target = torch.zeros(1, 37, 50, dtype=torch.int64)
    target[..., 25:] = 1
    optimiser = torch.optim.AdamW(model.network.point_head.parameters(), lr=0.003)
    values = []
    for _ in range(25):
        (side,) = sides(model.train()(images), target, None, loss, 0.4)
        assert (side.target == IGNORE).any(), "37 rows are padded: points there say nothing"
        value = combined(side.terms, side.logits, side.target, side.weight)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert sum(values[-5:]) < 0.6 * sum(values[:5])


def test_a_run_trains_a_point_head_and_comes_back_from_its_folder(make: MakeRun) -> None:
    asked = {"arch": "pointrend", "encoder": "tu-test_resnet", "options": "base=deeplab points=99"}
    run_dir = make("points", steps=3, held_out=1, **asked)
    report = train(run_dir, device="cpu")
    assert report["step"] == 3
    model = load_model(run_dir / "result")
    assert model.spec.architecture == "pointrend"
    assert (model.spec.options["base"], model.network.points) == ("deeplab", 99)
    assert model.network.point_head.predictor.weight.abs().max() > 0.005, "it began at 0.001"
