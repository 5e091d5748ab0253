"""What computes a model's forward pass: torch in one of two number formats, or OpenVINO.

The one rule of choice stands here: the fastest engine that this machine has and that the model's
self-description knows to agree with torch in float32 (`segcore.models.agreement`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from segcore.infer import openvino_engine
from segcore.infer.device import Device
from segcore.infer.openvino_engine import NotConverted, OpenVinoEngine
from segcore.models.agreement import TORCH, may_compute

if TYPE_CHECKING:
    from segcore.models.output import SegOutput
    from segcore.models.segmodel import SegModel


class Engine(Protocol):
    """Computes one model, on one thread at a time."""

    @property
    def name(self) -> str:
        """One of `segcore.models.agreement.ENGINES`."""
        ...

    def __call__(self, images: Tensor) -> SegOutput:
        """What the model gives for prepared images.

        Parameters
        ----------
        images : (B, channels, H, W) float32 on the predictor's device; height and width as
            `SegModel.padded` gives them, unless the model has losses of its own.

        Returns
        -------
        Its logits may lie in memory that the next call writes again.
        """
        ...


class TorchEngine:
    """The model itself, channels last.

    Parameters
    ----------
    model : on the device, in evaluation.
    bfloat16 : let torch compute those operators in it that it deems fit.
    """

    def __init__(self, model: SegModel, device: Device, *, bfloat16: bool = False) -> None:
        self.name = "torch-bf16" if bfloat16 else TORCH
        self._model = model
        self._kind = device.name.partition(":")[0]
        self._bfloat16 = bfloat16

    def __call__(self, images: Tensor) -> SegOutput:
        with torch.autocast(self._kind, torch.bfloat16, enabled=self._bfloat16):
            output: SegOutput = self._model(images.contiguous(memory_format=torch.channels_last))
        return output


def candidates(model: SegModel, device: Device) -> Iterator[str]:
    """The engines that pay here, fastest first; torch in float32 is the last one."""
    if device.name == "cpu" and not openvino_engine.refusal(model):
        if openvino_engine.has_bfloat16():
            yield "openvino-bf16"
        yield "openvino-f32"
    if device.bfloat16:
        yield "torch-bf16"
    yield TORCH


def make_engine(name: str, model: SegModel, device: Device, folder: Path | None = None) -> Engine:
    """The engine of this name, whatever is known of its answers.

    Parameters
    ----------
    folder : of the model, where OpenVINO keeps its conversion; None keeps none.

    Raises
    ------
    NotConverted : OpenVINO cannot compute the model.
    """
    kind, _, precision = name.partition("-")
    if kind == "openvino":
        return OpenVinoEngine(model, precision, folder)
    return TorchEngine(model, device, bfloat16=precision == "bf16")


def best_engine(model: SegModel, device: Device, folder: Path | None) -> Engine:
    """The fastest engine whose answers are known to be torch's; nothing else is ever used.

    A model that says nothing of an engine (an older one, or one whose images were never there to
    compare) is computed by torch in float32.
    """
    for name in candidates(model, device):
        if may_compute(model.spec.engines, name):
            try:
                return make_engine(name, model, device, folder)
            except NotConverted:  # it could when it was compared, elsewhere
                continue
    return TorchEngine(model, device)
