"""A model's folder: whole, small, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segcore.base import BadFile
from segcore.models import SegModel, build, find_models, load_model, model_digest, save_model


@pytest.fixture(scope="module")
def model() -> SegModel:
    torch.manual_seed(0)
    return build("unet", classes=["a", "b"], encoder="resnet18").eval()


def test_a_saved_model_comes_back_bit_for_bit(model: SegModel, tmp_path: Path) -> None:
    digest = save_model(model, tmp_path / "m")
    back = load_model(tmp_path / "m")
    assert back.spec == model.spec
    assert digest == model_digest(tmp_path / "m")
    for key, value in model.state_dict().items():
        assert torch.equal(back.state_dict()[key], value), key
    assert not back.training
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["model.json", "model.safetensors"]


def test_half_precision_halves_the_file_and_hardly_moves_the_output(
    model: SegModel, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "full")
    save_model(model, tmp_path / "half", half=True)
    size = {n: (tmp_path / n / "model.safetensors").stat().st_size for n in ("full", "half")}
    assert size["half"] < 0.51 * size["full"]
    back = load_model(tmp_path / "half")
    assert all(p.dtype == torch.float32 for p in back.parameters())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        there, here = model(images).logits, back(images).logits
    assert (there - here).abs().max() < 0.02 * there.abs().max()


def test_weights_that_do_not_fit_their_description_are_refused(
    model: SegModel, tmp_path: Path
) -> None:
    save_model(model, tmp_path)
    other = build("unet", classes=3, encoder="resnet18")
    other.spec.write(tmp_path / "model.json")
    with pytest.raises(BadFile, match=r"do not fit its model\.json"):
        load_model(tmp_path)


def test_models_are_found_by_folder_and_the_first_of_a_name_wins(
    model: SegModel, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "project" / "mine")
    save_model(model, tmp_path / "shipped" / "mine")
    save_model(model, tmp_path / "shipped" / "other")
    (tmp_path / "shipped" / "no model").mkdir()
    found = find_models([tmp_path / "project", tmp_path / "shipped", tmp_path / "gone"])
    assert found == {
        "mine": tmp_path / "project" / "mine",
        "other": tmp_path / "shipped" / "other",
    }
