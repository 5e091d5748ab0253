"""What OpenVINO saves on a CPU, and what `Predictor.predict` adds to the forward passes.

Budgets: on one tile (FPN on EfficientNet-Lite0, 384 x 480) OpenVINO takes at most 0.6 of what torch
takes with channels last, both in bfloat16. On a processor without it both compute in float32, and
the budget is 0.85 (an EPYC of 2021 with AVX2: 0.65 to 0.75; torch's emulated bfloat16 is thirty
times slower there). A whole picture takes at most 1.15 of the sum of its forward passes.
In turns, medians of the ratios of pairs, on one thread and in processor time: another program's
load does not count in it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from segcore.infer import Predictor
from segcore.infer.device import cpu_has_bfloat16
from segcore.infer.openvino_engine import has_bfloat16
from segcore.models import SegModel, build
from segcore.models.output import SegOutput

pytestmark = pytest.mark.bench

PAIRS = 15
MOST_OF_TORCH = {"openvino-bf16": 0.6, "openvino-f32": 0.85}
MOST_OF_FORWARDS = 1.15


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model() -> SegModel:
    torch.manual_seed(0)
    made = build("fpn", classes=11, encoder="tu-tf_efficientnet_lite0")
    return made.eval()


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


@torch.no_grad()
def test_openvino_takes_less_time_than_torch_in_the_same_format(model: SegModel) -> None:
    both = cpu_has_bfloat16() and has_bfloat16()
    torchs, ours = (f"{library}-{'bf16' if both else 'f32'}" for library in ("torch", "openvino"))
    images = torch.randn(1, 3, 384, 480)
    slow, fast = (Predictor(model, "cpu", engine=name).engine for name in (torchs, ours))
    for engine in (slow, fast):
        engine(images)
    times = []
    for pair in range(PAIRS):
        order = (slow, fast) if pair % 2 else (fast, slow)
        spent = {engine.name: seconds(lambda e=engine: e(images)) for engine in order}
        times.append((spent[ours], spent[torchs]))
    ratio = statistics.median(one / other for one, other in times)
    mine, theirs = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
    print(f"\n{ours}: {mine:.0f} ms, {torchs} channels last: {theirs:.0f} ms, ratio {ratio:.2f}")
    assert ratio <= MOST_OF_TORCH[ours]


@pytest.mark.parametrize(("height", "width"), [(384, 480), (1100, 1300)])
def test_a_whole_picture_costs_little_more_than_its_forward_passes(
    model: SegModel, height: int, width: int
) -> None:
    """The forward passes are timed inside the very prediction that they are held against."""
    predictor = Predictor(model, "cpu", engine="openvino-f32")
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    whole, inside = predictor.engine, []

    class Timed:
        name = whole.name

        def __call__(self, images: torch.Tensor) -> SegOutput:
            start = time.process_time()
            output = whole(images)
            inside.append(time.process_time() - start)
            return output

    predictor.engine = Timed()
    predictor.predict(picture)
    ratios = []
    for _ in range(PAIRS if height < 1000 else 5):
        inside.clear()
        spent = seconds(lambda: predictor.predict(picture))
        ratios.append(spent / sum(inside))
    ratio = statistics.median(ratios)
    print(
        f"\n{height} x {width}: {len(inside)} tiles, {sum(inside) * 1000:.0f} ms in forward passes"
    )
    print(f"the whole prediction takes {ratio:.2f} of them")
    assert ratio <= MOST_OF_FORWARDS
