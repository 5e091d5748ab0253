"""Every loss owes smoke, exception, value and gradient tests."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from segcore.train.losses import IGNORE, LOSSES, combined, cross_entropy, dice, iou

NAMES = sorted(LOSSES)


def scene(
    seed: int = 0, classes: int = 3, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    logits = torch.randn(2, classes, 5, 4, dtype=dtype)
    target = torch.randint(0, classes, (2, 5, 4))
    target[0, 0, :classes] = torch.arange(classes)
    return logits, target


# -- smoke -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 3, 4, 5), (1, 4, 2, 3, 3)])
def test_any_number_of_axes_gives_one_finite_number(name: str, shape: tuple[int, ...]) -> None:
    logits = torch.randn(*shape)
    target = torch.randint(0, shape[1], (shape[0], *shape[2:]))
    value = LOSSES[name](logits, target)
    assert value.shape == ()
    assert 0 <= value < 10


# -- exceptions --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_grids_that_differ_are_an_error(name: str) -> None:
    logits, target = scene()
    with pytest.raises(ValueError, match="one grid"):
        LOSSES[name](logits, target[:, :4])
    with pytest.raises(ValueError, match="one grid"):
        LOSSES[name](logits, target, torch.ones(2, 5, 5))
    with pytest.raises(TypeError, match="int64"):
        LOSSES[name](logits, target.float())


# -- values ------------------------------------------------------------------------------------


def test_cross_entropy_is_torchs_with_and_without_class_weights() -> None:
    logits, target = scene()
    target[1, 2:] = IGNORE
    weights = torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)
    for chosen in (None, weights):
        expected = torch.nn.functional.cross_entropy(logits, target, chosen, ignore_index=IGNORE)
        torch.testing.assert_close(cross_entropy(logits, target, None, chosen), expected)


@pytest.mark.parametrize(
    ("name", "oracle"), [("dice", smp.losses.DiceLoss), ("iou", smp.losses.JaccardLoss)]
)
def test_overlap_losses_are_those_of_a_peer_where_all_classes_occur(
    name: str, oracle: type
) -> None:
    logits, target = scene()
    expected = oracle("multiclass", smooth=0.0, eps=1e-12)(logits, target)
    torch.testing.assert_close(LOSSES[name](logits, target), expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much(name: str) -> None:
    _, target = scene()
    hot = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).double()
    assert LOSSES[name](100 * hot, target) < 1e-9
    assert LOSSES[name](100 * hot.roll(1, 1), target) > 0.99


def test_dice_of_half_an_overlap_by_hand() -> None:
    """Two pixels of class 1, one of them found: Dice 2*1/(1+2); class 0: 2*2/(3+2)."""
    target = torch.tensor([[[0, 0, 1, 1]]])
    answer = torch.tensor([[[0, 0, 0, 1]]])
    logits = 200 * torch.nn.functional.one_hot(answer, 2).movedim(-1, 1).double()
    assert float(dice(logits, target)) == pytest.approx(1 - (2 / 3 + 4 / 5) / 2)
    assert float(iou(logits, target)) == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("name", ["dice", "iou"])
def test_a_class_that_does_not_occur_is_left_out_of_the_mean(name: str) -> None:
    logits, target = scene(classes=3)
    target[target == 2] = 1
    more = torch.cat([logits, torch.full_like(logits[:, :1], -200.0)], dim=1)
    torch.testing.assert_close(LOSSES[name](more, target), LOSSES[name](logits, target))


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_and_pixels_of_weight_0_change_nothing(name: str) -> None:
    logits, target = scene()
    cut = LOSSES[name](logits[:, :, :3], target[:, :3])
    ignored = target.clone()
    ignored[:, 3:] = IGNORE
    torch.testing.assert_close(LOSSES[name](logits, ignored), cut)
    weight = torch.ones(2, 5, 4, dtype=torch.float64)
    weight[:, 3:] = 0
    torch.testing.assert_close(LOSSES[name](logits, target, weight), cut)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_a_target_costs_nothing_and_pulls_nowhere(name: str) -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    value = LOSSES[name](logits, torch.full((1, 3, 3), IGNORE))
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == 0


def test_a_weighted_sum_is_the_sum_of_its_terms() -> None:
    logits, target = scene()
    expected = cross_entropy(logits, target) + 0.5 * dice(logits, target)
    torch.testing.assert_close(combined({"ce": 1.0, "dice": 0.5}, logits, target), expected)


# -- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_formula(name: str) -> None:
    logits, target = scene(3)
    target[0, 1] = IGNORE
    weight = torch.rand(2, 5, 4, dtype=torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, target, weight), (logits,))
