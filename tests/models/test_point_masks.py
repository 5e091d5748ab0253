"""PointRend's masks of objects: coarse from the box, fine where they are in doubt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from segcore.models import SegModel, Targets, build, make_spec
from segcore.models.layers.detection import ObjectHeads
from segcore.models.layers.object_targets import encode, masks_on_boxes
from segcore.models.layers.panet import BottomUpPath, FusedBoxHead
from segcore.models.layers.point_masks import (
    CoarseMasks,
    FinestPool,
    PointRefiner,
    inside,
    sample_in_boxes,
)

FEW = {
    "pyramid_channels": 32,
    "box_features": 64,
    "proposals": 50,
    "sampled": 32,
    "detections": 20,
}


def on(base: str, **options: object) -> SegModel:
    torch.manual_seed(0)
    settings = {"encoder": "tu-test_resnet", "base_options": FEW} | options
    return build("pointrend", classes=2, base=base, **settings)  # type: ignore[arg-type]


def coordinates(height: int, width: int) -> Tensor:
    """A map of stride 4 whose two channels are x and y in pixels of the picture."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack((x, y))[None] + 0.5) * 4


def test_features_are_read_at_places_across_the_boxes_of_each_picture() -> None:
    fine = torch.cat((coordinates(20, 30), -coordinates(20, 30)))
    boxes = [torch.tensor([[20.0, 10, 60, 50]]), torch.tensor([[8.0, 8, 40, 24], [50, 30, 90, 70]])]
    places = 0.1 + 0.8 * torch.rand(3, 5, 2)
    found = sample_in_boxes(fine, boxes, places)
    assert found.shape == (3, 2, 5)
    expected = inside(torch.cat(boxes), places).transpose(1, 2) * torch.tensor(
        [[[1]], [[-1]], [[-1]]]
    )
    torch.testing.assert_close(found, expected)


def test_the_pool_is_a_regular_grid_whose_first_cell_has_its_centre_in_the_corner() -> None:
    (box,) = FinestPool(14)([coordinates(20, 30)], [torch.tensor([[20.0, 10, 48, 52]])])
    torch.testing.assert_close(box[0, 0], 20 + 28 * (torch.arange(14) + 0.5) / 14)
    torch.testing.assert_close(box[1, :, 0], 10 + 42 * (torch.arange(14) + 0.5) / 14)


def test_pictures_without_a_box_take_and_give_nothing() -> None:
    none = [torch.zeros(0, 4), torch.zeros(0, 4)]
    maps = [torch.randn(2, 16, 8, 8)]
    assert FinestPool(14)(maps, none).shape == (0, 16, 14, 14)
    refiner = PointRefiner(16, 3)
    coarse = CoarseMasks(16, 3, 8)(torch.zeros(0, 16, 14, 14))
    assert refiner.draw(maps[0], none, coarse, torch.zeros(0, dtype=torch.long)).shape == (
        0,
        224,
        224,
    )


def test_a_mask_costs_what_the_paper_counts() -> None:
    """0.9 billion multiply-adds for 224 x 224 and 80 classes."""
    refiner, coarse = PointRefiner(256, 80).eval(), CoarseMasks(256, 80, 1024)
    decided: list[int] = []
    refiner.head.register_forward_hook(lambda _, __, out: decided.append(out.shape[-1]))
    with torch.no_grad():
        pooled = FinestPool(14)([torch.randn(1, 256, 8, 8)], [torch.tensor([[3.0, 3, 30, 30]])])
        masks = coarse(pooled)
        assert masks.shape == (1, 80, 7, 7)
        fine = torch.randn(1, 256, 8, 8)
        drawn = refiner.draw(fine, [torch.tensor([[3.0, 3, 30, 30]])], masks, torch.tensor([5]))
    assert drawn.shape == (1, 224, 224)
    assert decided == [784, 784, 784, 784], "14 x 14 is passed over: 28 x 28 is decided whole"
    layers = [m for m in refiner.head.modules() if isinstance(m, nn.Conv1d)]
    of_points = sum(decided) * sum(m.weight.numel() for m in layers)
    of_coarse = 49 * coarse.halve.weight.numel() + sum(
        weight.numel() for weight in (coarse.first.weight, coarse.second.weight, coarse.masks)
    )
    assert round((of_points + of_coarse) / 1e9, 1) == 0.9


def test_only_points_in_doubt_are_decided_anew_and_only_of_the_objects_class() -> None:
    torch.manual_seed(0)
    refiner = PointRefiner(8, 2, refined=20, doublings=1).eval()
    nn.init.normal_(refiner.head.predictor.weight)
    coarse = torch.randn(1, 2, 7, 7)
    boxes, fine = [torch.tensor([[0.0, 0, 30, 30]])], torch.randn(1, 8, 8, 8)
    with torch.no_grad():
        drawn = refiner.draw(fine, boxes, coarse, torch.tensor([1]))
    smooth = nn.functional.interpolate(coarse, size=(14, 14), mode="bilinear")[:, 1]
    changed = drawn != smooth
    assert changed.sum() == 20
    assert smooth[changed].abs().max() <= smooth[~changed].abs().min()


def test_memory_of_the_points_does_not_grow_with_the_objects() -> None:
    """300 objects: what is at work at once is that of 32, and one mask each is kept."""
    refiner = PointRefiner(16, 2, refined=50).eval()
    seen: list[int] = []
    refiner.head.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    corners = torch.rand(300, 2) * 40
    boxes = [torch.cat((corners, corners + 12), 1)]
    with torch.no_grad():
        drawn = refiner.draw(
            torch.randn(1, 16, 16, 16), boxes, torch.randn(300, 2, 7, 7), torch.zeros(300).long()
        )
        alone = refiner.draw(
            torch.randn(1, 16, 16, 16),
            [boxes[0][:0]],
            torch.zeros(0, 2, 7, 7),
            torch.zeros(0).long(),
        )
    assert drawn.shape == (300, 224, 224)
    assert alone.shape == (0, 224, 224)
    assert max(seen) <= 32
    assert sum(seen) == 5 * 300


def test_objects_are_drawn_the_same_alone_and_among_others() -> None:
    torch.manual_seed(0)
    refiner, fine = PointRefiner(8, 2).eval(), torch.randn(2, 8, 12, 12)
    nn.init.normal_(refiner.head.predictor.weight)
    corners = torch.rand(40, 2) * 20
    boxes = torch.cat((corners, corners + 20), 1)
    coarse, channel = torch.randn(80, 2, 7, 7), torch.randint(2, (80,))
    with torch.no_grad():
        together = refiner.draw(fine, [boxes, boxes], coarse, channel)
        alone = refiner.draw(fine[1:], [boxes[5:6]], coarse[45:46], channel[45:46])
    torch.testing.assert_close(together[45:46], alone, atol=1e-4, rtol=1e-4)


def test_points_learn_what_the_object_is_at_their_place() -> None:
    """The target of a point is read where the point is, and void says nothing."""
    semantic = torch.zeros(1, 64, 64, dtype=torch.int64)
    numbers = torch.zeros_like(semantic)
    semantic[0, 10:40, 20:60], numbers[0, 10:40, 20:60] = 1, 7
    (row,) = encode(Targets(semantic, numbers), torch.tensor([False, True]))
    boxes = [torch.tensor([[10.0, 10, 60, 50]])]
    refiner = PointRefiner(2, 2, points=500)
    fine = coordinates(16, 16)

    class Knows(nn.Module):
        """A head that tells the object from the coordinates."""

        def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
            x, y = fine.unbind(1)
            within = (x > 20) & (x < 60) & (y > 10) & (y < 40)
            sure = torch.where(within, 30.0, -30.0)
            return torch.stack((-sure, sure), 1)

    refiner.head = Knows()  # type: ignore[assignment]
    told = [(row, torch.tensor([0]))]
    coarse, channel = torch.zeros(1, 2, 7, 7), torch.tensor([1])
    right = refiner.learn(fine, boxes, coarse, channel, told)
    wrong = refiner.learn(fine, boxes, coarse, torch.tensor([0]), told)
    assert right < 1.5, "a share of the object's rim alone is in doubt"
    assert wrong > 15
    row["known"][:] = False
    assert refiner.learn(fine, boxes, coarse, channel, told) == 0


def test_masks_are_learned_in_the_boxes_as_they_are_corrected() -> None:
    """Kirillov et al. 2019, section 4.1: training is a cascade, as prediction is."""
    model = on("mask_rcnn").train()
    heads = model.network.heads
    assert isinstance(heads, ObjectHeads)
    with torch.no_grad():
        heads.box_predictor.boxes.zero_()
        heads.box_predictor.shift[:] = torch.tensor([0.0, 0.0, 0.0, 5 * torch.tensor(1.5).log()])
    pooled: list[Tensor] = []
    heads.mask_pool.register_forward_hook(lambda _, given, __: pooled.extend(given[1]))
    semantic = torch.zeros(1, 64, 64, dtype=torch.int64)
    semantic[0, 20:40, 10:40] = 1
    losses = model(torch.randn(1, 3, 64, 64), Targets(semantic, semantic.clone())).losses
    assert set(losses) == {"objectness", "proposal", "class", "box", "mask", "points"}
    # The box of the object itself is among the examples: half as high again, and cut at no rim.
    wanted = torch.tensor([10.0, 15, 40, 45])
    assert (pooled[0] - wanted).abs().amax(1).min() < 1e-3


def test_a_step_teaches_coarse_masks_and_points() -> None:
    """One object by heart: the fine mask ends up nearer to it than the coarse one is."""
    model = on("mask_rcnn", points=49).train()
    torch.manual_seed(1)
    semantic = torch.zeros(1, 64, 64, dtype=torch.int64)
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    semantic[0, (x - 32) ** 2 + (y - 30) ** 2 < 20**2] = 1
    images = (semantic * 2.0 - 1)[:, None].expand(-1, 3, -1, -1) + 0.1 * torch.randn(1, 3, 64, 64)
    targets = Targets(semantic, semantic.clone())
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(80):  # so many that the number of threads, which rounds otherwise, does not tell
        optimiser.zero_grad()
        losses = model(images, targets).losses
        (losses["mask"] + losses["points"]).backward()
        optimiser.step()
    (row,) = encode(targets, torch.tensor([False, True]))
    network = model.eval().network
    with torch.no_grad():
        maps = network._pooled(network.maps(images))
        coarse = network.heads.mask_branch(network.heads.mask_pool(maps, [row["boxes"]]))
        drawn = network.heads.refiner.draw(maps[0], [row["boxes"]], coarse, torch.tensor([1]))
    truth, _ = masks_on_boxes(row, torch.tensor([0]), row["boxes"], 224)
    smooth = nn.functional.interpolate(coarse[:, 1:], size=(224, 224), mode="bilinear")[:, 0]
    of_fine, of_coarse = (((m > 0) == (truth > 0.5)).float().mean() for m in (drawn, smooth))
    assert of_fine > 0.97
    assert of_fine > of_coarse + 0.01


def test_panet_keeps_its_path_and_its_boxes_under_the_points() -> None:
    network = on("panet").network
    assert isinstance(network.path, BottomUpPath)
    assert isinstance(network.heads.box_head, FusedBoxHead)
    assert isinstance(network.heads.mask_branch, CoarseMasks)
    assert not any("aside" in name for name, _ in network.named_modules())


def test_the_task_and_the_numbers_of_points_follow_the_base() -> None:
    pixels, objects = (make_spec("pointrend", classes=2, base=b) for b in ("fpn", "panet"))
    assert (pixels.tasks, objects.tasks) == (("semantic",), ("instances",))
    assert not any(c.thing for c in pixels.classes)
    assert all(c.thing for c in objects.classes)
    refiner = on("mask_rcnn").network.heads.refiner
    assert (refiner.points, refiner.refined, refiner.sides[-1]) == (196, 784, 224)
    refiner = on("mask_rcnn", points=50, refined=100, doublings=3).network.heads.refiner
    assert (refiner.points, refiner.refined, refiner.sides[-1]) == (50, 100, 56)
