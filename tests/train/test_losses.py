"""Every loss owes smoke, exception, value and gradient tests."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from segcore.train.losses import IGNORE, LOSSES, LossSettings, combined

NAMES = sorted(LOSSES)


def loss(
    name: str, logits: Tensor, target: Tensor, weight: Tensor | None = None, **told: object
) -> Tensor:
    return combined({name: 1.0}, logits, target, weight, LossSettings(**told))  # type: ignore[arg-type]


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
    value = loss(name, logits, target)
    assert value.shape == ()
    assert 0 <= value < 10


# -- exceptions --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_grids_that_differ_are_an_error(name: str) -> None:
    logits, target = scene()
    with pytest.raises(ValueError, match="one grid"):
        loss(name, logits, target[:, :4])
    with pytest.raises(ValueError, match="one grid"):
        loss(name, logits, target, torch.ones(2, 5, 5))
    with pytest.raises(TypeError, match="int64"):
        loss(name, logits, target.float())


# -- values ------------------------------------------------------------------------------------


def test_cross_entropy_is_torchs_with_and_without_class_weights() -> None:
    logits, target = scene()
    target[1, 2:] = IGNORE
    weights = torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)
    for chosen in (None, weights):
        expected = torch.nn.functional.cross_entropy(logits, target, chosen, ignore_index=IGNORE)
        torch.testing.assert_close(loss("ce", logits, target, class_weight=chosen), expected)


@pytest.mark.parametrize(
    ("name", "oracle"), [("dice", smp.losses.DiceLoss), ("iou", smp.losses.JaccardLoss)]
)
def test_overlap_losses_are_those_of_a_peer_where_all_classes_occur(
    name: str, oracle: type
) -> None:
    logits, target = scene()
    expected = oracle("multiclass", smooth=0.0, eps=1e-12)(logits, target)
    torch.testing.assert_close(loss(name, logits, target), expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much(name: str) -> None:
    _, target = scene()
    hot = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).double()
    assert loss(name, 100 * hot, target) < 1e-9
    assert loss(name, 100 * hot.roll(1, 1), target) > 0.99


def test_dice_of_half_an_overlap_by_hand() -> None:
    """Two pixels of class 1, one of them found: Dice 2*1/(1+2); class 0: 2*2/(3+2)."""
    target = torch.tensor([[[0, 0, 1, 1]]])
    answer = torch.tensor([[[0, 0, 0, 1]]])
    logits = 200 * torch.nn.functional.one_hot(answer, 2).movedim(-1, 1).double()
    assert float(loss("dice", logits, target)) == pytest.approx(1 - (2 / 3 + 4 / 5) / 2)
    assert float(loss("iou", logits, target)) == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("name", ["dice", "iou", "tversky", "lovasz"])
def test_a_class_that_does_not_occur_is_left_out_of_the_mean(name: str) -> None:
    logits, target = scene(classes=3)
    target[target == 2] = 1
    more = torch.cat([logits, torch.full_like(logits[:, :1], -200.0)], dim=1)
    torch.testing.assert_close(loss(name, more, target), loss(name, logits, target))


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_and_pixels_of_weight_0_change_nothing(name: str) -> None:
    logits, target = scene()
    cut = loss(name, logits[:, :, :3], target[:, :3])
    ignored = target.clone()
    ignored[:, 3:] = IGNORE
    torch.testing.assert_close(loss(name, logits, ignored), cut)
    weight = torch.ones(2, 5, 4, dtype=torch.float64)
    weight[:, 3:] = 0
    torch.testing.assert_close(loss(name, logits, target, weight), cut)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_a_target_costs_nothing_and_pulls_nowhere(name: str) -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    value = loss(name, logits, torch.full((1, 3, 3), IGNORE))
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == 0


def test_focal_is_a_peers_and_with_gamma_0_the_cross_entropy() -> None:
    logits, target = scene()
    plain = loss("ce", logits, target)
    torch.testing.assert_close(loss("focal", logits, target, gamma=0.0), plain)
    log = torch.log_softmax(logits, 1).gather(1, target[:, None])
    expected = -((1 - log.exp()) ** 2 * log).mean()
    torch.testing.assert_close(loss("focal", logits, target), expected)


def test_tversky_is_a_peers_and_with_one_half_dice() -> None:
    logits, target = scene()
    expected = smp.losses.TverskyLoss("multiclass", eps=1e-12, alpha=0.3, beta=0.7)(logits, target)
    torch.testing.assert_close(loss("tversky", logits, target), expected)
    half = loss("tversky", logits, target, alpha=0.5)
    torch.testing.assert_close(half, loss("dice", logits, target))


def test_lovasz_is_a_peers() -> None:
    logits, target = scene(dtype=torch.float32)
    expected = smp.losses.LovaszLoss("multiclass", ignore_index=IGNORE)(logits, target)
    torch.testing.assert_close(loss("lovasz", logits, target), expected)


def test_lovasz_of_a_hard_prediction_is_one_less_its_iou() -> None:
    _, target = scene()
    answer = torch.nn.functional.one_hot(target.roll(1, 2), 3).movedim(-1, 1).double() * 500
    torch.testing.assert_close(loss("lovasz", answer, target), loss("iou", answer, target))


def test_a_pixel_of_weight_2_is_two_pixels_to_every_loss_of_regions() -> None:
    logits, target = scene()
    twice = torch.cat([logits, logits[:, :, :2]], 2), torch.cat([target, target[:, :2]], 1)
    weight = torch.ones(2, 5, 4, dtype=torch.float64)
    weight[:, :2] = 2
    for name in ("ce", "dice", "iou", "focal", "tversky", "lovasz"):
        torch.testing.assert_close(loss(name, logits, target, weight), loss(name, *twice))


def test_smoothing_is_torchs() -> None:
    logits, target = scene()
    target[0, 2] = IGNORE
    expected = torch.nn.functional.cross_entropy(
        logits, target, ignore_index=IGNORE, label_smoothing=0.1
    )
    torch.testing.assert_close(loss("ce", logits, target, smoothing=0.1), expected)


def test_boundary_costs_a_wrong_pixel_its_way_to_the_outline() -> None:
    """A row of 0 0 0 1 1 1: one pixel beyond the outline lies half a pixel from it, for both."""
    target = torch.tensor([[[0, 0, 0, 1, 1, 1]]])
    for wrong, cost in ((2, 1.0), (1, 3.0), (0, 5.0)):
        answer = target.clone()
        answer[0, 0, wrong] = 1
        logits = 500 * torch.nn.functional.one_hot(answer, 2).movedim(-1, 1).double()
        assert float(loss("boundary", logits, target)) == pytest.approx(cost / 6)


def test_a_class_that_fills_a_picture_has_no_boundary_there() -> None:
    logits = torch.randn(1, 2, 4, 4)
    assert float(loss("boundary", logits, torch.zeros(1, 4, 4, dtype=torch.int64))) == 0


def test_a_weighted_sum_is_the_sum_of_its_terms() -> None:
    logits, target = scene()
    expected = loss("ce", logits, target) + 0.5 * loss("dice", logits, target)
    torch.testing.assert_close(combined({"ce": 1.0, "dice": 0.5}, logits, target), expected)


# -- gradients ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_formula(name: str) -> None:
    logits, target = scene(3)
    target[0, 1] = IGNORE
    weight = torch.rand(2, 5, 4, dtype=torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(name, x, target, weight), (logits,))
