"""One function prepares what training and prediction see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segcore.base import MaskwrightError
from segcore.models.prepare import KINDS, Preparation, as_channels, prepare, statistics


def test_imagenet_on_bytes_is_the_textbook_formula() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    how = Preparation("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    expected = (image / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_allclose(prepare(image, how), expected.transpose(2, 0, 1), atol=1e-5)


def test_a_window_maps_its_ends_and_clips_beyond() -> None:
    image = np.array([[-1024, -160, 40, 240, 3000]], np.int16)
    how = Preparation("window", (0.0,), (1.0,), -160, 240)
    np.testing.assert_allclose(prepare(image, how)[0, 0], [0, 0, 0.5, 1, 1])


def test_percentiles_are_each_channels_own() -> None:
    ramp = np.linspace(0, 1000, 10_000).reshape(100, 100)
    image = np.stack([ramp, 5 + 0.001 * ramp], axis=2).astype(np.float32)
    first, second = prepare(image, Preparation("percentile", (0.0,), (1.0,), 1, 99))
    np.testing.assert_allclose(first, second, atol=1e-3)
    assert first.min() == 0
    assert first.max() == 1


def test_mean_std_gives_mean_0_and_deviation_1() -> None:
    image = np.random.default_rng(1).normal(300, 40, (64, 64)).astype(np.float32)
    values = prepare(image, Preparation("mean-std"))
    assert abs(values.mean()) < 1e-3
    assert abs(values.std() - 1) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_a_tile_is_prepared_as_in_the_whole_picture(kind: str, dtype: type) -> None:
    rng = np.random.default_rng(2)
    image = np.clip(rng.normal(100, 30, (90, 80, 3)) * np.linspace(0, 2, 80)[:, None], 0, 255)
    image = image.astype(dtype)
    how = Preparation(kind, low=10, high=90)  # type: ignore[arg-type]
    whole = prepare(image, how)
    part = prepare(image[20:50, 30:80], how, statistics(image, how))
    np.testing.assert_array_equal(part, whole[:, 20:50, 30:80])


@given(
    hnp.arrays(np.float32, (6, 5, 2), elements=st.floats(width=32, allow_nan=True)),
    st.sampled_from(KINDS),
)
def test_no_picture_gives_values_that_are_not_finite(image: np.ndarray, kind: str) -> None:
    extreme = np.abs(np.nan_to_num(image, posinf=0, neginf=0)) > 1e30
    image[extreme] = 1.0  # beyond what float32 can subtract
    assert np.isfinite(prepare(image, Preparation(kind))).all()  # type: ignore[arg-type]


def test_one_channel_is_repeated_and_others_are_refused() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert (as_channels(grey, 3) == grey[:, :, None]).all()
    with pytest.raises(MaskwrightError, match="4 channels and the model takes 3"):
        as_channels(np.zeros((2, 2, 4), np.uint8), 3)


@pytest.mark.parametrize("wrong", [{"kind": "odd"}, {"low": 5.0, "high": 5.0}, {"std": (0.0,)}])
def test_a_senseless_preparation_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MaskwrightError):
        Preparation(**wrong)  # type: ignore[arg-type]
