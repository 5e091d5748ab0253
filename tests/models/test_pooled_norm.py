"""A batch of one trains, and nothing else is computed differently."""

from __future__ import annotations

import copy

import pytest
import timm.layers
import torch
from torch import nn

from segcore.models.layers.pooled_norm import let_batches_of_one_train


def pooling() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), timm.layers.BatchNormAct2d(4)])
def test_one_value_a_channel_is_normalised_by_the_running_statistics(norm: nn.Module) -> None:
    norm.running_mean.fill_(2.0)  # type: ignore[union-attr, operator]
    norm.running_var.fill_(4.0)  # type: ignore[union-attr, operator]
    values = torch.tensor([3.0, 2.0, 6.0, 2.5])[None, :, None, None].requires_grad_()
    with pytest.raises(ValueError, match="more than 1 value"):
        copy.deepcopy(norm).train()(values)
    given = let_batches_of_one_train(norm).train()(values)
    torch.testing.assert_close(given, (values - 2) / (4 + 1e-5) ** 0.5)
    assert norm.training
    assert int(norm.num_batches_tracked) == 0
    given.sum().backward()
    assert norm.weight.grad is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("training", [True, False])
def test_two_pictures_give_to_the_bit_what_they_gave(training: bool) -> None:
    plain = pooling().train(training)
    ours = let_batches_of_one_train(copy.deepcopy(plain))
    images = torch.randn(2, 3, 5, 6)
    assert torch.equal(ours(images), plain(images))
    assert ours.state_dict().keys() == plain.state_dict().keys()
    for key, value in plain.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key


def test_a_norm_can_be_copied_and_treated_twice() -> None:
    network = let_batches_of_one_train(let_batches_of_one_train(pooling()))
    again = copy.deepcopy(network).train()
    assert isinstance(again[2], nn.BatchNorm2d)  # type: ignore[index]
    assert again(torch.randn(1, 3, 5, 5)).shape == (1, 4, 1, 1)
