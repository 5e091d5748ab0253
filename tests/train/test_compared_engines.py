"""A finished training says which engines may compute its model."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from segcore.infer import Predictor
from segcore.models import ModelSpec, load_model
from segcore.models.agreement import TORCH, Agreement
from segcore.train import read_frozen, train
from segcore.train.data import read_values
from tests.train.conftest import MakeRun


def test_a_training_ends_with_the_comparison_on_held_out_items(make: MakeRun) -> None:
    run_dir = make("compared", steps=2, held_out=5)
    train(run_dir)
    told = ModelSpec.read(run_dir / "result").engines
    seen = Agreement.from_json(told["openvino-f32"])
    assert seen.holds
    assert seen.where == "held-out items"
    held_out = read_frozen(run_dir).of("held_out")
    assert seen.items == len(held_out)
    assert seen.pixels == sum(int(np.prod(read_values(i).shape[:2])) for i in held_out)


def test_training_further_begins_the_comparison_anew(
    make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What agreed on the model before says nothing of the one that came of it."""
    first = make("first", steps=2)
    train(first)
    told = ModelSpec.read(first / "result").engines
    assert told["openvino-f32"]["where"] == "training items"
    monkeypatch.setitem(sys.modules, "openvino", None)
    second = make("second", base=first / "result", steps=2, first=20)
    train(second)
    assert "openvino-f32" not in ModelSpec.read(second / "result").engines
    predictor = Predictor(load_model(second / "result"), "cpu", folder=second / "result")
    assert predictor.engine.name in (TORCH, "torch-bf16")
