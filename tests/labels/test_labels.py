"""Labels: snapshots that share what did not change, over tiles that cost nothing where uniform."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.base import Rect, Shape
from segcore.labels import (
    PICTURE_TILE,
    PLANES,
    VOLUME_TILE,
    Draft,
    FieldChange,
    Guard,
    Labels,
    Patch,
    TileCache,
    TileChange,
    TileIndex,
    tile_for,
    uniform,
)


def blobs(shape: tuple[int, ...], seed: int = 1) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 5, tuple(n // 12 + 1 for n in shape))
    fine = coarse
    for axis in range(len(shape)):
        fine = np.repeat(fine, 12, axis)
    return fine[tuple(slice(0, n) for n in shape)].astype(np.uint16)


def painted(labels: Labels, rect: Rect, class_id: int, z: int = 0, **more: Any) -> Patch:
    draft = Draft(labels, more.pop("guard", Guard()))
    mask = np.ones((rect.height, rect.width), bool)
    draft.write(z, rect, mask, class_id=class_id, origin=more.pop("origin", 1), **more)
    return draft.close("Paint", "test")


# -- tiles and snapshots --------------------------------------------------------------------------


def test_pictures_have_flat_tiles_and_volumes_blocks() -> None:
    assert tile_for(Shape(1, 5, 5)) == PICTURE_TILE
    assert tile_for(Shape(2, 5, 5)) == VOLUME_TILE


@pytest.mark.parametrize("shape", [(1, 1), (256, 256), (257, 300), (3, 70, 65), (17, 64, 64)])
def test_an_array_comes_back_as_it_went_in(shape: tuple[int, ...]) -> None:
    array = blobs(shape)
    labels = Labels.from_array(array, origin=np.where(array, 7, 0), instance=array * 2)
    volume = array.reshape((-1, *shape[-2:]))
    assert np.array_equal(labels.read_volume(), volume)
    assert np.array_equal(labels.read_volume("instance"), volume * 2)
    for plane in ("class", "instance", "origin"):
        assert labels.read(plane=plane).dtype == PLANES[plane]
    assert not labels.read(plane="confidence").any()


def test_reading_a_part_equals_the_part_of_the_whole() -> None:
    array = blobs((600, 700))
    labels = Labels.from_array(array)
    for rect in (Rect(0, 0, 1, 1), Rect(250, 255, 12, 3), Rect(100, 90, 480, 600)):
        assert np.array_equal(labels.read(rect), array[rect.slices])


@pytest.mark.parametrize(
    ("rect", "z"), [(Rect(0, 0, 11, 5), 0), (Rect(-1, 0, 5, 5), 0), (Rect(0, 0, 5, 5), 1)]
)
def test_reading_outside_is_an_error(rect: Rect, z: int) -> None:
    with pytest.raises(IndexError, match="is not inside"):
        Labels.empty(Shape(1, 10, 10)).read(rect, z)


def test_what_was_read_may_be_changed_and_changes_nothing() -> None:
    labels = Labels.from_array(blobs((300, 300)))
    labels.read()[:] = 9
    assert (labels.read() != 9).all()


def test_a_snapshot_shares_the_tiles_that_an_edit_did_not_touch() -> None:
    labels = Labels.from_array(blobs((600, 600)))
    patch = painted(labels, Rect(10, 10, 20, 20), 9)
    after = labels.after(patch)
    assert labels.changed_tiles(after) == {
        ("class", TileIndex(0, 0, 0)),
        ("origin", TileIndex(0, 0, 0)),
    }
    untouched = TileIndex(0, 2, 1)
    assert after.tile_array("class", untouched) is labels.tile_array("class", untouched)
    assert (labels.read(Rect(10, 10, 20, 20)) != 9).all()


def test_before_undoes_after_to_the_same_handles() -> None:
    labels = Labels.from_array(blobs((600, 600)))
    patch = painted(labels, Rect(100, 200, 300, 250), 3)
    back = labels.after(patch).before(patch)
    assert back.changed_tiles(labels) == set()
    assert labels.after(patch.inverse().inverse()).changed_tiles(labels.after(patch)) == set()


def test_a_patch_of_another_layer_changes_nothing() -> None:
    one, other = Labels.empty(Shape(1, 50, 50)), Labels.empty(Shape(1, 50, 50))
    patch = painted(one, Rect(0, 0, 5, 5), 3)
    assert other.after(patch).changed_tiles(other) == set()


def test_difference_leads_from_one_snapshot_to_the_other() -> None:
    one = Labels.from_array(blobs((600, 600), 1))
    two = one.after(painted(one, Rect(0, 0, 400, 300), 4))
    way = one.difference(two)
    assert one.after(Patch(way)).changed_tiles(two) == set()
    assert list(way) == sorted(way, key=lambda c: (c.plane, c.at))


def test_an_empty_layer_of_any_size_costs_nothing() -> None:
    labels = Labels.empty(Shape(1, 60_000, 60_000))
    assert labels.counts() == {0: 60_000**2}
    assert labels.cache.resident_bytes == 0
    assert not labels.read(Rect(30_000, 30_000, 100, 100)).any()


def test_a_fill_value_is_what_missing_tiles_have() -> None:
    labels = Labels.empty(Shape(1, 300, 300), fill=4)
    assert (labels.read() == 4).all()
    assert not labels.read(plane="origin").any()
    after = labels.after(painted(labels, Rect(0, 0, 10, 10), 2))
    assert after.counts() == {4: 90_000 - 100, 2: 100}
    again = after.after(painted(after, Rect(0, 0, 10, 10), 4, origin=1))
    assert not again.tiles("class")


def test_a_tile_that_becomes_uniform_is_a_number_again() -> None:
    labels = Labels.empty(Shape(1, 300, 300))
    half = labels.after(painted(labels, Rect(0, 0, 256, 100), 5))
    full = half.after(painted(half, Rect(0, 100, 256, 156), 5))
    assert full.handle("class", TileIndex(0, 0, 0)) == uniform(5)
    # The rim's tiles reach beyond the image; what is inside decides.
    rim = full.after(painted(full, Rect(256, 256, 44, 44), 6))
    assert rim.handle("class", TileIndex(0, 1, 1)) == uniform(6)


def test_counts_leave_out_what_lies_beyond_the_image() -> None:
    array = blobs((17, 70, 65))
    labels = Labels.from_array(array)
    values, numbers = np.unique(array, return_counts=True)
    assert labels.counts() == dict(zip(values.tolist(), numbers.tolist(), strict=True))


# -- the cache ------------------------------------------------------------------------------------


def noise(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(1, 9, PICTURE_TILE).astype(np.uint16)


def test_a_new_tile_stays_until_it_is_stored_and_is_read_back_afterwards() -> None:
    stored: dict[int, np.ndarray[Any, Any]] = {}
    read: list[int] = []

    def load(handle: int, plane: str, tile: tuple[int, int, int]) -> np.ndarray[Any, Any]:
        read.append(handle)
        return stored[handle].copy()

    size = noise(0).nbytes
    cache = TileCache(load, limit_bytes=2 * size)
    handles = [cache.put(noise(n)) for n in range(5)]
    assert handles == [0, 1, 2, 3, 4]
    assert cache.resident_bytes == 5 * size  # pinned, whatever the bound says
    for handle in handles:
        pinned = cache.pinned(handle)
        assert pinned is not None
        stored[handle] = pinned
    cache.unpin(handles)
    assert cache.resident_bytes == 2 * size
    assert cache.resident(0, "class", PICTURE_TILE) is None
    assert np.array_equal(cache.get(0, "class", PICTURE_TILE), noise(0))
    assert read == [0]
    assert cache.resident(0, "class", PICTURE_TILE) is not None


def test_without_a_store_nothing_is_dropped() -> None:
    cache = TileCache(limit_bytes=1)
    handle = cache.put(noise(1))
    cache.unpin([handle])
    assert np.array_equal(cache.get(handle, "class", PICTURE_TILE), noise(1))
    with pytest.raises(KeyError):
        cache.get(99, "class", PICTURE_TILE)


def test_tiles_are_read_only() -> None:
    cache = TileCache()
    for handle in (cache.put(noise(1)), uniform(3)):
        with pytest.raises(ValueError, match="read-only"):
            cache.get(handle, "class", PICTURE_TILE)[0, 0, 0] = 1


def test_handles_are_never_given_twice_also_by_many_threads() -> None:
    cache = TileCache()
    given: list[int] = []
    threads = [
        threading.Thread(target=lambda k=k: given.extend(cache.put(noise(k)) for _ in range(50)))
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(200))


# -- drafts and guards ----------------------------------------------------------------------------


def test_pixels_gained_and_lost_are_counted_by_class() -> None:
    labels = Labels.empty(Shape(1, 100, 100))
    labels = labels.after(painted(labels, Rect(0, 0, 10, 10), 1))
    patch = painted(labels, Rect(5, 5, 10, 10), 2)
    assert patch.pixels == {0: (0, 75), 1: (0, 25), 2: (100, 0)}
    assert patch.changed_pixels == 100
    assert patch.bounds == (0, 0, Rect(5, 5, 10, 10))


def test_bounds_hold_every_slice_that_changed() -> None:
    labels = Labels.empty(Shape(40, 100, 100))
    draft = Draft(labels)
    for z, rect in ((3, Rect(10, 10, 5, 5)), (39, Rect(50, 2, 9, 9))):
        draft.write(z, rect, np.ones((rect.height, rect.width), bool), class_id=2, origin=1)
    assert draft.close("a", "b").bounds == (3, 39, Rect(10, 2, 49, 13))


def test_an_edit_that_changes_nothing_gives_an_empty_patch() -> None:
    labels = Labels.empty(Shape(1, 100, 100))
    assert painted(labels, Rect(0, 0, 10, 10), 0).is_empty
    done = labels.after(painted(labels, Rect(0, 0, 10, 10), 3))
    assert painted(done, Rect(0, 0, 10, 10), 3).is_empty
    assert painted(done, Rect(200, 0, 10, 10), 3).is_empty


def test_painting_there_and_back_in_one_draft_is_no_change() -> None:
    labels = Labels.empty(Shape(1, 100, 100))
    labels = labels.after(painted(labels, Rect(0, 0, 10, 10), 3))
    draft = Draft(labels)
    mask = np.ones((10, 10), bool)
    draft.write(0, Rect(0, 0, 10, 10), mask, class_id=4, origin=1)
    draft.write(0, Rect(0, 0, 10, 10), mask, class_id=3, origin=1)
    patch = draft.close("a", "b")
    assert patch.changes == ()


def test_painting_the_same_class_confirms_it_as_ones_own() -> None:
    labels = Labels.empty(Shape(1, 100, 100))
    model = labels.after(painted(labels, Rect(0, 0, 10, 10), 3, origin=2))
    patch = painted(model, Rect(0, 0, 4, 4), 3, origin=1)
    assert [c.plane for c in patch.changes] == ["origin"]
    assert patch.pixels == {}
    assert (model.after(patch).read(Rect(0, 0, 4, 4), plane="origin") == 1).all()


def test_painting_a_class_over_an_instance_clears_it_there() -> None:
    labels = Labels.empty(Shape(1, 100, 100))
    labels = labels.after(painted(labels, Rect(0, 0, 10, 10), 3, instance=8))
    after = labels.after(painted(labels, Rect(0, 0, 5, 10), 2))
    assert (after.read(Rect(0, 0, 5, 10), plane="instance") == 0).all()
    assert (after.read(Rect(5, 0, 5, 10), plane="instance") == 8).all()


def test_a_draft_reads_what_it_has_written() -> None:
    labels = Labels.from_array(blobs((600, 600)))
    draft = Draft(labels)
    mask = blobs((300, 300), 3) > 2
    draft.write(0, Rect(100, 150, 300, 300), mask, class_id=7, origin=1)
    expected = labels.read()
    expected[100:400, 150:450][mask] = 7
    assert np.array_equal(draft.read(Rect(0, 0, 600, 600), 0), expected)
    assert np.array_equal(draft.read(Rect(90, 240, 30, 33), 0), expected[90:120, 240:273])


GUARDS = [
    Guard(locked=frozenset({2})),
    Guard(only_over=frozenset({0, 3})),
    Guard(region=Rect(100, 100, 200, 170)),
    Guard(keep_origins=frozenset({5})),
    Guard(frozenset({1}), frozenset({0, 1, 2}), Rect(0, 0, 300, 200), frozenset({5})),
]


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_keeps_what_it_says_and_nothing_else(guard: Guard) -> None:
    classes = blobs((400, 400), 1)
    origins = np.where(blobs((400, 400), 2) > 2, 5, 1)
    labels = Labels.from_array(classes, origin=np.where(classes, origins, 0))
    rect = Rect(50, 30, 300, 320)
    after = labels.after(painted(labels, rect, 4, guard=guard, origin=9))
    may = np.zeros((400, 400), bool)
    may[rect.slices] = True
    may &= ~np.isin(classes, list(guard.locked))
    if guard.only_over is not None:
        may &= np.isin(classes, list(guard.only_over))
    if guard.region is not None:
        inside = np.zeros((400, 400), bool)
        inside[guard.region.slices] = True
        may &= inside
    may &= ~np.isin(labels.read(plane="origin"), list(guard.keep_origins))
    assert np.array_equal(after.read(), np.where(may, 4, classes))
    assert np.array_equal(after.read(plane="origin"), np.where(may, 9, labels.read(plane="origin")))


def test_a_locked_class_is_not_painted_either() -> None:
    labels = Labels.empty(Shape(1, 50, 50))
    locked = Guard(locked=frozenset({3}))
    assert painted(labels, Rect(0, 0, 5, 5), 3, guard=locked).is_empty
    draft = Draft(labels, locked)
    classes = np.tile(np.array([3, 2], np.uint16), (4, 2))
    draft.write_planes(0, Rect(0, 0, 4, 4), np.ones((4, 4), bool), classes=classes, origin=1)
    after = labels.after(draft.close("a", "b"))
    assert after.counts() == {0: 2500 - 8, 2: 8}


@pytest.mark.parametrize("guard", [Guard(), *GUARDS])
def test_a_guard_comes_back_from_json(guard: Guard) -> None:
    assert Guard.from_json(guard.to_json()) == guard


# -- patches --------------------------------------------------------------------------------------


def test_a_patch_comes_back_from_json() -> None:
    change = TileChange("layer", "class", TileIndex(0, 1, 2), -1, 5)
    patch = Patch(
        (change,),
        (FieldChange("item", "x", "state", "new", "corrected"),),
        "Brush Car",
        "brush",
        {0: (0, 7), 3: (7, 0)},
        (0, 2, Rect(1, 2, 3, 4)),
        person="Ada",
        time=12.5,
        group="g",
    )
    assert Patch.from_json(patch.to_json(), (change,)) == patch


def test_the_inverse_exchanges_before_and_after_and_keeps_the_step() -> None:
    labels = Labels.empty(Shape(1, 50, 50))
    patch = painted(labels, Rect(0, 0, 5, 5), 3)
    back = patch.inverse()
    assert back.id == patch.id
    assert back.pixels == {0: (25, 0), 3: (0, 25)}
    assert labels.after(patch).after(back).changed_tiles(labels) == set()


# -- any sequence ---------------------------------------------------------------------------------

writes = st.lists(
    st.tuples(
        st.integers(0, 2**31),
        st.integers(0, 19),
        st.tuples(st.integers(-20, 90), st.integers(-20, 140)),
        st.tuples(st.integers(1, 90), st.integers(1, 150)),
        st.integers(0, 4),
        st.integers(0, 3),
        st.sampled_from([Guard(), *GUARDS]),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(writes)
def test_any_drafts_give_what_plain_arrays_give(
    steps: list[tuple[Any, ...]],
) -> None:
    shape = Shape(20, 80, 140)
    labels = Labels.empty(shape)
    plain = {plane: np.zeros(shape, np.int64) for plane in ("class", "instance", "origin")}
    snapshots = [(labels, {k: v.copy() for k, v in plain.items()})]
    for seed, z, corner, size, class_id, number, guard, whole_planes in steps:
        random = np.random.default_rng(seed)
        rect = Rect(*corner, *size)
        mask = random.random((rect.height, rect.width)) < random.choice([0.01, 0.5, 1.0])
        instance = number if class_id else 0
        draft = Draft(labels, guard)
        if whole_planes:
            classes: Any = random.integers(0, 5, mask.shape).astype(np.uint16)
            numbers: Any = np.where(classes, instance, 0).astype(np.uint32)
            draft.write_planes(z, rect, mask, classes=classes, origin=1, instances=numbers)
        else:
            classes, numbers = np.full(mask.shape, class_id), np.full(mask.shape, instance)
            draft.write(z, rect, mask, class_id=class_id, origin=1, instance=instance)
        patch = draft.close("any", "test")
        _write_plainly(plain, shape, z, rect, mask, classes, numbers, guard)
        labels = labels.after(patch)
        for plane, array in plain.items():
            assert np.array_equal(labels.read_volume(plane), array)
        old = snapshots[-1][1]["class"]
        gained = {c: int(((plain["class"] == c) & (old != c)).sum()) for c in range(5)}
        assert {c: n for c, (n, _) in patch.pixels.items() if n} == {
            c: n for c, n in gained.items() if n
        }
        snapshots.append((labels, {k: v.copy() for k, v in plain.items()}))
    for snapshot, arrays in snapshots:  # none of them has changed since
        assert np.array_equal(snapshot.read_volume(), arrays["class"])


def _write_plainly(
    plain: dict[str, np.ndarray[Any, Any]],
    shape: Shape,
    z: int,
    rect: Rect,
    mask: np.ndarray[Any, Any],
    classes: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    guard: Guard,
) -> None:
    """Pixel by pixel, as a person would explain it."""
    for i, j in zip(*np.nonzero(mask), strict=True):
        y, x = rect.y + int(i), rect.x + int(j)
        if not (0 <= y < shape.y and 0 <= x < shape.x):
            continue
        old, new = int(plain["class"][z, y, x]), int(classes[i, j])
        if old in guard.locked or new in guard.locked:
            continue
        if guard.only_over is not None and old not in guard.only_over:
            continue
        if guard.region is not None and not guard.region.contains(y, x):
            continue
        if int(plain["origin"][z, y, x]) in guard.keep_origins or (old == 0 and new == 0):
            continue
        plain["class"][z, y, x] = new
        plain["instance"][z, y, x] = numbers[i, j]
        plain["origin"][z, y, x] = 1
