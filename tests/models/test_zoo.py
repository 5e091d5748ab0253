"""What every registered architecture owes, whoever wrote it. A new one is tested by being there."""

from __future__ import annotations

from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from zoo import CASES, classes_for, finds_objects, named, one_number, small, while_training

from segcore.base import ClassSet
from segcore.models import SegModel, architectures, build, for_project, load_model, save_model

OLD = ClassSet.from_names(["sky", "road", "car"])
NEW = ClassSet.from_names(["car", "tree", "sky"])


@pytest.fixture(scope="module", params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def _built(name: str) -> SegModel:
    torch.manual_seed(0)
    model = small(name, classes=OLD)
    _lived_in(model)
    return model


@pytest.fixture
def model(_built: SegModel) -> SegModel:
    _built.zero_grad()
    return _built.eval()


def _lived_in(model: SegModel) -> None:
    """Statistics and a head that are not those of the first day, so that mixing them up shows."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    for head in (model.head, *model.auxiliary_heads):
        nn.init.normal_(head.weight, std=0.1)
        if head.bias is not None:
            nn.init.normal_(head.bias)


@torch.no_grad()
def logits_of(model: SegModel, images: Tensor) -> Tensor:
    return model.eval()(images).logits


@pytest.mark.parametrize("size", [(33, 70), (1, 1)])
def test_logits_have_the_size_of_any_picture(model: SegModel, size: tuple[int, int]) -> None:
    logits = logits_of(model, torch.randn(2, 3, *size))
    assert logits.shape == (2, 3, *size)
    assert logits.isfinite().all()


def test_what_is_padded_does_not_depend_on_the_rest_of_the_batch(model: SegModel) -> None:
    images = torch.randn(2, 3, 40, 56)
    together = logits_of(model, images)
    close = torch.isclose(logits_of(model, images[1:]), together[1:], atol=1e-4, rtol=1e-4)
    # Rounding may move which pixel was the largest, where a network remembers that (SegNet, ENet).
    assert close.float().mean() > 0.99


def test_every_number_that_is_trained_gets_a_gradient_from_a_batch_of_one(
    model: SegModel,
) -> None:
    torch.manual_seed(1)
    output = while_training(model, torch.randn(1, 3, 40, 70))
    assert output.logits.shape == (1, 3, 40, 70)
    for key, value in output.aux.items():
        if value.ndim == 4 and not key.endswith("_coarse"):
            assert value.shape[-2:] == (40, 70), key
    one_number(output).backward()
    trained = {key: p for key, p in model.named_parameters() if p.requires_grad}
    without = [key for key, p in trained.items() if p.grad is None]
    assert not without
    assert all(p.grad.isfinite().all() for p in trained.values() if p.grad is not None)


def test_a_saved_model_comes_back_with_the_same_outputs(model: SegModel, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    back = load_model(tmp_path)
    assert back.spec == model.spec
    images = torch.randn(1, 3, 50, 70)
    assert torch.equal(logits_of(back, images), logits_of(model, images))


def test_fine_tuning_takes_every_class_over_by_name(name: str, model: SegModel) -> None:
    new, plan = for_project(model, classes_for(name, NEW))
    assert plan.copied == {0: 2, 2: 0, 3: 1}
    images = torch.randn(1, 3, 64, 64)
    here, there = logits_of(new, images), logits_of(model, images)
    torch.testing.assert_close(here[:, [0, 2, 3]], there[:, [2, 0, 1]], atol=1e-4, rtol=1e-5)
    for mine, old in zip(new.auxiliary_heads, model.auxiliary_heads, strict=True):
        assert torch.equal(mine.weight[[0, 2, 3]], old.weight[[2, 0, 1]])


def test_in_evaluation_a_network_of_smp_computes_what_smp_computes(model: SegModel) -> None:
    row = architectures()[model.spec.architecture]
    if not row.peer:
        assert "smp" not in row.licence, "what is smp's says whose it is"
        return
    theirs = getattr(smp, row.peer)
    assert isinstance(model.network, theirs)
    images = torch.randn(1, 3, 128, 64 if row.name != "pan" else 128)
    with torch.no_grad():
        expected = theirs.forward(model.eval().network, images)
    assert torch.equal(logits_of(model, images), expected)


def test_grey_pictures_are_taken_as_they_are(name: str) -> None:
    grey = small(name, channels=1)
    assert logits_of(grey, torch.randn(1, 1, 64, 64)).shape == (1, 3, 64, 64)


def test_seven_channels_and_sixty_classes(name: str) -> None:
    wide = small(name, channels=7, classes=60)
    output = while_training(wide, torch.randn(2, 7, 64, 64))
    assert output.logits.shape == (2, 60, 64, 64)
    one_number(output).backward()
    assert wide.head.weight.grad is not None
    assert wide.head.weight.shape[0] == 60


def test_a_model_says_of_itself_what_it_does(name: str, model: SegModel) -> None:
    assert model.finds_objects == finds_objects(name) == model.own_losses
    assert set(model.spec.tasks) <= set(architectures()[model.spec.architecture].tasks)


def test_every_row_says_what_a_card_needs(name: str) -> None:
    row = architectures()[named(name)[0]]
    assert row.idea.endswith(".")
    assert len(row.idea) <= 100
    assert row.title != row.name
    for option in row.options:
        assert option.takes(option.default), option.name
    assert row.refuses(row.encoder) is None or not row.encoder


@pytest.mark.slow("builds every architecture on its own encoder, 0.4 to 134 million numbers each")
@pytest.mark.parametrize("name", CASES)
def test_as_it_comes_it_trains_saves_and_predicts(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    architecture, options = named(name)
    model = build(architecture, classes=classes_for(name, OLD), **options)
    one_number(while_training(model, torch.randn(1, 3, 64, 96))).backward()
    assert not [k for k, p in model.named_parameters() if p.requires_grad and p.grad is None]
    save_model(model, tmp_path)
    images = torch.randn(1, 3, 50, 70)
    assert torch.equal(logits_of(load_model(tmp_path), images), logits_of(model, images))
