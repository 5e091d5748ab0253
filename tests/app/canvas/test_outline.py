"""Outlines: drawn once, by the right class, solid or dashed, and the same in pieces as whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.canvas.look import Look, make_look
from app.canvas.outline import FOLLOWS_PIXELS_FROM, draw_outlines, margin
from segcore.base import ClassId, ClassSet, Rect, SegClass

CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "ground", 0, None),
        SegClass(ClassId(2), "road", 1, "#905078"),
        SegClass(ClassId(3), "car", 2, "#56B4E9", thing=True),
        SegClass(ClassId(4), "person", 3, "#F0E442", thing=True),
    )
)
GREY = 90
ORANGE_OF = {2: (0x78, 0x50, 0x90), 3: (0xE9, 0xB4, 0x56), 4: (0x42, 0xE4, 0xF0)}


def look(**fields: object) -> Look:
    return make_look(1, CLASSES, **{"active": 0, "corrected": frozenset({7}), **fields})  # type: ignore[arg-type]


def drawn(
    classes: np.ndarray,
    the_look: Look,
    *,
    corrected: bool = True,
    step: float = 8.0,
    instances: np.ndarray | None = None,
) -> np.ndarray:
    target = np.full((*classes.shape, 4), GREY, np.uint8)
    mine = np.full(classes.shape, corrected)
    regions = classes if instances is None else instances
    at = Rect(0, 0, *classes.shape)
    draw_outlines(target, classes.astype(np.uint16), regions, mine, the_look, at, 1, (step, step))
    return target[..., :3]


def halves(left: int, right: int, size: int = 40) -> np.ndarray:
    classes = np.full((size, size), left, np.uint16)
    classes[:, size // 2 :] = right
    return classes


def columns_of(picture: np.ndarray, colour: tuple[int, int, int]) -> list[int]:
    return np.flatnonzero((picture == colour).all(axis=2).all(axis=0)).tolist()


def test_an_edge_is_drawn_once_two_pixels_wide_by_the_thing_and_not_the_ground() -> None:
    picture = drawn(halves(2, 3), look())
    assert columns_of(picture, ORANGE_OF[3]) == [19, 20]
    assert columns_of(picture, ORANGE_OF[2]) == []


def test_the_active_class_draws_its_edges_above_all_and_one_pixel_wider_inside() -> None:
    picture = drawn(halves(2, 3), look(active=2))
    assert columns_of(picture, ORANGE_OF[2]) == [18, 19, 20]


def test_a_halo_of_one_pixel_lies_around_the_line() -> None:
    picture = drawn(halves(0, 4), look())
    assert columns_of(picture, (0, 0, 0)) == [18, 21]
    assert (picture[:, 17] == GREY).all()
    dark = make_look(1, ClassSet((SegClass(ClassId(4), "dark", 1, "#0000F8"),)), active=0)
    assert columns_of(drawn(halves(0, 4), dark), (255, 255, 255)) == [18, 21]


def test_an_edge_between_hidden_or_colourless_classes_is_not_drawn() -> None:
    assert (drawn(halves(2, 3), look(hidden=frozenset({2, 3}))) == GREY).all()
    assert (drawn(halves(0, 1), look()) == GREY).all()
    assert columns_of(drawn(halves(2, 3), look(hidden=frozenset({3}))), ORANGE_OF[2]) == [19, 20]


def test_two_objects_of_one_class_are_parted() -> None:
    classes = np.full((40, 40), 3, np.uint16)
    instances = halves(1, 2)
    assert columns_of(drawn(classes, look(), instances=instances), ORANGE_OF[3]) == [19, 20]


def test_a_correction_is_solid_and_a_prediction_is_dashed() -> None:
    solid = drawn(halves(0, 3, 96), look())
    dashed = drawn(halves(0, 3, 96), look(), corrected=False)
    assert (solid[:, 47] == ORANGE_OF[3]).all()
    on = (dashed[:, 47] == ORANGE_OF[3]).all(axis=1)
    assert on.mean() == pytest.approx(8 / 12, abs=0.05)
    runs = np.diff(np.flatnonzero(np.diff(on.astype(int))))
    assert set(runs.tolist()) == {4, 8}
    assert (dashed[:, 47][~on] == 0).all()  # the halo shows in the gaps


@pytest.mark.parametrize("kind", ["row", "column", "diagonal", "slope"])
def test_dashes_are_neither_lost_nor_joined_in_any_direction(kind: str) -> None:
    rows, columns = np.mgrid[0:160, 0:160]
    inside = {
        "row": rows > 80,
        "column": columns > 80,
        "diagonal": rows > columns,
        "slope": 2 * rows > columns + 80,
    }[kind]
    picture = drawn(np.where(inside, 3, 0), look(), corrected=False, step=1.0)
    on = (picture == ORANGE_OF[3]).all(axis=2).sum()
    solid = (drawn(np.where(inside, 3, 0), look(), step=1.0) == ORANGE_OF[3]).all(axis=2).sum()
    assert 0.5 < on / solid < 0.8


def test_outlines_fade_with_their_opacity_and_vanish_at_none() -> None:
    assert (drawn(halves(0, 3), look(outline=0.0)) == GREY).all()
    half = drawn(halves(0, 3), look(outline=0.5))[5, 19]
    assert np.allclose(half, (np.array(ORANGE_OF[3]) + GREY) / 2, atol=2)


def test_hovering_a_class_halves_the_outlines_of_the_others() -> None:
    picture = drawn(halves(0, 3), look(hovered=4))
    assert np.allclose(picture[5, 19], (np.array(ORANGE_OF[3]) + GREY) / 2, atol=2)
    assert columns_of(drawn(halves(0, 4), look(hovered=4)), ORANGE_OF[4]) == [19, 20]


def test_from_400_percent_the_line_follows_the_pixels() -> None:
    step = FOLLOWS_PIXELS_FROM
    small = np.zeros((12, 12), np.uint16)
    small[5, 5] = 3
    classes = np.kron(small, np.ones((4, 4), np.uint16))
    picture = drawn(classes, look(), step=step)
    line = (picture == ORANGE_OF[3]).all(axis=2)
    assert line[20:24, 19:21].all()
    assert line[19:21, 20:24].all()
    assert line[23:25, 20:24].all()
    assert not line[:19].any()
    assert not line[:, 25:].any()


def test_below_400_percent_the_line_stays_within_half_a_pixel_of_the_edge() -> None:
    step = 3
    rows, columns = np.mgrid[0:40, 0:40]
    small = np.where((rows - 20.3) ** 2 + (columns - 19.6) ** 2 < 150, 3, 0).astype(np.uint16)
    classes = np.kron(small, np.ones((step, step), np.uint16))
    line = (drawn(classes, look(), step=float(step)) == ORANGE_OF[3]).all(axis=2)
    import cv2

    edges = np.zeros(classes.shape, np.uint8)
    edges[:, :-1] |= classes[:, :-1] != classes[:, 1:]
    edges[:-1] |= classes[:-1] != classes[1:]
    distance = cv2.distanceTransform(1 - edges, cv2.DIST_L2, 5)
    # Half an image pixel, and the line's own width.
    assert distance[line].max() <= step / 2 + 2.5
    assert line.any()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    step=st.sampled_from([0.7, 1.0, 1.5, 2.63, 3.9, 5.0]),
    y=st.integers(0, 40),
    x=st.integers(0, 40),
)
def test_a_piece_is_drawn_as_it_is_in_the_whole(seed: int, step: float, y: int, x: int) -> None:
    rng = np.random.default_rng(seed)
    block = max(1, round(step))
    classes = np.kron(
        rng.integers(0, 5, (110 // block, 110 // block)), np.ones((block, block), int)
    )
    classes = classes.astype(np.uint16)
    corrected = rng.random(classes.shape) < 0.5
    the_look = look(active=3)
    whole = np.full((*classes.shape, 4), GREY, np.uint8)
    at = Rect(0, 0, *classes.shape)
    draw_outlines(whole, classes, classes, corrected, the_look, at, 1, (step, step))
    reach = margin(1, (step, step))
    rect = Rect(y + 15, x + 15, 24, 24)
    wide = rect.grown(reach)
    piece = np.full((wide.height, wide.width, 4), GREY, np.uint8)
    part = classes[wide.slices]
    draw_outlines(piece, part, part, corrected[wide.slices], the_look, wide, 1, (step, step))
    inner = rect.shifted(-wide.y, -wide.x)
    assert np.array_equal(piece[inner.slices], whole[rect.slices])
