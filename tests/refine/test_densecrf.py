"""Dense CRF: against an exact mean field, and what it promises about pictures of every kind."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcore.base import Cancelled, MaskwrightError, Rect
from segcore.refine import AUTHORS, DEEPLAB, CrfParams, densecrf
from segcore.refine.blocks import blocks
from segcore.refine.densecrf import NoDenseCrf
from segcore.refine.evidence import from_labels, with_certain
from segcore.refine.parameters import TABLE

HEIGHT, WIDTH = 24, 32


def read(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    image = image[..., ::-1]
    return image if size is None else cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def truth(path: Path) -> np.ndarray:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    return mask


def exact(image: np.ndarray, shares: np.ndarray, params: CrfParams) -> np.ndarray:
    """Mean field with every pair of pixels summed; slow, obvious, in double precision."""
    count, height, width = shares.shape
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    colours = image.reshape(height * width, -1).T.astype(float)
    near = np.stack([y, x]) / params.smooth_sigma
    alike = np.concatenate(
        [np.stack([y, x]) / params.appearance_sigma, colours / params.appearance_colour]
    )

    def kernel(features: np.ndarray) -> np.ndarray:
        square = ((features[:, :, None] - features[:, None, :]) ** 2).sum(axis=0)
        values = np.exp(-square / 2)
        root = 1 / np.sqrt(values.sum(axis=1))
        return values * root[:, None] * root[None, :]

    pairwise = params.compatibility * (
        params.smooth_weight * kernel(near) + params.appearance_weight * kernel(alike)
    )
    unary = np.log(np.clip(shares.reshape(count, -1).astype(float), 1e-5, 1))

    def normalised(scores: np.ndarray) -> np.ndarray:
        powers = np.exp(scores - scores.max(axis=0))
        return powers / powers.sum(axis=0)

    found = normalised(unary)
    for _ in range(params.iterations):
        found = normalised(unary + found @ pairwise)
    return found.reshape(shares.shape)


def scenes(shared_data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Small real street scenes, with probabilities as a network gives them: blurred and noisy."""
    made = []
    folder = shared_data / "camvid" / "train"
    for number, path in enumerate(sorted((folder / "images").glob("*.jpg"))[::60][:5]):
        image = read(path, (WIDTH, HEIGHT))
        mask = truth(folder / "labels" / f"{path.stem}.png")
        mask = mask[..., 0] if mask.ndim == 3 else mask
        values = [v for v in np.unique(mask) if (mask == v).mean() > 0.05]
        planes = [
            cv2.resize(
                cv2.GaussianBlur((mask == v).astype(np.float32), (0, 0), 18), (WIDTH, HEIGHT)
            )
            for v in values
        ]
        noise = np.random.default_rng(number).normal(size=(len(values), HEIGHT, WIDTH))
        logits = np.log(np.stack(planes) + 0.02) + 0.5 * noise
        shares = np.exp(logits)
        made.append((image, (shares / shares.sum(axis=0)).astype(np.float32)))
    assert len(made) == 5
    return made


def test_at_compatibility_one_half_it_is_the_exact_mean_field(shared_data: Path) -> None:
    params = CrfParams(appearance_weight=1, smooth_weight=1, compatibility=0.5)
    for image, shares in scenes(shared_data):
        difference = np.abs(densecrf(image, shares, params) - exact(image, shares, params))
        assert difference.max() < 2e-2
        # The test itself could not fail if the CRF did nothing here.
        assert np.abs(exact(image, shares, params) - shares).max() > 0.1


@pytest.mark.parametrize("params", [AUTHORS, CrfParams(**(DEEPLAB.to_json() | {"iterations": 5}))])
def test_at_the_default_weights_it_is_near_the_exact_mean_field(
    shared_data: Path, params: CrfParams
) -> None:
    for image, shares in scenes(shared_data):
        found, wanted = densecrf(image, shares, params), exact(image, shares, params)
        assert np.abs(found - wanted).mean() <= 0.03
        assert (found.argmax(axis=0) == wanted.argmax(axis=0)).mean() >= 0.95


def test_an_edge_moves_to_where_the_colour_changes() -> None:
    image = np.full((40, 60, 3), 40, np.uint8)
    image[:, 33:] = 200
    front = np.zeros((40, 60), bool)
    front[:, 29:] = True  # four pixels beside the edge
    front[3, 5] = True  # and a speck
    shares = from_labels(front.astype(np.uint16) + 1, [1, 2])
    found = densecrf(image, shares).argmax(axis=0)
    assert np.array_equal(found == 1, image[..., 0] == 200)


def test_grey_and_the_same_grey_as_colour_give_the_same_answer(shared_data: Path) -> None:
    image, shares = scenes(shared_data)[0]
    grey = image[..., 1]
    plain = densecrf(grey, shares)
    assert np.array_equal(plain, densecrf(grey[..., None], shares))
    assert np.array_equal(plain, densecrf(np.repeat(grey[..., None], 3, axis=2), shares))


def test_seven_channels_that_hold_three_are_as_good_as_these(shared_data: Path) -> None:
    image, shares = scenes(shared_data)[1]
    # Seven channels without more to say: turned colours, whose distances are 7 / 3 as far.
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 3)))
    wide = (image.reshape(-1, 3).astype(float) @ turn.T).reshape(HEIGHT, WIDTH, 7)
    params = CrfParams(appearance_weight=2, smooth_weight=1)
    found = densecrf(wide * np.sqrt(7 / 3), shares, params)
    assert np.abs(found - densecrf(image.astype(float), shares, params)).mean() < 0.02


def test_coarse_rows_are_smoothed_less_far_than_fine_columns() -> None:
    image = np.zeros((31, 31), np.uint8)
    shares = np.full((2, 31, 31), 0.5, np.float32)
    shares[:, 15, 15] = (0.01, 0.99)
    params = CrfParams(appearance_weight=0, smooth_weight=1, smooth_sigma=2, iterations=1)
    even = densecrf(image, shares, params)[1]
    assert np.allclose(even[15, 17], even[17, 15], atol=1e-3)
    thick = densecrf(image, shares, params, spacing=(5.0, 1.0))[1]
    assert thick[15, 17] - 0.5 > 5 * (thick[17, 15] - 0.5)


def test_a_class_that_is_nowhere_costs_nothing_and_gets_nothing(shared_data: Path) -> None:
    image, shares = scenes(shared_data)[2]
    wide = np.concatenate([shares, np.zeros((40, HEIGHT, WIDTH), np.float32)])
    found = densecrf(image, wide)
    assert np.array_equal(found[: len(shares)], densecrf(image, shares))
    assert not found[len(shares) :].any()


@settings(max_examples=25)
@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99)
)
def test_any_picture_has_an_answer_that_sums_to_one(
    height: int, width: int, classes: int, channels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, channels)).astype(np.uint8)
    shares = rng.dirichlet(np.ones(classes), (height, width)).transpose(2, 0, 1)
    found = densecrf(image, shares)
    assert found.shape == shares.shape
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=0), 1, atol=1e-4)
    assert np.array_equal(found, densecrf(image, shares))


def test_it_stops_between_two_rounds_and_tells_how_far_it_is(shared_data: Path) -> None:
    image, shares = scenes(shared_data)[0]
    told: list[float] = []
    with pytest.raises(Cancelled):
        densecrf(image, shares, cancelled=lambda: len(told) == 2, progress=told.append)
    assert told == [0.2, 0.4]


def test_what_does_not_fit_together_is_said_in_a_sentence() -> None:
    with pytest.raises(MaskwrightError, match="shape"):
        densecrf(np.zeros((4, 5, 3)), np.zeros((2, 5, 4)))
    with pytest.raises(MaskwrightError, match="one slice"):
        densecrf(np.zeros((2, 4, 5, 3)), np.zeros((2, 4, 5)))


def test_without_the_package_one_sentence_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(NoDenseCrf) as caught:
        densecrf(np.zeros((4, 5)), np.full((2, 4, 5), 0.5))
    assert "pip install pydensecrf2" in caught.value.hint


# -- evidence -----------------------------------------------------------------------------------


def test_labels_with_confidence_become_probabilities() -> None:
    classes = np.array([[3, 3, 7, 0]])
    confidence = np.array([[255, 204, 0, 90]], np.uint8)
    shares = from_labels(classes, [3, 7, 9], confidence)
    assert np.allclose(shares.sum(axis=0), 1)
    assert np.allclose(shares[0, 0], [0.99, 0.8, 0.05, 1 / 3])
    assert np.allclose(shares[1, 0], [0.005, 0.1, 0.9, 1 / 3])


def test_a_doubted_label_is_still_the_most_probable_class() -> None:
    shares = from_labels(np.array([[1, 2]]), [1, 2], np.array([[3, 100]], np.uint8))
    assert shares.argmax(axis=0).tolist() == [[0, 1]]


def test_what_a_person_painted_is_a_witness_for_what_is_around_it() -> None:
    image = np.full((30, 30), 90, np.uint8)
    doubt = np.stack([np.full((30, 30), 0.55), np.full((30, 30), 0.45)]).astype(np.float32)
    painted = np.zeros((30, 30), bool)
    painted[10:20, 10:20] = True
    labels = np.where(painted, 2, 1)
    assert densecrf(image, doubt)[1].max() < 0.5
    shares = with_certain(doubt, labels, [1, 2], painted)
    assert np.allclose(shares.sum(axis=0), 1)
    assert shares[1][painted].min() > 0.999
    assert np.array_equal(shares[:, ~painted], doubt[:, ~painted])
    assert densecrf(image, shares)[1][painted].min() > 0.9


# -- blocks -------------------------------------------------------------------------------------


@given(
    st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 200), st.integers(1, 40), st.data()
)
def test_blocks_cover_a_rectangle_once_and_see_their_rim(
    height: int, width: int, reach: int, classes: int, data: st.DataObject
) -> None:
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    rect = Rect(top, left, height - top, width - left)
    pieces = list(blocks(rect, reach, (height, width), classes, 1 << 18))
    assert sum(piece.inner.area for piece in pieces) == rect.area
    whole = Rect(0, 0, height, width)
    for inner, outer in pieces:
        assert inner.intersect(rect) == inner
        assert outer == inner.grown(reach).intersect(whole)
        assert outer.area <= max(1 << 18, (128 + 2 * reach) ** 2)


def test_a_picture_in_blocks_is_refined_as_the_whole_is(shared_data: Path) -> None:
    folder = shared_data / "camvid" / "val"
    path = sorted((folder / "images").glob("*.jpg"))[0]
    image = read(path)
    mask = truth(folder / "labels" / f"{path.stem}.png")
    mask = mask[..., 0] if mask.ndim == 3 else mask
    ids = [int(v) for v in np.unique(mask)]
    shares = from_labels(np.roll(mask, (3, 4), (0, 1)), ids)
    whole = densecrf(image, shares).argmax(axis=0)
    joined = np.full_like(whole, -1)
    size = (image.shape[0], image.shape[1])
    pieces = list(blocks(Rect(0, 0, *size), AUTHORS.reach, size, len(ids), 100_000))
    assert len(pieces) >= 4
    for inner, outer in pieces:
        part = densecrf(image[outer.slices], shares[(slice(None), *outer.slices)]).argmax(axis=0)
        joined[inner.slices] = part[inner.shifted(-outer.y, -outer.x).slices]
    assert (joined == whole).mean() > 0.98


# -- parameters ---------------------------------------------------------------------------------


def test_parameters_survive_json_and_text() -> None:
    made = CrfParams.parse("appearance_weight=4, smooth_sigma=1.5,iterations=2")
    assert (made.appearance_weight, made.smooth_sigma, made.iterations) == (4, 1.5, 2)
    assert made.appearance_sigma == AUTHORS.appearance_sigma
    assert CrfParams.from_json(made.to_json()) == made
    assert [row.name for row in TABLE] == list(made.to_json())


@pytest.mark.parametrize(
    "text", ["colour=3", "appearance_weight", "iterations=2.5", "smooth_sigma=0", "smooth_weight=x"]
)
def test_a_parameter_that_is_none_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(MaskwrightError) as caught:
        CrfParams.parse(text)
    assert caught.value.hint
