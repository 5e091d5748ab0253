"""Crops that are laid on rare classes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcore.base import CLASS_PRESETS
from segcore.models import Preparation
from segcore.train import Recipe, TrainItem, freeze
from segcore.train.augment import choose_crop
from segcore.train.data import Batches, channel_table
from segcore.train.frozen import FrozenItem
from segcore.train.rare import LEAST_PIXELS, TEMPERATURE, RareClasses, pixel_of

CAMVID = CLASS_PRESETS["camvid"]
ROAD, FENCE, RIDER = 4, 8, 11
RECIPE = Recipe(batch=8, crop_height=32, crop_width=32, replay=0.5)
SIZE = (64, 400)


def item(name: str, counts: dict[int, int]) -> FrozenItem:
    where = Path(name)
    return FrozenItem(name, (where,), ("",), where, SIZE, 0, "", "replay", 1.0, counts)


def batches(folder: Path, rare: float) -> Batches:
    """Two new pictures of road with a rider at the far end; ten earlier, one with a fence."""
    folder.mkdir()
    items = []
    for number in range(12):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.full((*SIZE, 3), 20 * number, np.uint8))
        target = np.full(SIZE, ROAD, np.uint16)
        if number < 2:
            target[:8, -8:] = RIDER
        if number == 7:
            target[-8:, :8] = FENCE
        role = "train" if number < 2 else "replay"
        items.append(TrainItem(str(number), (path,), target, role=role))  # type: ignore[arg-type]
    data = freeze(items, folder / "run", CAMVID)
    new, old = data.of("train"), data.of("replay")
    return Batches(new, old, RECIPE, Preparation(), 3, channel_table(CAMVID), rare=rare)


def test_a_class_is_drawn_by_the_rule_of_the_paper() -> None:
    counts = {ROAD: 9700, FENCE: 200, RIDER: 100}
    classes = RareClasses([item("a", counts), item("b", counts)], counts)
    rng = np.random.default_rng(0)
    drawn = Counter(classes.draw([*counts], rng) for _ in range(20_000))
    chance = {c: np.exp((1 - n / 10_000) / TEMPERATURE) for c, n in counts.items()}
    for c, part in chance.items():
        assert drawn[c] / 20_000 == pytest.approx(part / sum(chance.values()), abs=0.015)


def test_a_speck_shows_no_class_and_a_class_that_nobody_has_is_never_drawn() -> None:
    speck = {ROAD: 5000, RIDER: LEAST_PIXELS - 1}
    enough = {ROAD: 5000, RIDER: LEAST_PIXELS}
    items = [item("speck", speck), item("enough", enough)]
    classes = RareClasses(items, {ROAD, FENCE, RIDER})
    assert classes.shown(items[0]) == [ROAD]
    assert classes.shown(items[1]) == [ROAD, RIDER]
    assert {c: [i.name for i in those] for c, those in classes.showing(items).items()} == {
        ROAD: ["speck", "enough"],
        RIDER: ["enough"],
    }


def test_without_chance_a_batch_is_what_it_always_was(tmp_path: Path) -> None:
    plain, rare = batches(tmp_path / "a", 0.0), batches(tmp_path / "b", 1.0)
    assert [i.name for i in plain.choose(0)][:4] == [i.name for i in rare.choose(0)][:4]
    new, old = plain.choose(0)[:4], plain.choose(0)[4:]
    assert {i.role for i in new} == {"train"}
    assert {i.role for i in old} == {"replay"}
    assert {i.name for n in range(5) for i in plain.choose(n)[4:]} == {str(n) for n in range(2, 12)}


def test_crops_are_laid_on_what_is_rare_in_new_and_earlier_pictures(tmp_path: Path) -> None:
    channels = channel_table(CAMVID)
    told: dict[float, list[tuple[bool, bool]]] = {}
    for folder, rare in (("a", 0.0), ("b", 1.0)):
        made = batches(tmp_path / folder, rare)
        told[rare] = []
        for number in range(10):
            target = made.make(number).target
            riders = (target[:4] == channels[RIDER]).flatten(1).any(1)
            fences = (target[4:] == channels[FENCE]).flatten(1).any(1)
            told[rare].append((bool(riders.all()), bool(fences.all())))
    assert all(riders and fences for riders, fences in told[1.0])
    assert not any(riders or fences for riders, fences in told[0.0])


def test_a_batch_with_rare_classes_depends_on_its_number_only(tmp_path: Path) -> None:
    made = batches(tmp_path / "a", 0.5)
    first = made.make(3)
    made.make(4)
    again = made.make(3)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, made.make(4).target)


@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    crop=st.tuples(st.integers(8, 96), st.integers(8, 96)),
    at=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)),
)
def test_a_crop_shows_the_pixel_that_it_is_laid_on_and_no_more_rim_than_it_must(
    seed: int, size: tuple[int, int], crop: tuple[int, int], at: tuple[float, float]
) -> None:
    on = (int(at[0] * size[0]), int(at[1] * size[1]))
    chosen = choose_crop(size, crop, Recipe(), np.random.default_rng(seed), on)
    for first, length, pixel, whole in (
        (chosen.top, chosen.height, on[0], size[0]),
        (chosen.left, chosen.width, on[1], size[1]),
    ):
        assert first <= pixel < first + length
        inside = min(first + length, whole) - max(first, 0)
        assert inside == min(length, whole)


@given(seed=st.integers(0, 1000))
def test_a_pixel_is_drawn_of_the_class_that_is_wanted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, (7, 9)).astype(np.uint16)
    found = pixel_of(target, 3, rng)
    assert (found is None) == (not (target == 3).any())
    assert found is None or target[found] == 3
    assert pixel_of(target, 9, rng) is None


def test_every_pixel_of_a_class_may_be_drawn() -> None:
    target = np.array([[0, 3, 0, 3], [0, 0, 0, 0], [3, 3, 0, 3]], np.uint16)
    rng = np.random.default_rng(0)
    drawn = Counter(pixel_of(target, 3, rng) for _ in range(2000))
    assert set(drawn) == {(0, 1), (0, 3), (2, 0), (2, 1), (2, 3)}
    assert min(drawn.values()) > 300
