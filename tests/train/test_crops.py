"""What is shown before a training is what the training sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from segcore.base import CLASS_PRESETS, MaskwrightError
from segcore.infer.device import choose_device
from segcore.models import Preparation
from segcore.train import Recipe, TrainItem, freeze, make_run, read_frozen
from segcore.train.crop_view import CropLook, contact_sheet, draw_crop
from segcore.train.crops import CropMaker, for_the_eye
from segcore.train.losses import IGNORE
from segcore.train.preflight import SAMPLE_CROP
from segcore.train.seen import seen_by_model
from segcore.train.work import set_up, start_model

CAMVID = CLASS_PRESETS["camvid"]
PLAIN = Recipe(
    batch=2, crop_height=40, crop_width=48, scale_low=1, scale_high=1, flip=0, colour="none"
)


def picture(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def prepared(tmp_path: Path, count: int = 3, **facts: Any) -> Path:
    """A run of pictures of 40 x 48 pixels; the upper half of each is not learned from."""
    items = []
    for n in range(count):
        path = tmp_path / f"i{n}.png"
        cv2.imwrite(str(path), picture(n)[:, :, ::-1])
        target = np.full((40, 48), n + 1, np.uint16)
        target[:20] = 0
        items.append(TrainItem(f"i{n}", (path,), target))
    make_run(tmp_path / "run", PLAIN)
    freeze(items, tmp_path / "run", CAMVID, notes=facts)
    return tmp_path / "run"


def test_an_unchanged_crop_is_the_picture_with_its_classes_and_its_name(tmp_path: Path) -> None:
    made = CropMaker(prepared(tmp_path)).make(PLAIN, count=3)
    assert sorted(made.names) == ["i0", "i1", "i2"]
    assert made.earlier == (False, False, False)
    assert made.objects is None
    for name, image, classes in zip(made.names, made.images, made.classes, strict=True):
        n = int(name[1])
        assert np.abs(image.astype(int) - picture(n)).max() <= 1
        assert (classes[:20] == 0).all()
        assert (classes[20:] == n + 1).all()


def test_the_crops_are_those_that_the_training_takes(tmp_path: Path) -> None:
    recipe = PLAIN.changed(batch=3, colour="strong", rotate=15, flip=0.5, noise=0.1, weights=None)
    run = prepared(tmp_path)
    work = set_up(run, recipe, read_frozen(run), choose_device("cpu"), continued=False)
    ids = np.array([int(c.id) for c in CAMVID.scored])
    maker = CropMaker(run)
    for number in (4, 2):
        made, batch = maker.make(recipe, number, count=3), work.batches.make(number)
        assert made.names == tuple(item.name for item in work.batches.choose(number))
        target = batch.target.numpy()
        learned = target != IGNORE
        assert ((made.classes > 0) == learned).all()
        assert (made.classes[learned] == ids[target[learned]]).all()
        shown = for_the_eye(batch.images.numpy(), work.model.spec.preparation)
        assert (made.images == shown).all()


@pytest.mark.parametrize(
    ("arch", "encoder", "kind"),
    [("fpn", None, "model"), ("unet", "resnet18", "percentile"), ("enet", None, "mean-std")],
)
def test_what_a_model_sees_is_known_without_building_it(
    tmp_path: Path, arch: str, encoder: str | None, kind: Any
) -> None:
    recipe = Recipe(arch=arch, encoder=encoder, preparation=kind, weights=None)
    run = prepared(tmp_path)
    data = read_frozen(run)
    model, _ = start_model(run, recipe, data)
    assert seen_by_model(run, recipe, data) == (model.spec.preparation, model.spec.channels)


def test_a_small_batch_goes_on_in_the_next_and_a_large_one_is_taken_evenly(tmp_path: Path) -> None:
    maker = CropMaker(prepared(tmp_path, count=4))
    assert sorted(maker.make(PLAIN, 0, count=4).names) == ["i0", "i1", "i2", "i3"]
    large = maker.make(PLAIN.changed(batch=8), 0, count=2)
    assert len(large.images) == 2
    assert CropMaker(tmp_path / "run").make(PLAIN.changed(batch=8), 0, count=8).names[::4] == (
        large.names
    )


def test_a_sample_takes_its_crop_from_the_whole_where_the_recipe_leaves_it_open(
    tmp_path: Path,
) -> None:
    maker = CropMaker(prepared(tmp_path, **{SAMPLE_CROP: [64, 96]}))
    free = PLAIN.changed(crop_height=None, crop_width=None)
    assert maker.make(free, count=2).images.shape == (2, 64, 96, 3)
    assert maker.make(free.changed(crop_width=32), count=2).images.shape == (2, 64, 32, 3)


def test_pictures_are_decoded_once_for_all_crops(tmp_path: Path) -> None:
    maker = CropMaker(prepared(tmp_path))
    before = maker.make(PLAIN, count=3)
    for n in range(3):
        cv2.imwrite(str(tmp_path / f"i{n}.png"), np.zeros((40, 48, 3), np.uint8))
    flipped = maker.make(PLAIN.changed(flip=1.0), count=3)
    assert (flipped.images == before.images[:, :, ::-1]).all()


def test_what_training_refuses_is_refused_alike(tmp_path: Path) -> None:
    maker = CropMaker(prepared(tmp_path))
    with pytest.raises(MaskwrightError, match="architecture"):
        maker.make(PLAIN.changed(arch="nonesuch"))
    with pytest.raises(MaskwrightError, match="no run"):
        CropMaker(tmp_path)


@pytest.mark.parametrize("kind", ["imagenet", "percentile", "window", "mean-std", "none"])
def test_brighter_values_are_shown_brighter_whatever_the_preparation(kind: Any) -> None:
    values = np.linspace(-1, 1, 5, dtype=np.float32)[:, None, None, None].repeat(3, 1)
    shown = for_the_eye(values.repeat(4, 2).repeat(4, 3), Preparation(kind))
    assert shown.shape == (5, 4, 4, 3)
    levels = shown[:, 0, 0, 0].astype(int)
    assert (np.diff(levels) > 0).all()
    seven = for_the_eye(np.zeros((1, 7, 4, 4), np.float32), Preparation(kind))
    assert seven.shape == (1, 4, 4, 3)


# -- drawing -----------------------------------------------------------------------------------

GREY = np.full((40, 40, 3), 100, np.uint8)
LOOK = CropLook({1: (200, 0, 0)}, fill=0.5)


def test_classes_have_their_colour_at_the_looks_fill_and_one_without_has_none() -> None:
    classes = np.full((40, 40), 1, np.uint16)
    classes[20:] = 2
    drawn = draw_crop(GREY, classes, None, (40, 40), LOOK)
    assert (drawn[:20] == (150, 50, 50)).all()
    assert (drawn[20:] == 100).all()


def test_what_is_not_learned_from_is_dimmed_and_hatched_on_any_ground() -> None:
    for ground in (0, 100, 255):
        image = np.full((40, 40, 3), ground, np.uint8)
        classes = np.full((40, 40), 2, np.uint16)
        classes[:20] = 0
        drawn = draw_crop(image, classes, None, (40, 40), LOOK).astype(int)
        levels = np.unique(drawn[:20])
        assert len(levels) == 2
        assert np.ptp(levels) >= 35
        assert (drawn[20:] == ground).all()


def test_objects_that_touch_are_told_apart() -> None:
    classes = np.full((40, 40), 1, np.uint16)
    objects = np.ones((40, 40), np.int32)
    objects[:, 20:] = 2
    drawn = draw_crop(GREY, classes, objects, (80, 80), LOOK)
    assert (drawn[:, 39] == (200, 0, 0)).all()
    assert (drawn[:, 40] == (150, 50, 50)).all()


def test_a_target_is_never_blended_when_it_is_drawn_small() -> None:
    classes = np.random.default_rng(0).integers(1, 3, (40, 40)).astype(np.uint16)
    drawn = draw_crop(GREY, classes, None, (17, 23), LOOK)
    assert set(map(tuple, drawn.reshape(-1, 3).tolist())) == {(150, 50, 50), (100, 100, 100)}


def test_a_contact_sheet_holds_every_drawing_once() -> None:
    drawn = [np.full((10, 20, 3), 50 + n, np.uint8) for n in range(6)]
    sheet = contact_sheet(drawn, columns=4, gap=2)
    assert sheet.shape == (2 + 2 * 12, 2 + 4 * 22, 3)
    for n in range(6):
        assert (sheet == 50 + n).sum() == 600
