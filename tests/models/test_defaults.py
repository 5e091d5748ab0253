"""The models that come with the program: small, described, and as good as they say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from segcore import images, metrics
from segcore.base import digest_file
from segcore.infer import Predictor
from segcore.models import ModelSpec, load_model

WEIGHTS = Path(__file__).resolve().parents[2] / "resources" / "weights"
FOLDERS = {"nuclei": "nuclei", "retina": "chase_retina"}
SUFFIX = {"nuclei": ".png", "retina": ".jpg"}


def held_out(name: str) -> list[str]:
    return (WEIGHTS / name / "held_out.txt").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_a_default_is_small_and_says_all_of_itself(name: str) -> None:
    assert (WEIGHTS / name / "model.safetensors").stat().st_size <= 15_000_000
    spec = ModelSpec.read(WEIGHTS / name)
    assert spec.name == name
    assert "make_defaults.py" in spec.command
    assert "data CC" in spec.licence
    assert spec.attribution
    scores = spec.scores
    assert scores["held_out"]["items"] == len(held_out(name))
    assert scores["held_out"]["mean_iou"] > scores["all_background"]["mean_iou"] + 0.2
    assert scores["held_out"]["mean_dice"] > scores["all_background"]["mean_dice"] + 0.2


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_what_is_held_out_was_in_no_training(name: str, shared_data: Path) -> None:
    folder = shared_data / FOLDERS[name] / "images"
    names = held_out(name)
    assert len(set(names)) == {"nuclei": 71, "retina": 6}[name]
    trained = ModelSpec.read(WEIGHTS / name).digests
    everything = {digest_file(path): path.stem for path in folder.iterdir()}
    assert trained <= set(everything)
    assert {everything[digest] for digest in trained} == set(everything.values()) - set(names)


def test_the_held_out_nuclei_are_spread_evenly_over_kinds_and_sizes(shared_data: Path) -> None:
    import csv

    with (shared_data / "nuclei" / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    names = set(held_out("nuclei"))
    share = len(names) / len(rows)
    for key in ("kind", "width"):
        for value in {row[key] for row in rows}:
            there = [row for row in rows if row[key] == value]
            held = sum(Path(row["file"]).stem in names for row in there)
            assert abs(held - share * len(there)) <= 1.5, (key, value)


@pytest.mark.parametrize(("name", "count"), [("nuclei", 6), ("retina", 1)])
def test_a_default_scores_on_held_out_pictures_about_what_it_says(
    name: str, count: int, shared_data: Path
) -> None:
    folder = shared_data / FOLDERS[name]
    model = load_model(WEIGHTS / name)
    predictor = Predictor(model, "cpu")
    background, thing = (c.id for c in model.spec.classes)
    sums = metrics.ConfusionAccumulator([background, thing])
    names = held_out(name)
    for stem in names[:: -(-len(names) // count)]:
        values = cv2.imread(str(folder / "labels" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        with images.open(folder / "images" / f"{stem}{SUFFIX[name]}") as source:
            found = predictor.predict(source).classes
        truth = np.where(values > 0, np.uint16(thing), np.uint16(background))
        sums.add(truth.astype(np.uint16), found)
    measured = float(metrics.iou(sums.matrix)[1])
    told = next(
        row["iou"] for row in model.spec.scores["held_out"]["classes"] if row["id"] == thing
    )
    assert abs(measured - told) < 0.15
