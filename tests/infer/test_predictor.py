"""Prediction of pictures of any size, against models whose answer is known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segcore import images
from segcore.base import Cancelled, ClassId, ClassSet, MaskwrightError, Rect, SegClass
from segcore.infer import Predictor, connected_objects
from segcore.models import ModelSpec, Preparation, SegModel, build, make_spec, register

CLASSES = ClassSet(
    tuple(
        SegClass(ClassId(i), name, i, None) for i, name in ((7, "dark"), (3, "mid"), (9, "bright"))
    )
)


class Pointwise(nn.Module):
    """Scores by the pixel's own value, so tiles cannot matter."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.segmentation_head = nn.Sequential(nn.Conv2d(channels, classes, 1))
        self.limit = 1 << 40
        self.seen: list[tuple[int, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape))
        if images.shape[-1] * images.shape[-2] > self.limit:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return self.segmentation_head(images)


@register("test-pointwise", paper="https://example.org", year=2026, tasks=("semantic",))
def build_pointwise(spec: ModelSpec) -> nn.Module:
    return Pointwise(spec.outputs, spec.channels)


@pytest.fixture
def model() -> SegModel:
    spec = make_spec(
        "test-pointwise",
        classes=CLASSES,
        channels=1,
        preparation=Preparation("window", (0.0,), (1.0,), 0, 255),
    )
    model = SegModel(spec.changed(tile=64, overlap=16))
    with torch.no_grad():
        # p(dark) falls, p(bright) rises with the value; "mid" wins in between
        model.head.weight[:, 0, 0, 0] = torch.tensor([-30.0, 0.0, 30.0])
        model.head.bias[:] = torch.tensor([12.0, 2.0, -18.0])
    return model


@pytest.fixture
def predictor(model: SegModel) -> Predictor:
    return Predictor(model, "cpu")


def expected(image: np.ndarray) -> np.ndarray:
    values = image / 255.0
    scores = np.stack([12 - 30 * values, np.full(values.shape, 2.0), 30 * values - 18])
    return np.array([7, 3, 9], np.uint16)[scores.argmax(0)]


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height * 10_000 + width)
    return rng.integers(0, 256, (height, width), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (40, 60), (64, 64), (65, 64), (200, 333)])
def test_any_size_gives_the_models_ids_pixel_for_pixel(
    predictor: Predictor, size: tuple[int, int]
) -> None:
    image = picture(*size)
    found = predictor.predict(image)
    assert found.classes.dtype == np.uint16
    assert (found.classes == expected(image)).all()
    assert found.confidence.dtype == found.margin.dtype == np.uint8
    assert found.instances is None


def test_confidence_and_margin_are_the_probability_and_its_lead(predictor: Predictor) -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 256)
    found = predictor.predict(image)
    shares = np.sort(predictor.probabilities(image, Rect(0, 0, 1, 256)), axis=0)
    np.testing.assert_allclose(found.confidence / 255, shares[-1], atol=0.003)
    np.testing.assert_allclose(found.margin / 255, shares[-1] - shares[-2], atol=0.003)
    assert found.confidence.min() < 150 < 250 < found.confidence.max()


def test_parts_arrive_nearest_first_and_add_up_to_the_whole(predictor: Predictor) -> None:
    image = picture(300, 300)
    built = np.zeros((300, 300), np.uint16)
    count = np.zeros((300, 300), int)
    order = []

    def arrived(where: Rect, classes: Any, confidence: Any, margin: Any) -> None:
        built[where.slices] = classes
        count[where.slices] += 1
        assert classes.shape == confidence.shape == margin.shape == (where.height, where.width)
        order.append(where)

    found = predictor.predict(image, near=(290.0, 290.0), on_tile=arrived)
    assert (built == found.classes).all()
    assert (count == 1).all()
    assert len(order) > 9
    assert order[0].contains(290, 290)
    assert order[-1].y < 100


def test_only_a_rectangle_is_predicted_when_asked(predictor: Predictor) -> None:
    image = picture(150, 200)
    where = Rect(33, 71, 90, 80)
    found = predictor.predict(image, rect=where)
    assert (found.classes == expected(image)[where.slices]).all()
    shares = predictor.probabilities(image, where)
    assert shares.shape == (3, 90, 80)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-4)
    ids = np.array([7, 3, 9])
    assert (ids[shares.argmax(0)] == found.classes).all()


def test_cancel_takes_effect_before_the_next_tile(predictor: Predictor) -> None:
    done: list[Rect] = []
    with pytest.raises(Cancelled):
        predictor.predict(
            picture(400, 400),
            on_tile=lambda where, *_: done.append(where),
            cancel=lambda: bool(done),
        )
    network = predictor.model.network
    assert isinstance(network, Pointwise)
    assert len(network.seen) == 1


def test_out_of_memory_halves_the_tile_and_the_answer_stays(predictor: Predictor) -> None:
    network = predictor.model.network
    assert isinstance(network, Pointwise)
    predictor.tile = 512
    network.limit = 100 * 100
    image = picture(256, 300)
    assert (predictor.predict(image).classes == expected(image)).all()
    assert predictor.tile < 256, "the next picture starts with tiles that fit"
    assert max(h * w for *_, h, w in network.seen[-3:]) <= 100 * 100


def test_another_error_is_not_taken_for_lack_of_memory(predictor: Predictor) -> None:
    def broken(images: Tensor) -> Tensor:
        raise RuntimeError("a bug")

    predictor.model.network.forward = broken
    with pytest.raises(RuntimeError, match="a bug"):
        predictor.predict(picture(80, 80))


def test_a_huge_picture_is_never_held_as_probabilities(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open seams are counted as they come and go: they grow with the side, not the area."""
    held: list[int] = []

    def most(side: int) -> int:
        held.clear()
        grow = predictor._finished

        def watched(*arguments: Any) -> Any:
            stream = grow(*arguments)
            for part in stream:
                held.append(sum(t.numel() for t in stream.gi_frame.f_locals["sums"].values()))
                yield part

        monkeypatch.setattr(predictor, "_finished", watched)
        predictor.predict(picture(side, side), near=(0.0, 0.0))
        monkeypatch.setattr(predictor, "_finished", grow)
        return max(held)

    small, large = most(400), most(800)
    assert large < 2.6 * small
    assert large < 0.2 * 3 * 800 * 800


def test_an_open_image_is_read_in_parts_and_gives_the_same(
    predictor: Predictor, tmp_path: Path
) -> None:
    import cv2

    image = picture(130, 140)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    with images.open(tmp_path / "a.png") as source:
        assert (predictor.predict(source).classes == expected(image)).all()


def test_wrong_channels_are_refused_with_a_remedy(predictor: Predictor) -> None:
    with pytest.raises(MaskwrightError, match="3 channels and the model takes 1"):
        predictor.predict(np.zeros((10, 10, 3), np.uint8))


def test_mirroring_makes_the_answer_of_any_network_symmetric() -> None:
    torch.manual_seed(0)
    predictor = Predictor(build("fpn", classes=3, encoder="resnet18"), "cpu")
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    here = predictor.predict(image, mirror=True).confidence.astype(int)
    there = predictor.predict(image[:, ::-1].copy(), mirror=True).confidence[:, ::-1].astype(int)
    assert abs(here - there).max() <= 2
    plain = predictor.predict(image[:, ::-1].copy()).confidence[:, ::-1].astype(int)
    assert abs(here - plain).max() > 2


def test_tiles_of_a_real_network_meet_without_a_seam() -> None:
    """Blended tiles differ from one pass, but neighbours do not differ more where tiles meet."""
    torch.manual_seed(0)
    model = build("unet", classes=2, encoder="resnet18")
    image = np.random.default_rng(1).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    tiled = SegModel(model.spec.changed(tile=128, overlap=32))
    tiled.load_state_dict(model.state_dict())
    shares = Predictor(tiled, "cpu").probabilities(image, Rect(0, 0, 128, 256))[0]
    step = np.abs(np.diff(shares, axis=1)).mean(0)
    assert step[96:160].mean() < 1.5 * np.delete(step, np.s_[96:160]).mean()


def test_objects_are_the_connected_regions_of_things(model: SegModel) -> None:
    classes = np.zeros((6, 8), np.uint16)
    classes[0:2, 0:2] = 5
    classes[2, 2] = 5  # touches by its corner: the same object
    classes[4:6, 5:8] = 5
    classes[0, 7] = 6
    numbers = connected_objects(classes, [5, 6])
    assert numbers.dtype == np.uint32
    assert numbers[0, 0] == numbers[2, 2] == 1
    assert numbers[5, 6] == 2
    assert numbers[0, 7] == 3
    assert (numbers > 0).sum() == (classes > 0).sum()


def test_objects_come_with_the_prediction_when_asked(model: SegModel) -> None:
    model.spec = model.spec.changed(classes=CLASSES.changed(9, thing=True))
    image = np.zeros((20, 20), np.uint8)
    image[2:5, 2:5] = image[10:14, 10:14] = 255
    found = Predictor(model, "cpu").predict(image, instances=True)
    assert found.instances is not None
    assert found.instances.max() == 2


# -- several tiles at once ----------------------------------------------------------------------


def clear_picture(height: int, width: int) -> np.ndarray:
    """Without the two values at which two classes score the same, and rounding decides."""
    made = picture(height, width)
    made[(made == 85) | (made == 170)] = 0
    return made


@pytest.mark.parametrize("size", [(64, 64), (200, 333)])
@pytest.mark.parametrize("mirror", [False, True])
def test_tiles_that_go_together_give_what_they_give_alone(
    predictor: Predictor, size: tuple[int, int], mirror: bool
) -> None:
    image = clear_picture(*size)
    alone = predictor.predict(image, mirror=mirror, near=(10.0, 10.0))
    predictor.batch = 5
    together = predictor.predict(image, mirror=mirror, near=(10.0, 10.0))
    network = predictor.model.network
    assert isinstance(network, Pointwise)
    assert network.seen[-1][0] > 1 or size == (64, 64)
    assert (together.classes == alone.classes).all()
    assert (together.confidence == alone.confidence).all()
    assert (together.margin == alone.margin).all()


def test_tiles_of_a_real_network_go_together_though_their_sizes_differ() -> None:
    """211 pixels make tiles of 86 and 87; the network takes multiples of 32."""
    torch.manual_seed(0)
    model = build("fpn", classes=3, encoder="tu-test_resnet")
    model.spec = model.spec.changed(tile=90, overlap=20)
    predictor = Predictor(model, "cpu")
    image, where = (
        np.random.default_rng(5).integers(0, 256, (211, 90, 3), np.uint8),
        Rect(0, 0, 211, 90),
    )
    alone = predictor.probabilities(image, where)
    predictor.batch = 3
    np.testing.assert_allclose(predictor.probabilities(image, where), alone, atol=1e-5)


def test_where_memory_runs_out_fewer_tiles_go_together_before_they_shrink(
    predictor: Predictor,
) -> None:
    network = predictor.model.network
    assert isinstance(network, Pointwise)
    whole = network.forward

    def at_most_two(images: Tensor) -> Tensor:
        if len(images) > 2:
            network.seen.append(tuple(images.shape))
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return whole(images)

    network.forward = at_most_two  # type: ignore[method-assign]
    predictor.batch = 8
    image = clear_picture(300, 300)
    assert (predictor.predict(image).classes == expected(image)).all()
    assert predictor.batch == 2, "the next picture starts with as many as fit"
    assert predictor.tile == 64


def test_a_cancel_takes_effect_within_one_batch(predictor: Predictor) -> None:
    predictor.batch = 4
    done: list[Rect] = []
    with pytest.raises(Cancelled):
        predictor.predict(
            picture(400, 400),
            on_tile=lambda where, *_: done.append(where),
            cancel=lambda: bool(done),
        )
    network = predictor.model.network
    assert isinstance(network, Pointwise)
    assert [shape[0] for shape in network.seen] == [4]
