"""What predicting with a model costs here: parameters, memory of a tile, seconds per megapixel."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from segcore.infer.predictor import Predictor
from segcore.models.agreement import TORCH
from segcore.models.at_hand import first_weights
from segcore.models.costs import ModelCost

if TYPE_CHECKING:
    from segcore.models.segmodel import SegModel

PASSES = 3
LONGEST_S = 10.0  # after that, what was timed is enough


def measure_cost(predictor: Predictor, cancelled: Callable[[], bool] = lambda: False) -> ModelCost:
    """Predict a picture of one tile a few times, and tell what it took.

    The picture is noise: networks take as long for any picture of a size. Time is that of
    `Predictor.predict`, as a person waits for it, so the network's own engine and number format
    count; the first pass, which also compiles, does not.

    Raises
    ------
    Cancelled : `cancelled` said so; asked between two passes.
    """
    model, tile = predictor.model, predictor.tile
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (tile, tile, model.spec.channels), np.uint8)
    began = time.monotonic()
    memory = _memory(predictor, picture, cancelled)
    timed: list[float] = []
    while len(timed) < PASSES and (not timed or time.monotonic() - began < LONGEST_S):
        start = time.monotonic()
        predictor.predict(picture, cancel=cancelled)
        timed.append(time.monotonic() - start)
    return ModelCost(
        parameters=sum(p.numel() for p in model.parameters()),
        memory=memory,
        seconds=statistics.median(timed) / (picture.shape[0] * picture.shape[1] / 1e6),
        tile=predictor.tile,
        device=predictor.device.title,
        engine=predictor.engine.name,
        weights=first_weights(model.spec.encoder),
    )


def _memory(predictor: Predictor, picture: NDArray[np.uint8], cancelled: Callable[[], bool]) -> int:
    """Bytes of the numbers of a model and of the tensors it holds at once while it predicts."""
    if predictor.device.name.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(predictor.device.name)
        others = torch.cuda.memory_allocated(predictor.device.name) - held_by(predictor.model)
        predictor.predict(picture, cancel=cancelled)
        return int(torch.cuda.max_memory_allocated(predictor.device.name)) - others
    # OpenVINO's own memory cannot be seen; torch's maps are of the same sizes.
    counted = Predictor(predictor.model, predictor.device.name, engine=TORCH)
    counted.tile = predictor.tile
    with Tensors() as tensors:
        counted.predict(picture, cancel=cancelled)
    return held_by(predictor.model) + int(tensors.most)


def held_by(model: SegModel) -> int:
    """Bytes of a model's parameters and buffers."""
    return sum(int(t.numel()) * int(t.element_size()) for t in model.state_dict().values())


class Tensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that are made meanwhile and not yet gone.

    The process's own figure would not do: what an earlier model has left to the allocator is
    taken again and never seen.

    Attributes
    ----------
    most : the most bytes at any one time.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; yes would import torch's compiler, for seconds and 200 MB."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._now = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = func(*args, **(kwargs or {}))
        before = {_place(t) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        for value in tree_leaves(given):
            if isinstance(value, torch.Tensor) and _place(value) not in before:
                self._take(value.untyped_storage())
        return given

    def _take(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self._known or not size:
            return
        self._now += size
        self.most = max(self.most, self._now)
        self._known[place] = weakref.finalize(storage, self._let_go, place, size)

    def _let_go(self, place: int, size: int) -> None:
        if self._known.pop(place, None) is not None:
            self._now -= size


def _place(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
