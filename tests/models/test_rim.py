"""Beyond its rim a picture is its mirror image, for training and for prediction alike."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcore.infer import Predictor
from segcore.models import build
from segcore.models.agreement import TORCH
from segcore.models.rim import extended, mirrored

SIDES = st.integers(1, 40)


@given(height=SIDES, width=SIDES, below=st.integers(0, 90), right=st.integers(0, 90))
def test_a_picture_is_extended_as_numpy_reflects_it(
    height: int, width: int, below: int, right: int
) -> None:
    image = np.random.default_rng(height).random((2, height, width), np.float32)
    expected = np.pad(image, ((0, 0), (0, below), (0, right)), "reflect")
    found = extended(torch.from_numpy(image), height + below, width + right)
    assert (found.numpy() == expected).all()


@given(count=SIDES, before=st.integers(0, 90), behind=st.integers(0, 90))
def test_an_axis_is_mirrored_to_both_sides(count: int, before: int, behind: int) -> None:
    expected = np.pad(np.arange(count), (before, behind), "reflect")
    assert (mirrored(np.arange(-before, count + behind), count) == expected).all()


def test_a_model_answers_as_for_the_picture_and_its_mirror_image() -> None:
    torch.manual_seed(3)
    model = build("fpn", classes=["a", "b", "c"], encoder="resnet18").eval()
    image = np.random.default_rng(5).integers(0, 256, (45, 70, 3), np.uint8)
    whole = np.pad(image, ((0, 19), (0, 26), (0, 0)), "reflect")
    predictor = Predictor(model, "cpu", engine=TORCH)
    here, there = predictor.predict(image), predictor.predict(whole)
    assert (here.confidence == there.confidence[:45, :70]).all()
    assert (here.classes == there.classes[:45, :70]).all()
    values = torch.from_numpy(whole.transpose(2, 0, 1)[None] / np.float32(255))
    with torch.no_grad():
        cut = model(values[..., :45, :70]).logits
        assert torch.equal(cut, model(values).logits[..., :45, :70])
