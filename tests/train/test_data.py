"""Frozen data, batches out of them, and the bounded cache in between."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch

from segcore import images
from segcore.base import CLASS_PRESETS, BadFile, ClassSet, SizeMismatch
from segcore.models import Preparation
from segcore.train import Recipe, TrainItem, freeze, read_frozen
from segcore.train.data import Batch, Batches, PictureCache, channel_table, read_values
from segcore.train.losses import IGNORE

CAMVID = CLASS_PRESETS["camvid"]
RECIPE = Recipe(batch=4, crop_height=32, crop_width=32)
EVERYTHING = RECIPE.changed(
    flip_vertical=0.5, turn=0.5, rotate=20, colour="strong", blur=1.5, noise=0.2
)


def write(path: Path, seed: int = 0, size: tuple[int, int] = (40, 50)) -> Path:
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(path), values)
    return path


def frozen(tmp_path: Path, roles: str = "train train train") -> list[TrainItem]:
    rng = np.random.default_rng(0)
    return [
        TrainItem(
            f"i{n}",
            (write(tmp_path / f"i{n}.png", n),),
            rng.integers(0, 13, (40, 50)).astype(np.uint16),
            role=role,  # type: ignore[arg-type]
        )
        for n, role in enumerate(roles.split())
    ]


def batches(tmp_path: Path, roles: str, recipe: Recipe = RECIPE) -> Batches:
    data = freeze(frozen(tmp_path, roles), tmp_path / "run", CAMVID)
    return Batches(
        data.of("train"), data.of("replay"), recipe, Preparation(), 3, channel_table(CAMVID)
    )


# -- freezing ----------------------------------------------------------------------------------


def test_frozen_items_come_back_and_void_is_not_learned_from(tmp_path: Path) -> None:
    items = frozen(tmp_path, "train replay held_out")
    freeze(items, tmp_path / "run", CAMVID, notes={"held_out": "why"})
    data = read_frozen(tmp_path / "run")
    assert data.classes == CAMVID
    assert data.notes == {"held_out": "why"}
    assert [i.role for i in data.items] == ["train", "replay", "held_out"]
    for row, item in zip(data.items, items, strict=True):
        expected = np.where(item.target == 12, 0, item.target)  # 12 is void's id
        assert (row.read_target() == expected).all()
        assert row.counts[3] == (item.target == 3).sum()
        assert 12 not in row.counts
        assert len(row.digest) == 64


def test_a_later_change_of_the_label_does_not_reach_the_run(tmp_path: Path) -> None:
    items = frozen(tmp_path)
    data = freeze(items, tmp_path / "run", CAMVID)
    before = data.items[0].read_target()
    items[0].target[:] = 1
    assert (data.items[0].read_target() == before).all()


def test_a_target_off_the_images_grid_is_refused_with_both_sizes(tmp_path: Path) -> None:
    item = TrainItem("odd", (write(tmp_path / "odd.png"),), np.ones((50, 40), np.uint16))
    with pytest.raises(SizeMismatch, match="odd: the image is 50 x 40 and its label 40 x 50"):
        freeze([item], tmp_path / "run", CAMVID)


def test_a_series_that_the_project_opened_as_a_stack_is_read_so_by_the_run(
    tmp_path: Path, shared_data: Path
) -> None:
    folder = shared_data / "ct_dicom_odd" / "series_gap_tilt"
    with images.open(folder, as_stack=True) as source:
        size, values = source.shape[1:], source.read(3)
    item = TrainItem(
        "head", (folder,), np.ones(size, np.uint16), z=3, digests=("0" * 64,), as_stack=True
    )
    freeze([item], tmp_path / "run", CAMVID)
    assert (read_values(read_frozen(tmp_path / "run").items[0]) == values).all()


def test_a_run_without_items_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="nothing to train on"):
        freeze([], tmp_path / "run", CAMVID)
    with pytest.raises(BadFile, match="no run"):
        read_frozen(tmp_path)


def test_a_changed_image_is_noticed(tmp_path: Path) -> None:
    made = batches(tmp_path, "train")
    write(tmp_path / "i0.png", size=(30, 30))
    with pytest.raises(BadFile, match="has changed"):
        made.make(0)


# -- batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [RECIPE, EVERYTHING], ids=["usual", "everything"])
def test_a_batch_depends_on_its_number_only(tmp_path: Path, recipe: Recipe) -> None:
    one = batches(tmp_path, "train train train", recipe)
    torch.manual_seed(7)
    other = batches(tmp_path, "train train train", recipe)
    for number in (5, 0, 17):
        first, second = one.make(number), other.make(number)
        assert torch.equal(first.images, second.images)
        assert torch.equal(first.target, second.target)
    assert not torch.equal(one.make(1).images, one.make(2).images)
    reseeded = batches(tmp_path, "train train train", recipe.changed(seed=1))
    assert not torch.equal(one.make(0).images, reseeded.make(0).images)


def test_making_a_batch_leaves_the_chance_of_the_step_alone(tmp_path: Path) -> None:
    made = batches(tmp_path, "train", EVERYTHING)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    made.make(0)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpys).all()  # noqa: NPY002


def test_a_run_that_goes_on_sees_the_batches_it_would_have_seen(tmp_path: Path) -> None:
    made = batches(tmp_path, "train train", EVERYTHING)
    with contextlib.closing(made.ahead(0)) as stream:
        whole = [next(stream) for _ in range(7)]
    again = batches(tmp_path, "train train", EVERYTHING)
    with contextlib.closing(again.ahead(3)) as stream:
        rest = [next(stream) for _ in range(4)]
    assert [b.number for b in rest] == [3, 4, 5, 6]
    for one, other in zip(whole[3:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.target, other.target)


def test_batches_made_ahead_take_one_core_and_leave_the_step_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = batches(tmp_path, "train")
    seen: list[int] = []
    make = made.make

    def watched(number: int) -> Batch:
        seen.append(torch.get_num_threads())
        return make(number)

    monkeypatch.setattr(made, "make", watched)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with contextlib.closing(made.ahead(0)) as stream:
            next(stream)
            assert torch.get_num_threads() == 3
            with ThreadPoolExecutor(1) as later:
                assert later.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_pictures_of_any_depth_and_number_of_channels_are_augmented(
    tmp_path: Path, kind: str, channels: int
) -> None:
    shape = (40, 50) if channels == 1 else (40, 50, channels)
    values = np.random.default_rng(0).integers(0, 200, shape).astype(kind)
    if kind == "float32":
        values[5:9, 5:9] = np.nan
    path = tmp_path / "p.tif"
    planar = values if channels in (1, 3) else np.moveaxis(values, -1, 0)
    tifffile.imwrite(
        path,
        planar,
        photometric="rgb" if channels == 3 else "minisblack",
        planarconfig="separate" if channels == 7 else None,
    )
    data = freeze([TrainItem("p", (path,), np.ones((40, 50), np.uint16))], tmp_path / "r", CAMVID)
    taken = 3 if channels == 1 else channels
    made = Batches(data.items, (), EVERYTHING, Preparation(), taken, channel_table(CAMVID))
    batch = made.make(0)
    assert batch.images.shape == (4, taken, 32, 32)
    assert torch.isfinite(batch.images).all()
    assert batch.images.std() > 0.1


def test_an_error_while_reading_ahead_reaches_the_caller(tmp_path: Path) -> None:
    made = batches(tmp_path, "train")
    (tmp_path / "i0.png").unlink()
    with contextlib.closing(made.ahead(0)) as stream, pytest.raises(BadFile):
        next(stream)


def test_an_epoch_passes_every_item_once(tmp_path: Path) -> None:
    made = batches(tmp_path, "train " * 8)
    names = [[i.name for n in (2 * e, 2 * e + 1) for i in made.choose(n)] for e in range(3)]
    assert all(sorted(epoch) == sorted(names[0]) for epoch in names)
    assert len(set(names[0])) == 8
    assert names[0] != names[1]


@pytest.mark.parametrize(("share", "old"), [(0.0, 0), (0.25, 1), (0.5, 2), (0.9, 3)])
def test_replay_takes_its_share_of_every_batch(tmp_path: Path, share: float, old: int) -> None:
    made = batches(tmp_path, "train train replay replay replay", RECIPE.changed(replay=share))
    for number in range(6):
        chosen = made.choose(number)
        assert len(chosen) == 4
        assert sum(item.role == "replay" for item in chosen) == old


def test_without_earlier_items_the_batch_is_all_new(tmp_path: Path) -> None:
    made = batches(tmp_path, "train train")
    assert all(item.role == "train" for item in made.choose(0))


def test_targets_are_channels_and_void_is_ignored(tmp_path: Path) -> None:
    table = channel_table(CAMVID)
    assert table[1] == 0
    assert table[11] == 10
    assert table[12] == table[0] == IGNORE
    target = batches(tmp_path, "train train").make(0).target
    assert target.dtype == torch.int64
    assert set(target.unique().tolist()) <= {IGNORE, *range(11)}


def test_channels_follow_the_order_of_the_scored_classes_not_the_ids() -> None:
    rows = ClassSet.from_rows(
        [{"id": 9, "name": "a"}, {"id": 4, "name": "b", "ignore": True}, {"id": 2, "name": "c"}]
    )
    table = channel_table(rows)
    assert (table[9], table[4], table[2]) == (0, IGNORE, 1)


def test_the_weight_of_an_item_reaches_its_pixels(tmp_path: Path) -> None:
    items = frozen(tmp_path, "train train")
    items[1] = TrainItem(items[1].name, items[1].sources, items[1].target, weight=0.25)
    data = freeze(items, tmp_path / "run", CAMVID)
    made = Batches(data.of("train"), (), RECIPE, Preparation(), 3, channel_table(CAMVID))
    batch = made.make(0)
    assert batch.weight is not None
    expected = [item.weight for item in made.choose(0)]
    assert batch.weight[:, 0, 0].tolist() == expected
    assert batch.weight.shape == batch.target.shape


def test_weights_of_pixels_move_with_the_target_and_times_the_items(tmp_path: Path) -> None:
    items = frozen(tmp_path, "train train")
    # The percent of a pixel follows from its class, so that it is known wherever it comes to lie.
    told = np.clip(items[0].target, 1, 11)
    percent = (5 + 7 * told).astype(np.uint8)
    items[0] = TrainItem(items[0].name, items[0].sources, told, weight=0.5, percent=percent)
    data = freeze(items, tmp_path / "run", CAMVID)
    assert (data.items[0].target.parent / "000001-percent.png").is_file()
    assert data.items[1].read_percent() is None
    made = Batches(data.of("train"), (), RECIPE, Preparation(), 3, channel_table(CAMVID))
    seen = 0
    for number in range(3):
        batch = made.make(number)
        assert batch.weight is not None
        for k, item in enumerate(made.choose(number)):
            known = batch.target[k] != IGNORE
            if item.name == "i1":
                assert (batch.weight[k][known] == 1).all()
                continue
            seen += int(known.sum())
            wanted = 0.5 * (5 + 7 * (batch.target[k][known] + 1)) / 100
            torch.testing.assert_close(batch.weight[k][known], wanted.float())
    assert seen > 1000
    again = Batches(data.of("train"), (), RECIPE, Preparation(), 3, channel_table(CAMVID))
    torch.testing.assert_close(again.make(2).weight, made.make(2).weight)


def test_layers_of_objects_move_together_however_many_there_are(tmp_path: Path) -> None:
    items = frozen(tmp_path, "train train")
    # Each pixel says in every plane which place it is from.
    place = np.random.default_rng(5).permutation(40 * 50).reshape(40, 50) + 1
    target = (place % 11 + 1).astype(np.uint16)
    layers = tuple(
        (np.roll(target, n, 0), np.where(place % (n + 2) == 0, place + 5000 * n, 0)) for n in (1, 2)
    )
    items[0] = TrainItem(
        items[0].name, items[0].sources, target, instances=place,
        percent=(target * 9).astype(np.uint8), further=layers,
    )  # fmt: skip
    data = freeze(items, tmp_path / "run", CAMVID)
    first = data.items[0]
    objects, kept = first.read_instances(), first.read_further()
    assert objects is not None
    numbered = np.unique(np.stack([objects, *(numbers for _, numbers in kept)]))
    assert np.array_equal(numbered, np.arange(len(numbered)))
    for (ids, numbers), (given, of) in zip(kept, layers, strict=True):
        assert np.array_equal(ids, given)
        assert np.array_equal(numbers > 0, of > 0)
    made = Batches(data.of("train"), (), RECIPE, Preparation(), 3, channel_table(CAMVID))
    table = channel_table(CAMVID)
    batch = made.make(0)
    assert len(batch.further) == 2
    assert batch.instances is not None
    assert batch.weight is not None
    for k, item in enumerate(made.choose(0)):
        if item.name == "i1":
            assert all((ids[k] == IGNORE).all() and not n[k].any() for ids, n in batch.further)
            continue
        inside = batch.target[k] != IGNORE
        # The first layer's numbers come first, so that they are the places.
        at = batch.instances[k][inside].numpy()
        y, x = np.unravel_index(np.argsort(place.ravel())[at - 1], place.shape)
        assert np.array_equal(table[target[y, x]], batch.target[k][inside].numpy())
        wanted = torch.from_numpy(target[y, x] * 9 / 100).float()
        torch.testing.assert_close(batch.weight[k][inside], wanted)
        for (ids, n), (given, numbers) in zip(batch.further, kept, strict=True):
            assert np.array_equal(table[given[y, x]], ids[k][inside].numpy())
            assert np.array_equal(numbers[y, x], n[k][inside].numpy())


def test_the_cache_stays_within_its_bytes_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    data = freeze(frozen(tmp_path, "train train train"), tmp_path / "run", CAMVID)
    one = 40 * 50 * 3 + 40 * 50 * 2
    cache = PictureCache(Preparation(), 3, limit_bytes=2 * one)
    first, second, third = data.items
    for item in (first, second, first, third):
        cache.get(item)
        assert cache.bytes <= 2 * one
    assert cache.misses == 3
    cache.get(first)
    assert cache.misses == 3, "used again before the third came, so the second had to go"
    cache.get(second)
    assert cache.misses == 4


def test_a_grey_picture_feeds_all_channels_and_16_bits_keep_their_contrast(tmp_path: Path) -> None:
    values = np.linspace(3000, 6000, 40 * 50).reshape(40, 50).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "g.png"), values)
    item = TrainItem("g", (tmp_path / "g.png",), np.ones((40, 50), np.uint16))
    data = freeze([item], tmp_path / "run", CAMVID)
    plain = RECIPE.changed(colour="none")
    made = Batches(data.items, (), plain, Preparation(), 3, channel_table(CAMVID))
    images = made.make(0).images
    assert torch.equal(images[:, 0], images[:, 2])
    assert images.min() < -0.7
    assert images.max() > 0.7
