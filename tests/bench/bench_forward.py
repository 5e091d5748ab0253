"""What a model's wrapping adds to the forward pass of the bare network of smp.

Budget: 1.05 times the bare module for the three fastest architectures that smp has, in turns, 30
pairs, median of their ratios, in processor time (another program's load does not count in it).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from segcore.models import architectures, build
from segcore.models.segmodel import SegModel

pytestmark = pytest.mark.bench

PAIRS = 30
NAMES = [name for name, row in architectures().items() if row.peer and name != "dpt"]


def milliseconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1000


def bare(model: SegModel) -> nn.Module:
    """Smp's own module with the same numbers, made anew: nothing of ours is in it."""
    row = architectures()[model.spec.architecture]
    network = row.builder(model.spec)
    network.__class__ = getattr(smp, row.peer)
    network.load_state_dict(model.network.state_dict())
    return network.eval()


def in_turns(
    ours: nn.Module, theirs: nn.Module, images: torch.Tensor
) -> tuple[float, float, float]:
    """Milliseconds of both and the median of the pairs' ratios; each goes first in every other."""
    spent: list[tuple[float, float]] = []
    for pair in range(PAIRS):
        order = (theirs, ours) if pair % 2 else (ours, theirs)
        times = {id(module): milliseconds(lambda m=module: m(images)) for module in order}
        spent.append((times[id(ours)], times[id(theirs)]))
    ratio = statistics.median(mine / bare for mine, bare in spent)
    return statistics.median(m for m, _ in spent), statistics.median(b for _, b in spent), ratio


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@torch.no_grad()
def test_a_forward_pass_costs_at_most_a_twentieth_more_than_the_bare_network(
    one_thread: None,
) -> None:
    images = torch.randn(1, 3, 256, 320)
    models = {name: build(name, classes=11).eval() for name in NAMES}
    once = {
        name: min(milliseconds(lambda m=model: m(images)) for _ in range(3))
        for name, model in models.items()
    }
    ratios = []
    for name in sorted(NAMES, key=once.__getitem__)[:3]:
        model, network = models[name], bare(models[name])
        assert torch.equal(model(images).logits, network(images))
        ours, theirs, ratio = in_turns(model, network, images)
        print(
            f"\n{name}: {ours:.1f} ms, bare {theirs:.1f} ms, median of {PAIRS} ratios {ratio:.3f}"
        )
        ratios.append(ratio)
    assert max(ratios) <= 1.05
