"""PointRend decides points anew, and only where the coarse prediction is in doubt."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch
from torch import nn
from torch.nn import functional

from segcore.base import ClassSet, MaskwrightError
from segcore.models import SegModel, build, for_project
from segcore.models.layers.pointrend import PointRend
from segcore.models.layers.points import sample, uncertain_places, uncertainty

TINY = {"encoder": "", "base": "naive", "base_options": {"widths": [8, 16, 32]}}


def tiny(**options: object) -> SegModel:
    torch.manual_seed(1)
    model = build("pointrend", classes=["a", "b", "c"], **(TINY | options))  # type: ignore[arg-type]
    nn.init.normal_(model.network.point_head.predictor.weight)
    return model.eval()


def test_a_sample_at_a_pixels_centre_is_that_pixel() -> None:
    maps = torch.randn(2, 4, 5, 7)
    y, x = torch.meshgrid(torch.arange(5), torch.arange(7), indexing="ij")
    places = torch.stack(((x + 0.5) / 7, (y + 0.5) / 5), -1).reshape(1, 35, 2).expand(2, -1, -1)
    torch.testing.assert_close(sample(maps, places), maps.flatten(2))


def test_doubt_is_largest_where_the_two_best_classes_are_nearest() -> None:
    scores = torch.tensor([[[5.0, 1.0, 0.0], [4.0, 1.0, -9.0], [0.0, 0.9, -3.0]]])
    torch.testing.assert_close(uncertainty(scores), torch.tensor([[-1.0, 0.0, -3.0]]))
    alone = torch.tensor([[[-2.0, 0.5]]])  # one class: its score's distance from zero
    torch.testing.assert_close(uncertainty(alone), torch.tensor([[-2.0, -0.5]]))


def test_in_use_only_the_most_uncertain_points_are_decided_anew() -> None:
    model = tiny(refined=100)
    images = torch.randn(2, 3, 40, 48)
    with torch.no_grad():
        coarse, fine = model.network.base(images), model(images).logits
    changed = (coarse != fine).any(1).flatten(1)
    assert (changed.sum(1) == 100).all()
    doubt = uncertainty(coarse.flatten(2))
    for picture in range(2):
        assert doubt[picture][changed[picture]].min() >= doubt[picture][~changed[picture]].max()


def test_what_is_decided_anew_is_what_the_head_says_of_that_point() -> None:
    model = tiny(refined=40 * 48)
    network = model.network
    images = torch.randn(1, 3, 40, 48)
    seen: list[torch.Tensor] = []
    layer = network.base.get_submodule(network.base.fine_layer)
    handle = layer.register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        coarse = network.base(images)
        handle.remove()
        fine = functional.interpolate(seen[0], size=(40, 48), mode="bilinear")
        by_hand = network.point_head(fine.flatten(2), coarse.flatten(2)).view_as(coarse)
        torch.testing.assert_close(model(images).logits, by_hand, atol=1e-4, rtol=1e-4)


def test_a_coarse_prediction_is_doubled_until_it_has_the_pictures_size() -> None:
    model = build("pointrend", classes=2, encoder="resnet18", base="deeplab", refined=8).eval()
    network = model.network
    assert isinstance(network, PointRend)
    assert network.coarse_stride == 8
    sizes: list[int] = []
    network.point_head.register_forward_hook(lambda _, given, __: sizes.append(given[0].shape[-1]))
    with torch.no_grad():
        assert model(torch.randn(1, 3, 64, 80)).logits.shape == (1, 2, 64, 80)
    assert sizes == [8, 8, 8], "three doublings from stride 8 to 1"


def test_training_draws_mostly_uncertain_points_and_some_evenly() -> None:
    torch.manual_seed(0)
    # The left half is certain, the right half is not.
    coarse = torch.zeros(1, 3, 32, 32)
    coarse[:, 0, :, :16] = 9.0
    places = uncertain_places(coarse, 400, oversample=3, importance=0.75)
    assert places.shape == (1, 400, 2)
    left = (places[0, :, 0] < 0.45).float()
    assert not left[:300].any(), "three quarters are the most uncertain ones"
    assert 0.3 < left[300:].mean() < 0.6, "the rest falls anywhere"


def test_fine_tuning_carries_the_classes_that_the_head_reads() -> None:
    old = tiny(refined=64)
    new, _ = for_project(old, ClassSet.from_names(["c", "d", "a"]))
    there, here = old.network.point_head, new.network.point_head
    fine, coarse = torch.randn(1, 32, 9), torch.randn(1, 3, 9)
    with torch.no_grad():
        # What the old head did not know is not listened to yet; b comes last.
        again = torch.stack((coarse[:, 2], torch.randn(1, 9), coarse[:, 0], coarse[:, 1]), 1)
        torch.testing.assert_close(here(fine, again)[:, [2, 3, 0]], there(fine, coarse))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base": "pointrend"}, "refines a semantic model"),
        ({"base": "panoptic_fpn"}, "Panoptic FPN is neither"),
        ({"base": "nonet"}, "nonet"),
        ({"base": "fpn", "base_options": {"colour": 1}}, "colour"),
        ({"base": "segnet", "encoder": "resnet18"}, "SegNet needs"),
    ],
)
def test_a_base_that_cannot_be_refined_is_refused_in_a_sentence(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(MaskwrightError, match=words) as caught:
        build("pointrend", classes=2, **options)  # type: ignore[arg-type]
    assert caught.value.hint


class Coarse(nn.Module):
    """The least base there can be: a map of stride 4, and scores of stride 8."""

    input_multiple = 8

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 5, 2, 2), nn.ReLU(), nn.Conv2d(32, 32, 5, 2, 2), nn.ReLU()
        )
        self.pool = nn.AvgPool2d(2)
        self.segmentation_head = nn.Conv2d(32, classes, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = self.segmentation_head(self.pool(self.encoder(images)))
        return functional.interpolate(scores, scale_factor=8, mode="bilinear")


def test_points_decided_anew_are_right_more_often_than_the_coarse_prediction(
    shared_data: Path,
) -> None:
    """Trained on a real street for a few seconds; judged where the two disagree."""
    name = sorted((shared_data / "camvid/train/images").glob("*.jpg"))[50].stem
    picture = cv2.imread(str(shared_data / f"camvid/train/images/{name}.jpg"))
    label = cv2.imread(str(shared_data / f"camvid/train/labels/{name}.png"), cv2.IMREAD_UNCHANGED)
    picture, label = picture[60:252:2, 100:356:2], label[60:252:2, 100:356:2]
    images = torch.from_numpy(picture / 255.0).float().permute(2, 0, 1)[None] - 0.5
    truth = torch.from_numpy(label.astype("int64"))[None]
    torch.manual_seed(0)
    network = PointRend(Coarse(12), 3, 12, points=512, refined=512).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.003)
    for _ in range(250):
        coarse, aux = network(images)
        places = aux["rend_places"].long()
        there = truth[0, places[0, :, 1].clamp(0, 95), places[0, :, 0].clamp(0, 127)][None]
        loss = functional.cross_entropy(coarse, truth) + functional.cross_entropy(
            aux["rend_points"], there
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        before, after = network.base(images).argmax(1), network.eval()(images).argmax(1)
    other = before != after
    assert other.sum() > 100
    right_before, right_after = ((a == truth)[other].float().mean() for a in (before, after))
    assert right_after > right_before + 0.1
