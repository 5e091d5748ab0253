"""The table of settings and what it refuses."""

from __future__ import annotations

from dataclasses import fields

import pytest

from segcore.base import MaskwrightError
from segcore.train import Recipe, describe, parse_loss
from segcore.train.losses import LOSSES
from segcore.train.optimise import SCHEDULES
from segcore.train.recipe import CROP_AREA, LOSS_NAMES, Schedule, parse_options


def test_every_setting_has_a_sentence_a_type_and_a_sound_default() -> None:
    rows = describe()
    assert [row.name for row in rows] == [f.name for f in fields(Recipe)]
    for row in rows:
        assert row.help
        assert row.help[0].isupper()
        assert row.type in {"str", "int", "float", "bool", "choice"}
        if row.choices:
            assert row.default in row.choices


def test_the_light_table_names_what_the_heavy_modules_hold() -> None:
    assert set(LOSS_NAMES) == set(LOSSES)
    assert set(SCHEDULES) == set(Schedule.__args__)  # type: ignore[attr-defined]


def test_a_recipe_comes_back_from_json() -> None:
    recipe = Recipe(arch="unet", steps=7, loss="ce+0.5*dice", lr=3e-4, seed=5)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json({"steps": 3}) == Recipe(steps=3)
    with pytest.raises(MaskwrightError, match="warp"):
        Recipe.from_json({"warp": 9})


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"epochs": 0.0},
        {"minutes": -1.0},
        {"batch": 0},
        {"crop_height": 8},
        {"scale_low": 2.0, "scale_high": 1.0},
        {"rotate": -1.0},
        {"blur": 11.0},
        {"noise": float("nan")},
        {"lr": 0.0},
        {"rare": 1.5},
        {"ema": 1.0},
        {"replay": 1.0},
        {"loss": "hinge"},
        {"schedule": "saw"},
        {"freeze": "all"},
    ],
)
def test_a_senseless_setting_is_refused_with_a_hint(wrong: dict[str, object]) -> None:
    with pytest.raises(MaskwrightError) as caught:
        Recipe(**wrong)  # type: ignore[arg-type]
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("ce", {"ce": 1.0}),
        ("ce + dice", {"ce": 1.0, "dice": 1.0}),
        ("2*ce+0.5*iou", {"ce": 2.0, "iou": 0.5}),
    ],
)
def test_a_loss_is_a_weighted_sum(text: str, terms: dict[str, float]) -> None:
    assert parse_loss(text) == terms


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("stride=16 at_once=true", {"stride": 16, "at_once": True}),
        (
            "base=unet base_options='{\"residual\": true}'",
            {"base": "unet", "base_options": {"residual": True}},
        ),
        (
            "widths=[8,16,32] decoder_attention=null",
            {"widths": [8, 16, 32], "decoder_attention": None},
        ),
    ],
)
def test_options_of_an_architecture_are_written_as_names_and_values(
    text: str, options: dict[str, object]
) -> None:
    assert parse_options(text) == options
    assert Recipe(options=text).options == text


@pytest.mark.parametrize("text", ["stride", "stride=", "=16", "stride='16"])
def test_what_is_no_name_and_value_is_refused(text: str) -> None:
    with pytest.raises(MaskwrightError, match="is no option") as caught:
        Recipe(options=text)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "ce+", "ce+ce", "-1*ce", "x*ce", "0*ce"])
def test_what_is_no_sum_of_losses_is_refused(text: str) -> None:
    with pytest.raises(MaskwrightError):
        parse_loss(text)


def test_steps_follow_steps_then_epochs_then_a_default() -> None:
    assert Recipe(steps=5, epochs=9).total_steps(100) == 5
    assert Recipe(epochs=2, batch=8).total_steps(100) == 25
    assert Recipe().total_steps(100) == 300
    assert Recipe(minutes=1).total_steps(100) > 10_000


def test_the_learning_rate_is_lower_when_a_model_is_trained_further() -> None:
    assert Recipe().learning_rate(True) < Recipe().learning_rate(False)
    assert Recipe(lr=0.1).learning_rate(True) == 0.1


def test_crops_are_laid_on_rare_classes_when_a_model_is_trained_further() -> None:
    assert Recipe().rare_share(False) == 0 < Recipe().rare_share(True)
    assert Recipe(rare=0.2).rare_share(True) == Recipe(rare=0.2).rare_share(False) == 0.2


@pytest.mark.parametrize(
    ("size", "crop"),
    [((360, 480), (256, 320)), ((256, 256), (256, 256)), ((40, 30), (64, 64))],
)
def test_a_crop_follows_the_pictures(size: tuple[int, int], crop: tuple[int, int]) -> None:
    assert Recipe().crop([size] * 3) == crop
    height, width = Recipe().crop([(4000, 3000)])
    assert height * width < 1.2 * CROP_AREA
    assert Recipe(crop_height=96).crop([size])[0] == 96
