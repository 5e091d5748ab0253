"""Optimiser, learning-rate schedule and the running mean of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from segcore.models.segmodel import SegModel
from segcore.train.recipe import Recipe


def make_optimiser(model: SegModel, recipe: Recipe, rate: float) -> torch.optim.Optimizer:
    """The recipe's optimiser; the encoder's rate is a share of the rest's.

    Kernels decay; biases and the scales of norms (all that has one axis) do not.
    """
    encoder = {id(p) for p in model.encoder_parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in encoder, parameter.ndim > 1), []).append(parameter)
    rows = [
        {
            "params": parameters,
            "lr": rate * (recipe.encoder_lr if inside else 1.0),
            "base_lr": rate * (recipe.encoder_lr if inside else 1.0),
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (inside, decays), parameters in groups.items()
    ]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(rows, lr=rate, momentum=0.9, nesterov=True)
    if recipe.optimiser == "ranger":
        return _ranger(rows, rate)
    return torch.optim.AdamW(rows, lr=rate)


def _ranger(rows: list[dict[str, Any]], rate: float) -> torch.optim.Optimizer:
    """RAdam (Liu et al. 2020, arXiv:1908.03265) whose weights are drawn half-way back every six
    steps to where they were (Lookahead, Zhang et al. 2019, arXiv:1907.08610).
    """
    from timm.optim import Lookahead

    inner = torch.optim.RAdam(rows, lr=rate, betas=(0.95, 0.999), decoupled_weight_decay=True)
    outer: torch.optim.Optimizer = Lookahead(inner, alpha=0.5, k=6)
    return outer


def poly(progress: float) -> float:
    """(1 - progress) ** 0.9, the schedule of DeepLab (Chen et al. 2017, arXiv:1606.00915)."""
    return float((1.0 - progress) ** 0.9)


def cosine(progress: float) -> float:
    """Half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983), without restarts."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """Up from 1/25 within three tenths of the run, then down to nearly nothing, by half cosines.

    Smith & Topin 2018 (arXiv:1708.07120) with the figures of torch's OneCycleLR. It has its own
    warm-up: the recipe's is not used.
    """
    low, peak, end = 1 / 25, 0.3, 1 / 25e4
    if progress < peak:
        return 1 + (low - 1) * cosine(progress / peak)
    return end + (1 - end) * cosine((progress - peak) / (1 - peak))


def constant(progress: float) -> float:
    """No fall at all."""
    return 1.0


SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "poly": poly,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "constant": constant,
}


def rate_factor(recipe: Recipe, progress: float) -> float:
    """Share of the highest learning rate at `progress` (0 .. 1) of the run, warm-up included."""
    progress = min(max(progress, 0.0), 1.0)
    if recipe.schedule == "one-cycle":
        return one_cycle(progress)
    if recipe.warmup and progress < recipe.warmup:
        return max(progress / recipe.warmup, 0.01)
    rest = (progress - recipe.warmup) / (1.0 - recipe.warmup)
    return SCHEDULES[recipe.schedule](rest)


class RunningMean:
    """Exponential moving average of a model's weights; with decay 0 the weights themselves.

    The decay rises over the first steps, min(decay, (1 + n) / (10 + n)), so that the random start
    is soon forgotten. Running statistics of norms are averaged alike; counters are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.count = 0
        self.state: dict[str, Tensor] = {}
        if decay:
            self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        if not self.decay:
            return
        self.count += 1
        keep = min(self.decay, (1 + self.count) / (10 + self.count))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - keep)
            else:
                self.state[key].copy_(value)

    def of(self, model: nn.Module) -> dict[str, Tensor]:
        """The averaged state, or the model's own where nothing is averaged."""
        return self.state if self.decay else model.state_dict()
