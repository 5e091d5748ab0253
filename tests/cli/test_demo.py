"""The demo project: made without network, with truth where the picture is made up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calling import Command
from scipy import ndimage

from segcore.models.built_in import BUILT_IN
from segcore.projects.demo import PICTURES
from segcore.projects.scenes import Scene, nuclei, vessels
from segcore.store import Project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as a person gets it, in a process that cannot reach the network."""
    folder = tmp_path_factory.mktemp("demo")
    script = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise OSError('no network here')\n"
        "socket.socket.connect = refuse; socket.create_connection = refuse\n"
        "from segcore.cli.main import run\n"
        "sys.exit(run(['demo', sys.argv[1], '--no-window']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert Path(ended.stdout.strip()) == folder / "demo.maskwright"
    return folder / "demo.maskwright"


def test_every_picture_has_a_predicted_mask(demo: Path) -> None:
    with Project.open(demo, write=False) as project:
        assert [item.name for item in project.items] == [p.name for p in PICTURES]
        for item, picture in zip(project.items, PICTURES, strict=True):
            assert item.state == "predicted", item.name
            assert list(item.predictions) == [picture.model]
            assert len(np.unique(item.labels.read())) > 1, item.name
            assert item.sources[0].file.is_relative_to(demo)
            with item.open_image() as image:
                assert image.shape == item.shape


def test_made_up_pictures_have_truth_and_real_ones_have_none(demo: Path) -> None:
    with Project.open(demo, write=False) as project:
        for item, picture in zip(project.items, PICTURES, strict=True):
            assert (item.truth is not None) == (picture.scene is not None)
            if item.truth is not None:
                assert item.mean_iou is not None
                assert item.mean_iou > 0.5, item.name


def test_a_second_call_leaves_the_demo_alone(done: Command, demo: Path) -> None:
    before = (demo / "project.db").stat().st_mtime_ns
    done("demo", demo.parent, "--no-window")
    assert (demo / "project.db").stat().st_mtime_ns == before


def test_an_interrupted_demo_leaves_nothing_and_is_made_again(
    done: Command, maskwright: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("segcore.projects.demo._shipped", stopped)
        assert maskwright("demo", tmp_path, "--no-window").code == 1
    assert not list(tmp_path.glob("*maskwright*"))
    monkeypatch.setattr("segcore.projects.demo.BUILT_IN", tmp_path / "none")
    made = done("demo", tmp_path, "--no-window")
    assert made.err.startswith("Making the demo project: ")
    assert (tmp_path / "demo.maskwright" / "project.db").is_file()


def test_the_models_of_the_demo_come_along() -> None:
    for picture in PICTURES:
        assert (BUILT_IN / picture.model / "model.safetensors").is_file()


@pytest.mark.parametrize("make", [nuclei, vessels])
def test_a_scene_is_the_same_every_time(make) -> None:
    first, second, other = make(5), make(5), make(6)
    assert (first.image == second.image).all()
    assert (first.objects == second.objects).all()
    assert (first.image != other.image).any()


def test_nuclei_are_numbered_without_gaps_and_brighter_than_the_ground() -> None:
    scene: Scene = nuclei(1)
    numbers = np.unique(scene.objects)
    assert (numbers == np.arange(len(numbers))).all()
    assert len(numbers) > 40
    sizes = ndimage.sum_labels(np.ones(scene.objects.shape), scene.objects, numbers[1:])
    assert sizes.min() > 50
    inside, outside = scene.image[scene.objects > 0], scene.image[scene.objects == 0]
    assert np.median(inside) > 3 * np.median(outside)
    # Some touch: this is what makes them worth correcting.
    assert ndimage.label(scene.objects > 0, np.ones((3, 3)))[1] < len(numbers) - 1


def test_vessels_are_thin_dark_lines_in_the_green_channel() -> None:
    scene = vessels(4)
    vessel = scene.objects > 0
    assert 0.02 < vessel.mean() < 0.15
    width = 2 * ndimage.distance_transform_edt(vessel).max()
    assert width < 30
    near = ndimage.binary_dilation(vessel, iterations=6) & ~ndimage.binary_dilation(vessel)
    eye = scene.image[..., 0] > 40
    green = scene.image[..., 1].astype(float)
    assert green[vessel & eye].mean() < green[near & eye].mean() - 10
