"""Heads that only training uses, on what a network computes on its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Tap:
    """Where an auxiliary head drinks.

    Parameters
    ----------
    path : of the submodule whose output it reads.
    head : (B, C, h, w) to (B, classes, h, w).
    index : which one, where the submodule gives several.
    """

    path: str
    head: nn.Module
    index: int | None = None


def convolution_head(channels: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    """A 3 x 3 convolution, normalised, and a 1 x 1 to the classes: PSPNet's and DPT's alike."""
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 3, padding=1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(hidden, classes, 1),
    )


class _WithAuxiliary(nn.Module):
    """Mixed in before a network: while training it also gives what the auxiliary heads say."""

    auxiliary_heads: nn.ModuleDict
    taps: Mapping[str, tuple[str, int | None]]

    def forward(self, images: Tensor) -> Any:
        if not self.training:
            return super().forward(images)
        seen: dict[str, Tensor] = {}
        hooks = [
            self.get_submodule(path).register_forward_hook(_keep(seen, name, index))
            for name, (path, index) in self.taps.items()
        ]
        try:
            logits = super().forward(images)
        finally:
            for hook in hooks:
                hook.remove()
        heads = self.auxiliary_heads.items()
        return logits, {name: head(seen[name]) for name, head in heads}


def _keep(seen: dict[str, Tensor], name: str, index: int | None) -> Any:
    def keep(_module: nn.Module, _given: Any, made: Any) -> None:
        seen[name] = made if index is None else made[index]

    return keep


def with_auxiliary(network: nn.Module, taps: Mapping[str, Tap]) -> nn.Module:
    """The network itself, which from now on gives (logits, auxiliary outputs) while training."""
    kind: Any = type(network)
    network.__class__ = type(kind.__name__, (_WithAuxiliary, kind), {"__module__": __name__})
    network.auxiliary_heads = nn.ModuleDict({name: tap.head for name, tap in taps.items()})
    network.taps = {name: (tap.path, tap.index) for name, tap in taps.items()}  # type: ignore[assignment]
    return network
