"""Edits over labels: what they change, what they leave alone, and that they can be taken back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import flood

from segcore.base import MaskwrightError, Rect, Shape
from segcore.edits import (
    KINDS,
    Fill,
    FillUnlabelled,
    Paste,
    Polygon,
    Region,
    SetState,
    Stroke,
    connected_region,
    from_json,
    polygon_mask,
    stroke_mask,
    to_json,
)
from segcore.edits.packed import unpack_array, unpack_mask
from segcore.labels import OPEN, FieldChange, Guard, Labels

SHAPE = Shape(1, 23, 31)
# Small tiles, so that small pictures have many of them.
TILE = (1, 8, 8)
WHOLE = Rect(0, 0, SHAPE.y, SHAPE.x)

number = st.floats(-6, 36, allow_nan=False, width=32)
point = st.tuples(number, number)
class_id = st.integers(0, 3)
guards = st.builds(
    Guard,
    locked=st.frozensets(st.integers(1, 3), max_size=2),
    only_over=st.none() | st.frozensets(st.integers(0, 3), min_size=1, max_size=3),
    region=st.none() | st.builds(Rect, *[st.integers(0, 12)] * 2, *[st.integers(1, 15)] * 2),
    keep_origins=st.frozensets(st.integers(1, 2), max_size=1),
)


@st.composite
def rects(draw):
    return Rect(
        *(draw(st.integers(-4, 20)) for _ in "yx"), *(draw(st.integers(1, 9)) for _ in "hw")
    )


@st.composite
def edits(draw):
    common = {"guard": draw(st.just(OPEN) | guards), "origin": draw(st.integers(1, 4))}
    kind = draw(st.sampled_from([k for k in KINDS if k != "set_state"]))
    painted, instance = draw(class_id), draw(st.sampled_from([0, 0, 7]))
    if kind == "stroke":
        path = draw(st.lists(point, min_size=1, max_size=4))
        radius = draw(st.floats(0, 12))
        return Stroke(0, tuple(path), radius, painted, draw(st.booleans()), instance, **common)
    if kind == "polygon":
        rings = draw(st.lists(st.lists(point, min_size=3, max_size=6), min_size=1, max_size=2))
        return Polygon(0, tuple(map(tuple, rings)), painted, instance, **common)
    if kind == "fill":
        at = (draw(st.integers(0, SHAPE.y - 1)), draw(st.integers(0, SHAPE.x - 1)))
        return Fill(0, at, painted, instance, **common)
    rect = draw(rects())
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    mask = rng.random((rect.height, rect.width)) < 0.6
    if kind == "region":
        return Region.of(0, rect, mask, painted, instance=instance, **common)
    if kind == "paste":
        classes = rng.integers(0, 4, mask.shape)
        instances = rng.integers(0, 3, mask.shape) * (classes > 0)
        return Paste.of(0, rect, classes, instances, mask, **common)
    return FillUnlabelled(max(painted, 1), **common)


@st.composite
def some_labels(draw):
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    if draw(st.booleans()):  # uniform tiles, which have a way of their own through a Draft
        classes = np.full((SHAPE.y, SHAPE.x), draw(class_id))
        objects = np.where(classes > 0, draw(st.sampled_from([0, 7])), 0)
        return labelled(classes, objects, np.full(classes.shape, draw(st.integers(0, 2))))
    blocks = rng.integers(0, 4, (6, 8)).repeat(4, 0).repeat(4, 1)[: SHAPE.y, : SHAPE.x]
    instances = (rng.integers(0, 3, (6, 8)).repeat(4, 0).repeat(4, 1)[: SHAPE.y, : SHAPE.x]) * (
        blocks > 0
    )
    return labelled(blocks, instances, np.where(blocks > 0, rng.integers(1, 4), 0))


def labelled(classes, instances=None, origins=None):
    """Labels with small tiles."""
    empty = Labels.empty(Shape(1, *classes.shape), tile=TILE)
    zeros = np.zeros(classes.shape, int)
    planes = {"class": classes, "instance": instances, "origin": origins}
    return empty.with_tiles(
        (plane, index, handle)
        for plane, array in planes.items()
        for index, handle in empty._cut(plane, (zeros if array is None else array)[None])
    )


def planes_of(labels):
    return {plane: labels.read(plane=plane) for plane in ("class", "instance", "origin")}


def done_plainly(planes, edit):
    """What an edit does, said again over plain arrays without tiles."""
    old = {plane: array.copy() for plane, array in planes.items()}
    classes = np.full(old["class"].shape, getattr(edit, "class_id", 0), int)
    instances = np.full(classes.shape, getattr(edit, "instance", 0) if classes[0, 0] else 0, int)
    if isinstance(edit, Stroke):
        mask = stroke_mask(edit.path, edit.radius, WHOLE, square=edit.square)
    elif isinstance(edit, Polygon):
        mask = polygon_mask(edit.rings, WHOLE)
    elif isinstance(edit, Fill):
        same = np.unique(np.stack([old["class"], old["instance"]]).reshape(2, -1), axis=1,
                         return_inverse=True)[1].reshape(classes.shape)  # fmt: skip
        mask = flood(same, edit.at, connectivity=1)
    elif isinstance(edit, FillUnlabelled):
        mask = old["class"] == 0
    else:
        part = edit.rect.intersect(WHOLE)
        inner = part.shifted(-edit.rect.y, -edit.rect.x).slices
        shape = (edit.rect.height, edit.rect.width)
        mask = np.zeros(classes.shape, bool)
        if isinstance(edit, Region):
            mask[part.slices] = edit.mask[inner]
        else:
            mask[part.slices] = unpack_mask(edit.packed_mask, shape)[inner]
            classes[part.slices] = unpack_array(edit.classes, "<u2", shape)[inner]
            instances[part.slices] = unpack_array(edit.instances, "<u4", shape)[inner]
    if not isinstance(edit, Paste | FillUnlabelled) and not edit.instance and edit.class_id:
        instances = np.where(old["class"] == edit.class_id, old["instance"], 0)
    mask = mask & edit.guard.allows(old["class"], old["origin"], WHOLE)
    mask &= ~np.isin(classes, list(edit.guard.locked))
    mask &= (old["class"] != 0) | (classes != 0)
    mask &= (
        (old["class"] != classes) | (old["instance"] != instances) | (old["origin"] != edit.origin)
    )
    return {
        "class": np.where(mask, classes, old["class"]),
        "instance": np.where(mask, instances, old["instance"]),
        "origin": np.where(mask, edit.origin, old["origin"]),
    }


@settings(max_examples=200, deadline=None)
@given(some_labels(), edits())
def test_an_edit_over_tiles_does_what_it_does_over_plain_arrays(labels, edit):
    expected = done_plainly(planes_of(labels), edit)
    after = planes_of(labels.after(edit.apply(labels, None)))
    for plane, array in expected.items():
        np.testing.assert_array_equal(after[plane], array, plane)


@settings(max_examples=100, deadline=None)
@given(some_labels(), edits())
def test_an_edit_and_its_inverse_bring_back_every_tile(labels, edit):
    patch = edit.apply(labels, None)
    after = labels.after(patch)
    assert after.after(patch.inverse()).changed_tiles(labels) == set()
    assert after.before(patch).changed_tiles(labels) == set()
    assert after.before(patch).after(patch).changed_tiles(after) == set()


@settings(max_examples=100, deadline=None)
@given(some_labels(), edits())
def test_what_the_guard_forbids_never_changes(labels, edit):
    before, after = planes_of(labels), planes_of(labels.after(edit.apply(labels, None)))
    differs = np.zeros(before["class"].shape, bool)
    for plane, array in before.items():
        differs |= array != after[plane]
    guard = edit.guard
    for locked in guard.locked:
        assert not (differs & (before["class"] == locked)).any()
        assert not (differs & (after["class"] == locked)).any()
    if guard.only_over is not None:
        assert np.isin(before["class"][differs], list(guard.only_over)).all()
    if guard.region is not None:
        inside = np.zeros(differs.shape, bool)
        inside[guard.region.intersect(WHOLE).slices] = True
        assert not (differs & ~inside).any()
    for origin in guard.keep_origins:
        assert not (differs & (before["origin"] == origin)).any()
    assert (after["origin"][differs] == edit.origin).all()


@settings(max_examples=100, deadline=None)
@given(some_labels(), edits())
def test_tiles_that_an_edit_did_not_change_are_shared(labels, edit):
    patch = edit.apply(labels, None)
    after = labels.after(patch)
    named = {(change.plane, change.at) for change in patch.changes}
    for plane in ("class", "instance", "origin"):
        for index in labels.all_tiles():
            same = np.array_equal(labels.tile_array(plane, index), after.tile_array(plane, index))
            handles = labels.handle(plane, index) == after.handle(plane, index)
            assert handles == ((plane, index) not in named)
            assert same == handles


@settings(max_examples=100, deadline=None)
@given(some_labels(), edits())
def test_a_patch_counts_the_pixels_that_each_class_gained_and_lost(labels, edit):
    patch = edit.apply(labels, None)
    before, after = labels.read(), labels.after(patch).read()
    differs = before != after
    for c in range(4):
        gained, lost = (differs & (after == c)).sum(), (differs & (before == c)).sum()
        assert patch.pixels.get(c, (0, 0)) == (gained, lost)
    if patch.changes:
        z0, z1, bounds = patch.bounds
        assert (z0, z1) == (0, 0)
        outside = np.ones(differs.shape, bool)
        outside[bounds.slices] = False
        assert not (differs & outside).any()


@settings(max_examples=100, deadline=None)
@given(edits())
def test_an_edit_survives_json(edit):
    assert from_json(json.loads(json.dumps(to_json(edit)))) == edit


@settings(max_examples=100, deadline=None)
@given(st.lists(point, min_size=1, max_size=4), st.floats(0, 12), st.booleans())
def test_a_stroke_paints_its_raster_on_every_slice_of_its_own(path, radius, square):
    shape = Shape(3, 150, 90)
    moved = tuple((y * 4, x * 2.5) for y, x in path)
    stroke = Stroke(1, moved, radius * 3, 5, square, origin=2)
    labels = Labels.empty(shape)
    after = labels.after(stroke.apply(labels, None))
    expected = stroke_mask(moved, radius * 3, Rect(0, 0, 150, 90), square=square)
    np.testing.assert_array_equal(after.read(z=1) == 5, expected)
    assert not after.read(z=0).any()
    assert not after.read(z=2).any()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9999), st.integers(0, SHAPE.y - 1), st.integers(0, SHAPE.x - 1))
def test_a_fill_takes_the_region_that_scikit_image_floods(seed, y, x):
    rng = np.random.default_rng(seed)
    classes = (rng.random((SHAPE.y, SHAPE.x)) < 0.58).astype(int)
    labels = labelled(classes)
    after = labels.after(Fill(0, (y, x), 3, origin=1).apply(labels, None))
    expected = flood(classes, (y, x), connectivity=1)
    np.testing.assert_array_equal(after.read() == 3, expected)


def test_a_fill_follows_a_spiral_through_many_tiles_and_back():
    classes = np.zeros((40, 40), int)
    for inset in range(0, 20, 4):
        classes[inset : 40 - inset, inset : 40 - inset] = 1
        classes[inset + 2 : 38 - inset, inset + 2 : 38 - inset] = 0
        classes[inset + 2 : inset + 5, inset + 1 : inset + 3] = 1
    region = connected_region(labelled(classes), 0, (0, 0))
    got = np.zeros(classes.shape, bool)
    for rect, mask in region:
        got[rect.slices] = mask
    np.testing.assert_array_equal(got, flood(classes, (0, 0), connectivity=1))


def test_a_fill_stops_at_the_next_object_of_the_same_class():
    classes = np.full((8, 20), 2)
    instances = np.repeat([[1] * 10 + [2] * 10], 8, axis=0)
    labels = labelled(classes, instances)
    after = labels.after(Fill(0, (4, 3), 0, origin=1).apply(labels, None))
    assert (after.read() == np.where(instances == 1, 0, 2)).all()


def test_a_fill_outside_the_picture_changes_nothing():
    labels = labelled(np.ones((8, 8), int))
    assert Fill(0, (8, 0), 3).apply(labels, None).is_empty
    assert Fill(0, (-1, 0), 3).apply(labels, None).is_empty
    assert Fill(1, (0, 0), 3).apply(labels, None).is_empty


def test_painting_another_class_over_an_object_takes_the_pixels_from_it():
    labels = labelled(np.full((8, 8), 2), np.full((8, 8), 5))
    stroke = Stroke(0, ((4.0, 4.0),), 2, 3, origin=1)
    after = labels.after(stroke.apply(labels, None))
    painted = after.read() == 3
    assert painted.sum() == 12
    np.testing.assert_array_equal(after.read(plane="instance"), np.where(painted, 0, 5))


def test_painting_its_own_class_over_an_object_leaves_it_whole():
    classes = np.zeros((8, 8), int)
    classes[:, 4:] = 2
    labels = labelled(classes, np.where(classes, 5, 0))
    after = labels.after(Stroke(0, ((4.0, 4.0),), 3, 2, origin=1).apply(labels, None))
    np.testing.assert_array_equal(after.read(plane="instance"), np.where(classes, 5, 0))
    assert (after.read()[:, :4] == 2).any()
    assert (after.read(plane="origin") == 1).any()


def test_painting_an_object_gives_the_pixels_its_number():
    labels = labelled(np.full((8, 8), 2), np.full((8, 8), 5))
    edit = Stroke(0, ((4.0, 4.0),), 2, 2, instance=70_000, origin=1)
    after = labels.after(edit.apply(labels, None))
    assert (after.read(plane="instance") == 70_000).sum() == 12
    assert (after.read() == 2).all()


def test_erasing_takes_class_and_object_and_remembers_who_did_it():
    labels = labelled(np.full((8, 8), 2), np.full((8, 8), 5), np.full((8, 8), 1))
    edit = Stroke(0, ((4.0, 4.0),), 2, 0, instance=9, origin=3)
    assert (edit.name, edit.tool) == ("Eraser", "eraser")
    after = labels.after(edit.apply(labels, None))
    erased = after.read() == 0
    assert erased.sum() == 12
    assert not after.read(plane="instance")[erased].any()
    assert (after.read(plane="origin")[erased] == 3).all()
    assert (after.read(plane="origin")[~erased] == 1).all()


def test_filling_what_is_unlabelled_leaves_what_is_labelled():
    classes = np.zeros((3, 70, 80), int)
    classes[1, 10:20] = 4
    labels = Labels.from_array(classes)
    one = labels.after(FillUnlabelled(2, z=1).apply(labels, None))
    np.testing.assert_array_equal(one.read(z=1), np.where(classes[1], 4, 2))
    assert not one.read(z=0).any()
    whole = labels.after(FillUnlabelled(2).apply(labels, None))
    np.testing.assert_array_equal(whole.read_volume(), np.where(classes, 4, 2))


def test_a_block_is_pasted_over_all_its_slices():
    rng = np.random.default_rng(0)
    labels = Labels.from_array(rng.integers(0, 5, (20, 70, 80)))
    classes = rng.integers(0, 5, (5, 30, 40))
    mask = rng.random(classes.shape) < 0.5
    instances = rng.integers(0, 2**32, classes.shape, dtype=np.uint32) * (classes > 0)
    edit = Paste.of(14, Rect(50, 50, 30, 40), classes, instances, mask, origin=2)
    expected = {plane: labels.read_volume(plane) for plane in ("class", "instance")}
    after = labels.after(edit.apply(labels, None))
    block = np.s_[14:19, 50:70, 50:80]
    cut = np.s_[:, :20, :30]
    for plane, array in (("class", classes), ("instance", instances)):
        expected[plane][block] = np.where(mask[cut], array[cut], expected[plane][block])
        np.testing.assert_array_equal(after.read_volume(plane), expected[plane])


def test_a_state_is_a_step_without_pixels():
    labels = labelled(np.ones((8, 8), int))
    patch = SetState("accepted", "item 1", "corrected").apply(labels, None)
    assert patch.name == "Accept"
    assert patch.fields == (FieldChange("item", "item 1", "state", "corrected", "accepted"),)
    assert patch.inverse().fields[0].after == "corrected"
    assert SetState("accepted", "item 1", "accepted").apply(labels, None).is_empty
    edit = SetState("rejected", fields=(FieldChange("instance", "a/1", "score", None, 0.5),))
    assert from_json(json.loads(json.dumps(to_json(edit)))) == edit


def test_an_unknown_kind_of_edit_is_refused_in_a_sentence():
    with pytest.raises(MaskwrightError, match='no kind of edit called "lasso"'):
        from_json({"kind": "lasso"})


@pytest.mark.parametrize(
    "change", [{"radius": "wide"}, {"radius": -1.0}, {"path": [[1.0]]}, {"path": [[1.0, 1e999]]}]
)
def test_a_damaged_edit_is_refused_and_the_reason_named(change):
    data = to_json(Stroke(0, ((1.0, 2.0),), 3, 1)) | change
    with pytest.raises(MaskwrightError, match='kind "stroke" cannot be read'):
        from_json(data)


def test_damaged_packed_bytes_are_refused():
    with pytest.raises(ValueError, match="damaged"):
        _ = Region(0, Rect(0, 0, 2, 2), b"no mask", 1).mask
    with pytest.raises(ValueError, match="bytes of mask"):
        _ = Region(
            0,
            Rect(0, 0, 20, 20),
            Region.of(0, Rect(0, 0, 2, 2), np.ones((2, 2), bool), 1).packed,
            1,
        ).mask


def test_importing_edits_loads_no_slow_library():
    import subprocess
    import sys

    code = (
        "import sys, segcore.edits, segcore.metrics;"
        "slow = {'torch', 'scipy', 'skimage', 'nibabel', 'tifffile', 'PIL', 'pydicom', 'msgspec'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
