"""Labels at the resolution of the screen, against slow and obvious references."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.canvas.sampling import LabelSampler, halved, image_rect, level_for
from segcore.base import Rect
from segcore.labels import Labels


def reference(classes: np.ndarray, rect: Rect, steps: tuple[float, float]) -> np.ndarray:
    out = np.zeros((rect.height, rect.width), classes.dtype)
    for row in range(rect.height):
        for column in range(rect.width):
            y = int((rect.y + row + 0.5) / steps[0])
            x = int((rect.x + column + 0.5) / steps[1])
            out[row, column] = classes[min(y, len(classes) - 1), min(x, classes.shape[1] - 1)]
    return out


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    step_y=st.floats(0.51, 5),
    step_x=st.floats(0.51, 5),
    data=st.data(),
)
def test_a_zoomed_pixel_shows_the_label_under_its_centre(
    seed: int, step_y: float, step_x: float, data: st.DataObject
) -> None:
    classes = np.random.default_rng(seed).integers(0, 4, (300, 270)).astype(np.uint16)
    labels = Labels.from_array(classes)
    height, width = int(300 * step_y), int(270 * step_x)
    y = data.draw(st.integers(0, height - 20))
    x = data.draw(st.integers(0, width - 20))
    rect = Rect(y, x, 20, 20)
    sampled = LabelSampler().sample(labels, 0, rect, (step_y, step_x))
    assert np.array_equal(sampled, reference(classes, rect, (step_y, step_x)))


def test_every_slice_of_a_volume_shows_its_own_labels() -> None:
    volume = np.random.default_rng(1).integers(0, 3, (20, 70, 66)).astype(np.uint16)
    labels = Labels.from_array(volume)
    for z in (0, 15, 16, 19):
        sampled = LabelSampler().sample(labels, z, Rect(0, 0, 70, 66), (1.0, 1.0))
        assert np.array_equal(sampled, volume[z])


def test_a_line_one_pixel_wide_stays_whole_when_zoomed_far_out() -> None:
    classes = np.zeros((512, 512), np.uint16)
    classes[:, 301] = 5
    for scale in (0.5, 0.25, 0.125, 0.0625):
        size = int(512 * scale)
        shown = LabelSampler().sample(
            Labels.from_array(classes), 0, Rect(0, 0, size, size), (scale, scale)
        )
        assert (shown == 5).any(axis=1).all()


@given(arrays(np.uint16, (6, 8), elements=st.integers(0, 3)))
def test_halving_takes_the_most_frequent_labelled_class(classes: np.ndarray) -> None:
    small = halved(classes)
    for row in range(3):
        for column in range(4):
            block = classes[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1)
            labelled = block[block > 0]
            shown = small[row, column]
            if not labelled.size:
                assert shown == 0
            else:
                counts = np.bincount(labelled)
                assert counts[shown] == counts.max()


def test_zooming_out_by_two_takes_the_first_parents() -> None:
    assert level_for((1.0, 1.0)) == 0
    assert level_for((0.51, 0.51)) == 0
    assert level_for((0.5, 0.5)) == 1
    assert level_for((0.26, 0.26)) == 1
    assert level_for((0.25, 0.25)) == 2


def test_labels_that_are_not_in_memory_are_not_waited_for() -> None:
    classes = np.arange(256 * 256).reshape(256, 256).astype(np.uint16)
    stored = Labels.from_array(classes)

    from segcore.labels import TileCache, TileIndex

    asked = []

    def load(handle: int, plane: str, tile: tuple[int, int, int]) -> np.ndarray:
        asked.append(handle)
        return stored.tile_array("class", TileIndex(0, 0, 0)).copy()

    empty = Labels.empty(stored.shape, cache=TileCache(load, next_handle=50))
    labels = empty.with_tiles([("class", TileIndex(0, 0, 0), 7)])
    sampler = LabelSampler()
    assert sampler.sample(labels, 0, Rect(0, 0, 9, 9), (1.0, 1.0), resident_only=True) is None
    assert asked == []
    assert sampler.sample(labels, 0, Rect(0, 0, 9, 9), (1.0, 1.0)) is not None
    assert asked == [7]


def test_far_zoomed_out_the_gui_thread_makes_few_parents_and_leaves_the_rest() -> None:
    classes = np.random.default_rng(3).integers(0, 4, (1024, 1024)).astype(np.uint16)
    labels = Labels.from_array(classes)
    sampler = LabelSampler()
    whole, steps = Rect(0, 0, 128, 128), (0.125, 0.125)
    assert sampler.sample(labels, 0, whole, steps, resident_only=True) is None
    assert sampler.sample(labels, 0, Rect(0, 0, 32, 32), steps, resident_only=True) is not None
    made = sampler.sample(labels, 0, whole, steps)
    assert np.array_equal(sampler.sample(labels, 0, whole, steps, resident_only=True), made)


@given(
    st.integers(0, 90),
    st.integers(1, 30),
    st.floats(0.2, 8),
)
def test_the_image_rectangle_of_a_piece_is_what_its_centres_name(
    start: int, length: int, step: float
) -> None:
    rect = image_rect(Rect(start, start, length, length), (step, step), (1000, 1000))
    assert rect.y == int((start + 0.5) / step)
    assert rect.bottom == int((start + length - 0.5) / step) + 1
