"""A model as an ONNX file, for programs that run such files faster than torch does.

The file holds the network alone, for one size: pictures are prepared and padded outside
(`segcore.models.prepare`, `SegModel.input_multiple`, `SegModel.least_size`).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcore.base import MaskwrightError

if TYPE_CHECKING:
    from torch import Tensor

    from segcore.models.segmodel import SegModel


def export_onnx(model: SegModel, path: Path, height: int, width: int, *, batch: int = 1) -> None:
    """Write the network of a model for one size of pictures.

    Parameters
    ----------
    path : of the file; its one input is (batch, channels, height, width) float32, its one output
        the logits, (batch, classes, height, width) float32.
    height, width : multiples of ``model.input_multiple``, at least ``model.least_size``.

    Raises
    ------
    MaskwrightError : a model that finds objects, which has no ONNX form; the size does not fit, or
        what writes ONNX is not installed.
    """
    import torch

    name = model.spec.architecture
    if model.finds_objects:
        raise MaskwrightError(
            f"{name} cannot be written as ONNX: how many objects it finds differs from picture to "
            "picture, and ONNX fixes all sizes.",
            "Predict with torch.",
        )
    step, least = model.input_multiple, model.least_size
    if height % step or width % step or min(height, width) < least:
        raise MaskwrightError(
            f"{height} x {width} pixels is no size that {name} computes without padding.",
            f"Give multiples of {step} that are not below {least}.",
        )
    images = torch.zeros(batch, model.spec.channels, height, width)
    images = images.to(next(model.parameters()).device)
    was = model.training
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's, about its own future
            program: Any = torch.onnx.export(
                logits_of(model.eval()), (images,), dynamo=True, verbose=False
            )
    except ImportError as error:
        raise MaskwrightError(
            "ONNX files cannot be written: a package is missing.", "Install onnx and onnxscript."
        ) from error
    finally:
        model.train(was)
    program.save(path)


def logits_of(model: SegModel) -> Any:
    """The network of a model as a module that gives the logits alone, in evaluation."""
    from torch import nn

    class Logits(nn.Module):
        """The network without what else it may give."""

        def __init__(self) -> None:
            super().__init__()
            self.network = model.network

        def forward(self, images: Tensor) -> Any:
            given = self.network(images)
            return given[0] if isinstance(given, tuple) else given

    return Logits().eval()
