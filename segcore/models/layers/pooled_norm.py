"""Batch normalisation that also trains on a single value a channel.

Pyramid pooling, image pooling and squeezed attention end in maps of one pixel. In a batch of one
there is then one number a channel: its deviation is zero, and torch refuses to normalise by it.
"""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Lone(nn.Module):
    """Mixed in before a batch normalisation."""

    def forward(self, values: Tensor, *further: Any) -> Tensor:
        norm = cast("_BatchNorm", self)
        alone = norm.training and norm.track_running_stats and values.numel() == values.shape[1]
        if not alone:
            return cast("Tensor", super().forward(values, *further))
        norm.training = False
        try:
            return cast("Tensor", super().forward(values, *further))
        finally:
            norm.training = True


_kinds: dict[type, Any] = {}


def _lone(kind: type) -> Any:
    if kind not in _kinds:
        _kinds[kind] = type(kind.__name__, (_Lone, kind), {"__module__": __name__})
    return _kinds[kind]


def let_batches_of_one_train(network: nn.Module) -> nn.Module:
    """Let every batch normalisation of a network take a batch of one whose maps are one pixel.

    Such a batch is normalised by the running statistics and leaves them as they are: it says
    nothing about a spread. All other batches, and all of evaluation, are computed as before; names
    and number of the tensors stay. A norm without running statistics is left alone.

    Returns
    -------
    The network itself.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, _Lone):
            # The class and not the module is replaced: timm's norms carry their activation along,
            # and whoever holds a module keeps it.
            module.__class__ = _lone(type(module))
    return network
