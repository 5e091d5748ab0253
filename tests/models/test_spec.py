"""A model's self-description survives its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segcore.base import CLASS_PRESETS, BadFile
from segcore.models import ModelSpec, Preparation, make_spec

FULL = make_spec("unet", classes=CLASS_PRESETS["camvid"], channels=4).changed(
    preparation=Preparation("window", (0.4,), (0.2,), -160.0, 240.0),
    spacing=(0.7, 0.7),
    licence="CC0",
    data={"items": [{"name": "a", "digest": "f" * 64}]},
    scores={"held_out": {"mean_iou": None}},
    seeds=(3, 4),
    frozen=("some-uuid",),
    made={"minutes": 2.5},
    name="first",
)


def test_a_spec_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    FULL.write(tmp_path / "model.json")
    assert ModelSpec.read(tmp_path) == FULL
    assert json.loads((tmp_path / "model.json").read_text("utf-8"))["classes"][0]["uuid"]


def test_digests_of_the_training_data_are_at_hand() -> None:
    assert FULL.digests == {"f" * 64}


@pytest.mark.parametrize(
    "change",
    [{"format": "other"}, {"version": 99}, {"classes": None}, {"preparation": {"kind": "x"}}],
)
def test_a_description_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadFile):
        ModelSpec.from_json(FULL.to_json() | change, "model.json")


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"model\.json"):
        ModelSpec.read(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(BadFile, match="not valid JSON"):
        ModelSpec.read(tmp_path)
