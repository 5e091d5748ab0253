"""Depthwise convolutions that are made fast compute what they did."""

from __future__ import annotations

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from segcore.models import build
from segcore.train.depthwise import is_depthwise, speed_up_depthwise


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6, bias=False),
        nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6),
        nn.Conv2d(6, 6, 3, stride=2, padding=2, dilation=2, groups=6),
        nn.Conv2d(6, 6, 5, padding=8, dilation=4, groups=6, bias=False),
        nn.Conv2d(6, 6, 3, padding=12, dilation=12, groups=6),
        nn.Conv2d(6, 6, (3, 5), padding=(1, 7), dilation=(2, 1), groups=6),
        nn.Conv2d(6, 6, 3, dilation=3, groups=6),
        Conv2dSame(6, 6, 3, dilation=2, groups=6, bias=False),
        Conv2dSame(6, 6, 3, stride=2, groups=6, bias=False),
    ],
)
def test_values_and_gradients_are_those_of_the_plain_layer(layer: nn.Conv2d) -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 6, 9, 11)
    results = []
    for fast in (False, True):
        if fast:
            assert speed_up_depthwise(nn.Sequential(layer)) == 1
        here = images.clone().requires_grad_()
        layer.zero_grad()
        out = layer(here)
        (out * torch.arange(out.numel()).view_as(out)).sum().backward()
        results.append((out.detach(), here.grad, *(p.grad.clone() for p in layer.parameters())))
    for plain, quick in zip(*results, strict=True):
        torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-2)


def test_in_bfloat16_it_stays_near_the_exact_gradient() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    images = torch.randn(2, 8, 16, 16)
    layer(images).square().sum().backward()
    exact = layer.weight.grad
    layer.weight.grad = None
    speed_up_depthwise(nn.Sequential(layer))
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(images)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    assert exact is not None
    assert layer.weight.grad is not None
    assert (layer.weight.grad - exact).abs().max() < 0.02 * exact.abs().max()


def test_all_of_the_default_encoders_are_found_and_no_name_changes() -> None:
    model = build("fpn", classes=2)
    names = list(model.state_dict())
    assert speed_up_depthwise(model) == sum(is_depthwise(m) for m in model.modules()) == 16
    assert list(model.state_dict()) == names
