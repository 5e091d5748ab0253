"""A model that finds objects, from masks with numbers over training to objects with scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from calling import Command
from PIL import Image

from segcore.models import load_model, save_model
from segcore.projects.training import NewRun, NothingToLearn, prepare_run
from segcore.store import Project
from segcore.train import read_frozen

NAMES = ("0bf4b144167694b6", "57d88f45e479ce38")
OPTIONS = (
    "pyramid_channels=32 box_features=64 proposals=100 sampled=32 detections=30 smallest_anchor=8"
)


@pytest.fixture
def project(done: Command, tmp_path: Path, shared_data: Path) -> Path:
    """Two crops of nuclei whose truth tells the objects apart."""
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        for name in NAMES:
            with Image.open(shared_data / "nuclei" / kind / f"{name}.png") as picture:
                picture.crop((0, 0, 128, 128)).save(tmp_path / kind / f"{name}.png")
    path = tmp_path / "cells.maskwright"
    done(
        "new", path, "--images", tmp_path / "images", "--truth", tmp_path / "labels",
        "--instances", "nucleus",
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("finds", "names"),
    [
        ({"arch": "mask_rcnn"}, {"arch": "fpn"}),
        # One architecture that does the one or the other, by its base.
        ({"arch": "pointrend", "options": "base=mask_rcnn"}, {"arch": "pointrend"}),
    ],
)
def test_a_run_keeps_the_numbers_of_objects_only_where_its_model_finds_them(
    finds: dict[str, str], names: dict[str, str], project: Path, tmp_path: Path
) -> None:
    with Project.open(project) as opened:
        finding = prepare_run(opened, NewRun(finds | {"targets": "truth"}, name="a"))
        naming = prepare_run(opened, NewRun(names | {"targets": "truth"}, name="b"))
        thing = next(c.id for c in opened.classes.scored if c.thing)
    for item in read_frozen(finding).items:
        numbers = item.read_instances()
        assert numbers is not None
        label = np.asarray(Image.open(tmp_path / "labels" / f"{item.name}.png"))
        assert ((numbers > 0) == (label > 0)).all()
        assert ((numbers > 0) == (item.read_target() == thing)).all()
        assert len(np.unique(numbers)) == len(np.unique(label)) > 10
    assert all(item.read_instances() is None for item in read_frozen(naming).items)


def test_a_project_without_things_is_told_so_before_a_run_is_made(
    done: Command, tmp_path: Path, project: Path
) -> None:
    path = tmp_path / "grey.maskwright"
    done("new", path, "--images", tmp_path / "images", "--truth", tmp_path / "labels")
    with Project.open(path) as opened:
        assert not any(c.thing for c in opened.classes.scored)
        with pytest.raises(NothingToLearn, match="no class of grey is counted as objects"):
            prepare_run(opened, NewRun({"arch": "panet", "targets": "truth"}, name="a"))
    assert not (path / "runs" / "a").exists()


def test_a_trained_model_gives_objects_with_its_own_scores(
    done: Command, project: Path, tmp_path: Path
) -> None:
    report = done(
        "train", project, "--targets", "truth", "--arch", "mask_rcnn",
        "--options", OPTIONS, "--steps", "2", "--batch", "2",
        "--name", "cells", "--json",
    ).json  # fmt: skip
    assert report["step"] == 2
    # Two steps find nothing yet: what it takes for an object is raised by hand.
    model = load_model(Path(report["model"]))
    thing = next(k for k, c in enumerate(model.spec.classes.scored) if c.thing)
    with torch.no_grad():
        bias = model.get_parameter("network.heads.box_predictor.classes.bias")
        bias[1 + thing] = 3.0
        model.head.bias[thing] = 3.0  # type: ignore[index]
    save_model(model, tmp_path / "eager")
    done("predict", project, "--model", tmp_path / "eager")
    with Project.open(project) as opened:
        for item in opened.items:
            numbers = item.labels.read(plane="instance")
            classes = item.labels.read()
            found = sorted(set(np.unique(numbers).tolist()) - {0})
            assert len(found) >= 2
            assert sorted(item.instances) == found
            scores = [item.instances[number].score for number in found]
            assert all(score is not None and 0.5 <= score <= 1 for score in scores)
            assert len(set(scores)) > 1
            assert (classes[numbers > 0] == model.spec.classes.scored[thing].id).all()
    told = done("evaluate", project, "--json").json
    assert told["instances"]["ap50"] is not None

    # Fewer objects are asked for; those that are left out are kept beside the prediction.
    with Project.open(project) as opened:
        scores = sorted(row.score or 0 for row in opened.items[0].instances.values())
    least = (scores[0] + scores[-1]) / 2
    done(
        "predict", project, "--model", tmp_path / "eager", "--overwrite",
        "--least-score", f"{least}",
    )  # fmt: skip
    with Project.open(project) as opened:
        item = opened.items[0]
        (layer,) = item.predictions.values()
        assert sorted(row.score or 0 for row in item.instances.values()) == [
            score for score in scores if score >= least
        ]
        assert {row.id for row in layer.instances} == set(item.instances)
        assert {row.score for row in layer.found} >= set(scores)
