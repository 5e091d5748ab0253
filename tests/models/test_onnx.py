"""A network written as ONNX computes what it computes in torch."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from zoo import CASES, finds_objects, small

from segcore.base import MaskwrightError
from segcore.models import SegModel
from segcore.models.onnx_export import export_onnx

SIZE = (128, 160)


def agrees(model: SegModel, path: Path) -> None:
    was = model.training
    export_onnx(model, path, *SIZE)
    assert model.training is was
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = torch.randn(1, 3, *SIZE)
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.no_grad():
        expected = model.eval()(images).logits
    torch.testing.assert_close(
        torch.from_numpy(found), expected, atol=1e-5 * float(expected.abs().max()), rtol=0
    )


def test_the_cheapest_network_agrees_and_keeps_its_mode(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = small("segformer").train()
    agrees(model, tmp_path / "model.onnx")


@pytest.mark.slow("torch's exporter takes 5 to 40 seconds a network")
@pytest.mark.parametrize("name", [c for c in CASES if not finds_objects(c)])
def test_every_network_agrees(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    agrees(small(name), tmp_path / "model.onnx")


def test_what_finds_objects_has_no_onnx_form_and_says_why(tmp_path: Path) -> None:
    for name in filter(finds_objects, CASES):
        with pytest.raises(MaskwrightError, match="how many objects it finds differs"):
            export_onnx(small(name), tmp_path / "model.onnx", *SIZE)


def test_a_size_that_would_be_padded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaskwrightError, match="no size"):
        export_onnx(small("pan"), tmp_path / "model.onnx", 64, 64)
    with pytest.raises(MaskwrightError, match="multiples of 32"):
        export_onnx(small("fpn"), tmp_path / "model.onnx", 100, 100)
