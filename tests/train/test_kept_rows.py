"""Classes that a project lacks keep their numbers in every head while others are trained."""

from __future__ import annotations

import torch

from segcore.base import ClassSet
from segcore.models import build, for_project
from segcore.train.work import _frozen_rows


def test_a_frozen_class_keeps_its_row_in_each_score_layer() -> None:
    old = build("fcn", classes=["sky", "road", "car"], encoder="resnet18")
    with torch.no_grad():
        for name in old.class_axes():
            old.get_parameter(name).normal_()
    model, plan = for_project(old, ClassSet.from_names(["road", "tree"]))
    assert plan.frozen == (2, 3)  # sky and car
    kept = _frozen_rows(model)
    assert len(kept) == 3 * 2 + 2, "three score layers with biases, two kernels that enlarge"
    names = {id(p): name for name, p in model.named_parameters()}
    for parameter, rows, values in kept:
        assert rows == [2, 3]
        before = old.get_parameter(names[id(parameter)])
        torch.testing.assert_close(values, before[[0, 2]])


def test_nothing_is_kept_where_every_class_is_trained() -> None:
    model = build("fcn", classes=2, encoder="resnet18")
    assert _frozen_rows(model) == []
